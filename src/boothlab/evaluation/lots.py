"""Everything that one evaluation looks at: pictures in lots that are judged together, and the photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boothlab.evaluation.orders import Drawn, Sets
from boothlab.evaluation.vectors import picture_hash
from boothlab.features.feature import Pictures
from boothlab.metrics.metric import Reference

BASE = "base"
DESCRIBED = "described"
PHOTOS = "photos"
"""The training photos, judged as if a model had drawn them: the level that two photos of one person reach."""
COPIES = "copies"
"""The training photos repeated to as many pictures as a model draws: shows which numbers reward copying."""


def spoken(name: str) -> str:
    """A snapshot as people call it: "step 120" for "step-000120"; other names as they are."""
    number = name.removeprefix("step-")
    return f"step {int(number)}" if number != name and number.isdecimal() else name


@dataclass(frozen=True, slots=True)
class Lot:
    """Pictures that are judged together. Prompts, seeds and texts are empty for photos."""

    source: str
    role: str
    pixels: tuple[NDArray[np.uint8], ...]
    hashes: tuple[str, ...]
    prompts: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True, slots=True)
class Photos:
    """The subject's photos by what they were used for; all of the plan's size."""

    train: Pictures
    held_out: Pictures


@dataclass(frozen=True, slots=True)
class Judged:
    """The lots of all sources, and the photos they are compared with."""

    lots: tuple[Lot, ...]
    references: Mapping[Reference, Lot]

    def lot(self, source: str, role: str) -> Lot | None:
        """One lot, if it was drawn."""
        return next((lot for lot in self.lots if (lot.source, lot.role) == (source, role)), None)

    def sources(self) -> tuple[str, ...]:
        """Names of who drew, in order, photos and copies last."""
        return tuple(dict.fromkeys(lot.source for lot in self.lots))


def judged(sources: Mapping[str, Sets], photos: Photos) -> Judged:
    """Reads all pictures. ``sources`` maps "base", "described" and the snapshots' names to what they drew."""
    lots = [_drawn(source, role, drawn) for source, sets in sources.items() for role, drawn in sets.items() if drawn]
    train = list(photos.train)
    if train:
        most = max((len(lot) for lot in lots), default=len(train))
        lots.append(_lot(PHOTOS, train))
        lots.append(_lot(COPIES, [train[index % len(train)] for index in range(max(most, len(train)))]))
    references: dict[Reference, Lot] = {
        "train": _lot("train", train),
        "held_out": _lot("held_out", photos.held_out),
        "originals": _lot("originals", [*train, *photos.held_out]),
    }
    return Judged(tuple(lots), references)


def _drawn(source: str, role: str, drawn: Sequence[Drawn]) -> Lot:
    pixels = tuple(one.picture.pixels() for one in drawn)
    return Lot(
        source=source,
        role=role,
        pixels=pixels,
        hashes=tuple(picture_hash(image) for image in pixels),
        prompts=tuple(one.picture.prompt for one in drawn),
        seeds=tuple(str(one.picture.seed) for one in drawn),
        texts=tuple(one.text for one in drawn),
    )


def _lot(source: str, pictures: Pictures) -> Lot:
    pixels = tuple(np.asarray(image) for image in pictures)
    return Lot(source, "photos", pixels, tuple(picture_hash(image) for image in pixels))
