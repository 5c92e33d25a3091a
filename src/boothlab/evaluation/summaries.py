"""One line per metric, snapshot and kind of pictures: the mean and how far it can be trusted.

A run's lines are made once, when it is scored, and kept in ``summary.json``; the run's page, the study and the
command line print these and no others. (Torch-free.)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from boothlab.evaluation.lots import COPIES
from boothlab.evaluation.scores import Score
from boothlab.seeds import derive
from boothlab.statistics.intervals import (
    Interval,
    Shares,
    cluster_bootstrap,
    t_interval,
    two_way_interval,
    two_way_shares,
    wilson,
)

Cell = tuple[str, str, str, str]
"""(snapshot, pictures, metric, reference)."""

Kind = Literal["t", "prompts", "pairs", "Wilson", "none"]

KINDS: Mapping[Kind, str] = {
    "t": "Student's t over pictures",
    "prompts": "bootstrap over prompts, then over the pictures of each",
    "pairs": "two-way bootstrap over pictures and photos",
    "Wilson": "Wilson's for a share of pictures",
    "none": "no interval",
}
"""What an interval is, in words. Each asks what other pictures (and photos) would have given; none asks what another
training would have."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What a metric says of every pair of a picture and a photo, (n, m); rows of NaN for pictures without a value."""

    snapshot: str
    pictures: str
    metric: str
    reference: str
    matrix: NDArray[np.float64]

    @property
    def cell(self) -> Cell:
        """Where the values belong that are its row means."""
        return self.snapshot, self.pictures, self.metric, self.reference


@dataclass(frozen=True, slots=True)
class Summary:
    """The scores of one metric for one snapshot and role: ``mean`` over the ``n`` pictures that have a value.

    ``low`` and ``high`` are the 95 % interval, ``kind`` says which one (see ``KINDS``). None for a metric of the
    whole set, for fewer than two pictures, for pairs with a single photo, and for copied photos, which are no sample.
    ``mean`` is None when no picture has a value.
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


def summarise(
    scores: Sequence[Score], shares: Collection[str] = (), pairs: Sequence[Pairs] = (), seed: int = 0
) -> list[Summary]:
    """One line per (snapshot, role, metric, reference), in the order of first appearance.

    ``shares`` names the metrics whose values are 0 or 1: their means are shares of pictures. Where ``pairs`` holds
    the matrix whose row means the values are, photos are drawn again as well as pictures.
    """
    groups: dict[Cell, list[Score]] = {}
    for score in scores:
        groups.setdefault((score.snapshot, score.pictures, score.metric, score.reference), []).append(score)
    matrices = {found.cell: found.matrix for found in pairs}
    lines = []
    for cell, members in groups.items():
        values = np.array([score.value for score in members if not math.isnan(score.value)])
        whole = not members[0].prompt
        n = members[0].n if whole else len(values)
        mean = float(values.mean()) if len(values) else None
        found: Interval | None = None
        kind: Kind = "none"
        if len(values) and not whole and cell[0] != COPIES:
            found, kind = _interval(cell, members, values, cell[2] in shares, matrices.get(cell), seed)
        if found is None or found.low is None:
            lines.append(Summary(*cell, n, mean, None, None))
        else:
            lines.append(Summary(*cell, n, mean, found.low, found.high, kind))
    return lines


def _interval(
    cell: Cell,
    members: Sequence[Score],
    values: NDArray[np.float64],
    share: bool,
    matrix: NDArray[np.float64] | None,
    seed: int,
) -> tuple[Interval, Kind]:
    if share:
        return wilson(int(values.sum()), len(values)), "Wilson"
    if matrix is not None:
        return over_pairs(matrix, cell[3].split("/")[0], seed), "pairs"
    return over_pictures(members, seed)


def over_pictures(members: Sequence[Score], seed: int = 0) -> tuple[Interval, Kind]:
    """Mean over the pictures of one cell that have a value, photos taken as they are.

    Where several pictures share a prompt, they are not independent: prompts are drawn again, then their pictures.
    Raises ValueError when no picture has a value.
    """
    kept = [score for score in members if not math.isnan(score.value)]
    values, prompts = [score.value for score in kept], [score.prompt for score in kept]
    if len(values) > len(set(prompts)) > 1:
        random = np.random.default_rng(derive(seed, "statistics", kept[0].metric, kept[0].snapshot))
        return cluster_bootstrap(values, prompts, random), "prompts"
    return t_interval(values), "t"


def over_pairs(matrix: NDArray[np.float64], reference: str, seed: int = 0) -> Interval:
    """Mean over all (picture, photo) pairs (n, m); pictures and photos are drawn again.

    Equally many pictures and photos of one reference are drawn alike for every metric and snapshot, so that a number
    on two scales has one interval.
    """
    return two_way_interval(matrix, lambda n, m: _redrawn(n, m, reference, seed))


@lru_cache(maxsize=8)
def _redrawn(n: int, m: int, reference: str, seed: int) -> Shares:
    return two_way_shares(n, m, np.random.default_rng(derive(seed, "statistics", "likeness", reference)))
