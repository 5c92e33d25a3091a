"""A photo set on disk: PNGs, a manifest that says what became of every source file, and a content hash."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from boothlab.errors import BoothlabError, PhotoError, RunDamaged
from boothlab.files import (
    is_left_of,
    new_folder,
    read_json,
    safe_name,
    sha256_bytes,
    sha256_json,
    write_bytes,
    write_json,
)
from boothlab.photos.photo import Photo, Rejected, Trace

MANIFEST = "manifest.json"
FORMAT = 1

KEYS = frozenset(("format", "content_hash", "photos", "rejected"))
"""What every manifest of a photo set has."""

Part = Literal["train", "held_out"]


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """A prepared folder. ``content_hash`` changes when a pixel, mask, caption or the split changes."""

    path: Path
    photos: tuple[Photo, ...]
    rejected: tuple[Rejected, ...]
    held_out_names: frozenset[str]
    content_hash: str

    @property
    def train(self) -> tuple[Photo, ...]:
        """Photos to train on."""
        return tuple(photo for photo in self.photos if photo.name not in self.held_out_names)

    @property
    def held_out(self) -> tuple[Photo, ...]:
        """Photos never trained on; references for likeness."""
        return tuple(photo for photo in self.photos if photo.name in self.held_out_names)


def png_bytes(pixels: np.ndarray[Any, Any]) -> bytes:
    """Lossless PNG without any metadata of (H, W, 3) or (H, W) uint8."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=False, compress_level=6)
    return buffer.getvalue()


def write_set(
    path: Path,
    photos: Sequence[Photo],
    rejected: Sequence[Rejected],
    held_out: frozenset[str],
    about: Mapping[str, Any] | None = None,
    also: Mapping[str, bytes] | None = None,
) -> PhotoSet:
    """Write the set atomically. Files are numbered, so two sources with one stem do not collide.

    What killed processes left unfinished of it is deleted.

    ``about`` goes into the manifest as it is; ``also`` are further files (relative name → content).
    """
    entries = []
    with new_folder(path) as folder:
        for index, photo in enumerate(photos):
            stem = safe_name(Path(photo.name).stem)
            file = f"{index:03d}-{stem}.png"
            data = png_bytes(photo.pixels)
            write_bytes(folder / file, data)
            entry = {
                "source": photo.name,
                "source_sha256": photo.source_hash,
                "file": file,
                "sha256": sha256_bytes(data),
                "part": "held_out" if photo.name in held_out else "train",
                "caption": photo.caption,
                "mask": None,
                "trail": [asdict(trace) for trace in photo.trail],
                "seen": photo.seen,
            }
            if photo.mask is not None:
                mask_data = png_bytes(photo.mask)
                entry["mask"] = f"{index:03d}-{stem}.mask.png"
                entry["mask_sha256"] = sha256_bytes(mask_data)
                write_bytes(folder / str(entry["mask"]), mask_data)
            entries.append(entry)
        tree = {
            "format": FORMAT,
            "content_hash": _content_hash(entries),
            "photos": entries,
            "rejected": [asdict(item) for item in rejected],
            **(about or {}),
        }
        for name, content in (also or {}).items():
            write_bytes(folder / name, content)
        write_json(folder / MANIFEST, tree)
    _sweep(path.resolve())
    return PhotoSet(path, tuple(photos), tuple(rejected), held_out, str(tree["content_hash"]))


def _sweep(path: Path) -> None:
    """Delete the photos that killed processes left beside the set. What another one is writing there stays."""
    with contextlib.suppress(OSError):  # a folder that may be written to and not be listed
        for left in [other for other in path.parent.iterdir() if is_left_of(path, other)]:
            shutil.rmtree(left, ignore_errors=True)


def is_photo_set(path: Path) -> bool:
    """Whether ``path`` was made by :func:`write_set`; other programs call their files ``manifest.json`` too.

    One whose manifest is no JSON any more is a photo set still: it was damaged, and is no folder of originals.
    """
    if not (path / MANIFEST).is_file():
        return False
    try:
        tree = read_json(path / MANIFEST)
    except RunDamaged:
        return True
    return isinstance(tree, dict) and tree.keys() >= KEYS


def is_written_set(path: Path) -> bool:
    """Whether the manifest in ``path`` is one that :func:`write_set` wrote; others call theirs so too."""
    try:
        tree = read_json(path / MANIFEST)
        hashes = [tree["content_hash"], *(entry["source_sha256"] for entry in tree["photos"])]
        there = any((path / entry["file"]).is_file() for entry in tree["photos"])
        return there and all(len(value) == 64 for value in hashes)
    except (BoothlabError, KeyError, TypeError):
        return False


def is_complete(path: Path) -> bool:
    """Whether the set in ``path`` says what is in it and has all of that; the files are not read."""
    try:
        photos = read_json(path / MANIFEST)["photos"]
        return all((path / name).is_file() for one in photos for name in (one["file"], one["mask"]) if name)
    except (RunDamaged, KeyError, TypeError):
        return False


def read_set(path: Path) -> PhotoSet:
    """The set in ``path``, every file checked against the manifest. Raises PhotoError naming what is wrong."""
    tree = read_json(path / MANIFEST)
    try:
        photos = tuple(read_entry(path, entry) for entry in tree["photos"])
        rejected = tuple(
            Rejected(**{**item, "trail": tuple(Trace(**trace) for trace in item["trail"])})
            for item in tree["rejected"]
        )
        held_out = frozenset(entry["source"] for entry in tree["photos"] if entry["part"] == "held_out")
        return PhotoSet(path, photos, rejected, held_out, tree["content_hash"])
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise PhotoError(
            f"The photo set {path} is damaged: {error}.", "Prepare it again with `boothlab prepare`."
        ) from error


def read_entry(path: Path, entry: dict[str, Any]) -> Photo:
    """One photo of the set in ``path``, checked against its line in the manifest. Raises ValueError, OSError."""
    pixels = _read_png(path / entry["file"], entry["sha256"], "RGB")
    mask = _read_png(path / entry["mask"], entry["mask_sha256"], "L") if entry["mask"] else None
    return Photo(
        name=entry["source"],
        pixels=pixels,
        source_hash=entry["source_sha256"],
        mask=mask,
        caption=entry["caption"],
        trail=tuple(Trace(**trace) for trace in entry["trail"]),
        seen=entry["seen"],
    )


def _read_png(path: Path, expected: str, mode: str) -> np.ndarray[Any, Any]:
    data = path.read_bytes()
    if sha256_bytes(data) != expected:
        raise ValueError(f"{path.name} was changed after it was prepared")
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert(mode))


def _content_hash(entries: list[dict[str, Any]]) -> str:
    keys = ("sha256", "mask_sha256", "part", "caption", "source")
    return sha256_json([{key: entry.get(key) for key in keys} for entry in entries])
