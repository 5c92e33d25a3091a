"""One line per metric, snapshot and kind of pictures: the mean and how far it can be trusted.

A run's lines are made once, when it is scored, and kept in ``summary.json``; the run's page, the study and the
command line print these and no others. (Torch-free.)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from boothlab.evaluation.lots import COPIES
from boothlab.evaluation.scores import Score
from boothlab.statistics.intervals import (
    UNBOUNDED,
    Interval,
    cluster_interval,
    clusters_of,
    two_way_interval,
    wilson,
    within,
)

Cell = tuple[str, str, str, str]
"""(snapshot, pictures, metric, reference)."""

Kind = Literal["t", "prompts", "pairs", "Wilson", "none"]

KINDS: Mapping[Kind, str] = {
    "t": "Student's t over pictures",
    "prompts": "Student's t over prompts, whose pictures count together",
    "pairs": "two-way bootstrap over prompts (over pictures where all are of one prompt) and photos",
    "Wilson": "Wilson's for a share of pictures",
    "none": "no interval",
}
"""What an interval is, in words. Each asks what other pictures (and prompts, and photos) would have given; none asks
what another training would have."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What a metric says of every pair of a picture and a photo, (n, m); rows of NaN for pictures without a value.

    ``limits`` are the least and the most that a value can be, where that is not the metric's but the subject's.
    """

    snapshot: str
    pictures: str
    metric: str
    reference: str
    matrix: NDArray[np.float64]
    limits: tuple[float, float] | None = None

    @property
    def cell(self) -> Cell:
        """Where the values belong that are its row means."""
        return self.snapshot, self.pictures, self.metric, self.reference


@dataclass(frozen=True, slots=True)
class Summary:
    """The scores of one metric for one snapshot and role: ``mean`` over the ``n`` pictures that have a value.

    ``low`` and ``high`` are the 95 % interval, ``kind`` says which one (see ``KINDS``), ``error`` the standard error
    where it is mean ± t · error. None for a metric of the whole set, for fewer than two pictures, for pairs with a
    single photo, and for copied photos, which are no sample. ``mean`` is None when no picture has a value.
    """

    snapshot: str
    pictures: str
    metric: str
    reference: str
    n: int
    mean: float | None
    low: float | None
    high: float | None
    kind: Kind = "none"
    error: float | None = None


def summarise(
    scores: Sequence[Score],
    shares: Collection[str] = (),
    pairs: Sequence[Pairs] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> list[Summary]:
    """One line per (snapshot, role, metric, reference), in the order of first appearance.

    ``shares`` names the metrics whose values are 0 or 1: their means are shares of pictures. Where ``pairs`` holds
    the matrix whose row means the values are, the interval is over photos as well as prompts. ``bounds`` says of a
    metric between which numbers its values lie; no interval goes beyond.
    """
    groups: dict[Cell, list[Score]] = {}
    for score in scores:
        groups.setdefault((score.snapshot, score.pictures, score.metric, score.reference), []).append(score)
    known = {found.cell: found for found in pairs}
    lines = []
    for cell, members in groups.items():
        values = np.array([score.value for score in members if not math.isnan(score.value)])
        whole = not members[0].prompt
        n = members[0].n if whole else len(values)
        mean = float(values.mean()) if len(values) else None
        found: Interval | None = None
        kind: Kind = "none"
        own = known.get(cell)
        if len(values) and not whole and cell[0] != COPIES:
            found, kind = _interval(members, values, cell[2] in shares, None if own is None else own.matrix)
        limits = None if own is None else own.limits
        found = found and within(found, limits or (bounds or {}).get(cell[2], UNBOUNDED))
        if found is None or found.low is None:
            lines.append(Summary(*cell, n, mean, None, None))
        else:
            lines.append(Summary(*cell, n, mean, found.low, found.high, kind, found.error))
    return lines


def _interval(
    members: Sequence[Score], values: NDArray[np.float64], share: bool, matrix: NDArray[np.float64] | None
) -> tuple[Interval, Kind]:
    if share:
        return wilson(int(values.sum()), len(values)), "Wilson"
    if matrix is not None:
        return over_pairs(matrix, members), "pairs"
    return over_pictures(members)


def over_pictures(members: Sequence[Score]) -> tuple[Interval, Kind]:
    """Mean over the pictures of one cell that have a value, photos taken as they are.

    Where several pictures share a prompt, they are not independent: prompts are. Raises ValueError when no picture
    has a value.
    """
    kept = [score for score in members if not math.isnan(score.value)]
    clusters = clusters_of([score.prompt for score in kept], len(kept))
    found = cluster_interval([score.value for score in kept], clusters)
    return found, "prompts" if found.n < len(kept) else "t"


def over_pairs(matrix: NDArray[np.float64], members: Sequence[Score]) -> Interval:
    """Mean over all (picture, photo) pairs (n, m), of the pictures that ``members`` (n) are the scores of, in order.

    A number on two scales has one interval, because nothing is drawn.
    """
    return two_way_interval(matrix, [score.prompt for score in members])
