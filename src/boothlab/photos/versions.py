"""Which photos of several folders are versions of one another: the same picture, prepared by hand in another way.

Held-out photos must be unseen as pictures, not as files: whoever trains on the copy with a border has seen the
original. So three signs are followed, from the surest to the weakest: equal files, pictures that the photo doctor
would call duplicates, and equal names, which are all that is left of a crop or a wide border. Photos of a burst are
one picture within a folder too: the doctor may keep one of them here and another one there, two that may be alike in
nothing. Names say something only between folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boothlab.photos.folder import SUFFIXES, composed
from boothlab.photos.measures import alikenesses


@dataclass(frozen=True, slots=True)
class Filed:
    """A photo in one of the folders: the SHA-256 of its file, and what was seen in it, if anybody could look."""

    path: Path
    digest: str
    seen: Mapping[str, Any]

    @property
    def stem(self) -> str:
        """The name without the ending of a picture: an export may change that, the case of letters, and how accents
        are written."""
        return composed(self.path.stem if self.path.suffix.lower() in SUFFIXES else self.path.name).casefold()


@dataclass(frozen=True, slots=True)
class Versions:
    """Photos that are one picture, in the order they came. ``by_name``: without their names they would be several."""

    members: tuple[Filed, ...]
    by_name: bool

    @property
    def digests(self) -> frozenset[str]:
        """The hashes of all of them."""
        return frozenset(one.digest for one in self.members)


def versions(files: Sequence[Filed], limit: float) -> list[Versions]:
    """``files`` in groups, in their order. Alike are pictures that correlate by ``limit``."""
    by_picture = _joined(range(len(files)), [*_equal(files), *_alike(files, limit)])
    whole = _joined(by_picture, _of_one_name(files))
    groups: dict[int, list[int]] = {}
    for index, group in enumerate(whole):
        groups.setdefault(group, []).append(index)
    return [
        Versions(tuple(files[k] for k in group), len({by_picture[k] for k in group}) > 1) for group in groups.values()
    ]


def _joined(groups: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """The group of each photo once the two of every pair are in one; a group goes by its lowest number."""
    found = list(groups)
    for a, b in pairs:
        low, high = sorted((found[a], found[b]))
        if low != high:
            found = [low if group == high else group for group in found]
    return found


def _equal(files: Sequence[Filed]) -> Iterator[tuple[int, int]]:
    first: dict[str, int] = {}
    for index, one in enumerate(files):
        yield first.setdefault(one.digest, index), index


def _of_one_name(files: Sequence[Filed]) -> list[tuple[int, int]]:
    by_stem: dict[str, list[int]] = {}
    for index, one in enumerate(files):
        by_stem.setdefault(one.stem, []).append(index)
    return [
        (a, b)
        for group in by_stem.values()
        for a, b in combinations(group, 2)
        if files[a].path.parent != files[b].path.parent
    ]


def _alike(files: Sequence[Filed], limit: float) -> Iterator[tuple[int, int]]:
    folders: dict[Path, list[int]] = {}
    for index, one in enumerate(files):
        folders.setdefault(one.path.parent, []).append(index)
    for first, second in combinations_with_replacement(folders.values(), 2):
        alike = _likenesses([files[k] for k in first], [files[k] for k in second]) >= limit
        yield from ((first[i], second[j]) for i, j in np.argwhere(alike))


def _likenesses(first: Sequence[Filed], second: Sequence[Filed]) -> NDArray[np.float64]:
    """(n, m) of :func:`boothlab.photos.screening.likeness`; below every correlation where nobody could look."""
    found = np.full((len(first), len(second)), -np.inf)
    for part in (_whole, _head):
        rows, columns = (
            {k: patch for k, one in enumerate(side) if (patch := part(one.seen)) is not None}
            for side in (first, second)
        )
        if rows and columns:
            place = np.ix_(list(rows), list(columns))
            found[place] = np.maximum(found[place], alikenesses([*rows.values()], [*columns.values()]))
    return found


def _whole(seen: Mapping[str, Any]) -> str | None:
    return seen.get("patch")


def _head(seen: Mapping[str, Any]) -> str | None:
    index = seen.get("subject")
    return None if index is None else seen["faces"][index]["patch"]
