"""From a folder of photos to a photo set: read, step by step, split, write."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from boothlab.errors import PhotoError
from boothlab.photos.config import FEWEST_HELD_OUT, HELD_OUT_FROM, Photos
from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.photoset import PhotoSet, write_set
from boothlab.photos.read import find_photos, read_photo
from boothlab.seeds import derive

Progress = Callable[[int, int], None]
"""Called with (done, of) after each photo."""


def prepare(folder: Path, out: Path, settings: Photos, size: int, progress: Progress | None = None) -> PhotoSet:
    """Prepare every photo in ``folder`` at ``size`` pixels and write the set to ``out``.

    Raises PhotoError when fewer than ``settings.minimum`` photos are usable, naming what became of each.
    """
    if out.resolve() == folder.resolve():
        raise PhotoError(f"{out} is the folder of the originals.", "Write the photo set to another folder.")
    paths, rejected = find_photos(folder)
    kept: list[Photo] = []
    for index, path in enumerate(paths):
        result = run_steps(read_photo(path, settings.orientation), settings, size)
        if isinstance(result, Rejected):
            rejected.append(result)
        else:
            kept.append(result)
        if progress is not None:
            progress(index + 1, len(paths))
    if len(kept) < settings.minimum:
        raise PhotoError(*_too_few(folder, kept, rejected, settings.minimum))
    return write_set(out, kept, rejected, choose_held_out(kept, settings))


def run_steps(photo: Photo | Rejected, settings: Photos, size: int) -> Photo | Rejected:
    """``photo`` after all steps, or the first reason to set it aside."""
    for step in settings.steps:
        if isinstance(photo, Rejected):
            break
        photo = step.apply(photo, size)
    return photo


def choose_held_out(photos: Sequence[Photo], settings: Photos) -> frozenset[str]:
    """Names of the photos that will not be trained on: a seeded draw that does not depend on file names.

    None below :data:`HELD_OUT_FROM` photos, else the asked share and at least :data:`FEWEST_HELD_OUT`.
    """
    if settings.held_out == 0.0 or len(photos) < HELD_OUT_FROM:
        return frozenset()
    count = max(FEWEST_HELD_OUT, round(settings.held_out * len(photos)))
    by_content = sorted(photos, key=lambda photo: (photo.source_hash, photo.name))
    chosen = random.Random(derive(settings.split_seed, "split")).sample(by_content, count)
    return frozenset(photo.name for photo in chosen)


def _too_few(folder: Path, kept: Sequence[Photo], rejected: Sequence[Rejected], minimum: int) -> tuple[str, str]:
    usable = "no usable photo" if not kept else f"{len(kept)} usable photo{'s' if len(kept) > 1 else ''}"
    lines = [f"{folder} has {usable}; at least {minimum} {'is' if minimum == 1 else 'are'} needed."]
    lines += [f"  - {item.name} {item.reason}" for item in rejected[:10]]
    if len(rejected) > 10:
        lines.append(f"  - and {len(rejected) - 10} more")
    hint = "Put photos (JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP, GIF) there"
    hint += "." if minimum == 1 else ", or lower photos.minimum (--set photos.minimum=1)."
    return "\n".join(lines), hint
