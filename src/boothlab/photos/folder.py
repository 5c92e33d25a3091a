"""What lies in a folder of photos: pictures, words about them, litter, and things that are none of these.

Separate from reading because nothing is decoded here: every entry gets a fate from its name and first bytes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from boothlab.errors import PhotoError
from boothlab.files import LITTER, TEMPORARY_MARK, is_litter, spelled
from boothlab.photos.photo import Rejected

SUFFIXES = frozenset(
    [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".heic", ".heif", ".hif"]
    + [".avif", ".tif", ".tiff", ".bmp", ".gif"]
)

LEFT_BEHIND = LITTER | {".ipynb_checkpoints", "__macosx", "@eadir", "ehthumbs.db"}
"""Names that operating systems, notebooks and file servers leave behind; never worth a message."""

WORDS = frozenset({".txt", ".csv", ".tsv", ".json", ".jsonl", ".toml"})
"""Endings of files that hold words about photos."""

SIGNATURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF.{4}WEBP|GIF8|II[*+]\0|MM\0[*+]"
    rb"|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"  # "BM" alone begins many a text
    rb"|.{4}ftyp(hei[cxms]|hev[cxms]|mif1|msf1|avi[fs])",
    re.DOTALL,
)
"""How a picture begins, by which it is known whatever it is called."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Every entry of a folder, in name order, in exactly one of four lists. ``ignored``: (name, why)."""

    photos: tuple[Path, ...]
    others: tuple[Rejected, ...]
    words: tuple[Path, ...]
    ignored: tuple[tuple[str, str], ...]


def printable(path: Path) -> str:
    """The name of ``path`` as text that can be written anywhere (undecodable bytes are spelled out)."""
    return spelled(path.name)


def composed(name: str) -> str:
    """A file's name in one spelling: "é" is one character on some systems and two (NFD) on others."""
    return unicodedata.normalize("NFC", name)


def find_photos(folder: Path) -> tuple[list[Path], list[Rejected]]:
    """The picture files directly inside ``folder`` in name order, and the files that are no pictures."""
    listing = list_folder(folder)
    return list(listing.photos), list(listing.others)


def list_folder(
    folder: Path, include: Iterable[str] = (), exclude: Iterable[str] = (), out: Path | None = None
) -> Listing:
    """What is directly inside ``folder``. ``include`` and ``exclude`` are names or patterns ("IMG_*.jpg").

    ``out`` is where a set of these photos is written: in the folder it is no part of what lies there, now or later.
    Raises PhotoError when the folder is missing, no folder, or not readable, or when a pattern fits nothing.
    """
    entries = _entries(folder)
    if out is not None:
        own = (out.resolve(), out.parent.resolve() / out.name)  # a link, and where it leads to
        entries = [path for path in entries if not any(_is_for(place, folder.resolve() / path.name) for place in own)]
    photos: list[Path] = []
    others: list[Rejected] = []
    words: list[Path] = []
    ignored: list[tuple[str, str]] = []
    for path in entries:
        name = printable(path)
        if name.lower() in LEFT_BEHIND or name.startswith("."):
            ignored.append((name, "left by the operating system or another program"))
        elif (unusable := _no_file(path)) is not None:
            others.append(unusable)
        elif path.suffix.lower() in WORDS:
            words.append(path)
        elif path.suffix.lower() in SUFFIXES or _signed(path):
            photos.append(path)
        else:
            ending = spelled(path.suffix) or "(none)"
            reason = f"has the ending {ending} and does not begin like any picture format known here"
            others.append(Rejected(name, "no-picture", reason, "Export it as JPEG or PNG, if it is a picture."))
    chosen = _chosen(folder, photos, tuple(include), tuple(exclude))
    ignored += [
        (printable(path), "left out by photos.include or photos.exclude") for path in photos if path not in chosen
    ]
    return Listing(tuple(chosen), tuple(others), tuple(words), tuple(ignored))


def _no_file(path: Path) -> Rejected | None:
    """Why an entry is no file that could be opened; None for one that is."""
    name = printable(path)
    try:
        if path.is_dir():
            reason = "is a folder; photos are taken from one folder, not from those inside it"
            return Rejected(name, "folder", reason, f"Prepare {name} by itself, or move its photos up.")
        if not path.is_file():
            return Rejected(name, "no-file", "is not a regular file (a broken link, a device or a pipe)")
    except OSError as error:  # a link leads to where this user may not look
        return Rejected(name, "unreadable", f"cannot be read: {error.strerror}")
    return None


def _entries(folder: Path) -> list[Path]:
    if not folder.exists():
        raise PhotoError(f"The photo folder {folder} does not exist.", "Give the folder that holds the photos.")
    if not folder.is_dir():
        raise PhotoError(f"{folder} is a file, not a folder.", "Give the folder that holds the photos.")
    try:
        return sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise PhotoError(f"Cannot list {folder}: {error.strerror}.") from error


def _is_for(out: Path, path: Path) -> bool:
    """Whether ``path`` is the set that is written to ``out``, an unfinished one beside it, or a folder that holds
    nothing else."""
    if path.parent == out.parent:
        return path.name == out.name or (path.stem == out.name and path.suffix.startswith(TEMPORARY_MARK))
    return out.is_relative_to(path) and all(is_litter(inside) or _is_for(out, inside) for inside in path.iterdir())


def _signed(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(32)
    except OSError:
        return True  # reading it will say what is wrong
    return SIGNATURE.match(head) is not None


def _chosen(folder: Path, photos: list[Path], include: tuple[str, ...], exclude: tuple[str, ...]) -> list[Path]:
    for pattern in (*include, *exclude):
        if photos and not any(fits(printable(path), pattern) for path in photos):
            raise PhotoError(
                f"No photo in {folder} is called {pattern!r}, which photos.include or photos.exclude asks for.",
                f"The first photos there are {', '.join(printable(path) for path in photos[:5])}.",
            )
    return [
        path
        for path in photos
        if (not include or any(fits(printable(path), pattern) for pattern in include))
        and not any(fits(printable(path), pattern) for pattern in exclude)
    ]


def fits(name: str, pattern: str) -> bool:
    """A name in brackets, as copies often have, is meant as it stands where it is a name."""
    name, pattern = composed(name), composed(pattern)
    return name == pattern or fnmatchcase(name, pattern)


def pictures_in(folder: Path, setting: str) -> list[Path]:
    """The pictures of a folder that a plan names as ``setting``. Raises PhotoError when it holds none."""
    found = find_photos(folder)[0]
    if not found:
        raise PhotoError(
            f"{setting} is {folder}; it holds no pictures.", "Give a folder with pictures, or leave it out."
        )
    return found
