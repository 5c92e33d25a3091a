"""How the pictures of two runs relate to each other and to the photos they are held against.

That is all that scores of whole sets need of them, and small, where the vectors behind it may be neither kept nor all
held at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boothlab.features.feature import Vectors
from boothlab.metrics import METRICS
from boothlab.metrics.distances import present
from boothlab.metrics.metric import SetMetric, Values
from boothlab.metrics.related import Related
from boothlab.statistics.permutations import Scored
from boothlab.studies.neighbours import Pair
from boothlab.studies.points import Column, Point
from boothlab.studies.visits import visits

HELD = 1_300_000_000
"""Bytes of vectors that are held at once: six sets of twenty pictures at 512 px to LPIPS."""

RELATED = {
    metric.name: (metric, metric.value)
    for metric in METRICS
    if isinstance(metric, SetMetric) and isinstance(metric.value, Related)
}
"""Name → the metric of sets, and its value as a function of relations between rows."""


@dataclass(frozen=True, slots=True)
class Looked:
    """The vectors (n, D) of a point's pictures in the order of the plan, and (m, D) of the photos they are scored by.

    ``plan`` names prompts and seeds, ``compared`` the photos: only points that agree in both can be compared.
    """

    rows: Vectors
    photos: Vectors
    plan: tuple[str, ...]
    compared: tuple[str, ...]


Look = Callable[[Point, Column], Looked | None]
"""Gives the vectors behind a number; None where they are not to be had."""


@dataclass(frozen=True, slots=True, eq=False)
class Relations:
    """``own`` (2n, 2n) among the pictures of the first point and then of the second, ``cross`` (2n, m) of these to
    the photos, ``among`` (m, m) of the photos; the n pairs are those in which both pictures show something.
    """

    own: Values
    cross: Values
    among: Values

    def scored(self, column: Column) -> Scored:
        """As the score of this column sees it."""
        value = RELATED[column.metric][1]
        return Scored(value.of_relations(self.own, self.cross, self.among), len(self.own) // 2)


def relations(column: Column, pairs: Sequence[Pair], look: Look) -> list[Relations | None]:
    """Those of every pair; None for pairs that cannot be compared.

    Vectors may be too large to be held for all points, and are dear to make: so each point's are asked for once or
    little more, whichever pair it is in.
    """
    points = list({id(point): point for pair in pairs for point in pair}.values())
    number = {id(point): index for index, point in enumerate(points)}
    photos: dict[tuple[str, ...], Values] = {}
    found: list[Relations | None] = [None] * len(pairs)
    for visit in visits(
        [(number[id(first)], number[id(second)]) for first, second in pairs],
        lambda index: _side(column, look(points[index], column), photos),
        lambda side: 0 if side is None else side.rows.nbytes,
        HELD,
    ):
        found[visit.number] = _related(column, visit.first, visit.second)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """What a point's pictures bring into every pair: ``rows`` (n, D) to relate to others, and all other relations.

    ``own`` (n, n) are those among them, ``cross`` (n, m) those to the photos, ``among`` (m, m) those of the photos.
    ``there`` tells pictures that show something; ``held_against`` is what two sides must agree in.
    """

    rows: Vectors
    own: Values
    cross: Values
    among: Values
    there: NDArray[np.bool_]
    held_against: tuple[tuple[str, ...], tuple[str, ...]]


def _side(column: Column, looked: Looked | None, known: dict[tuple[str, ...], Values]) -> _Side | None:
    """``known`` holds the relations among photos, by what they are."""
    if looked is None:
        return None
    value = RELATED[column.metric][1]
    photos = present(looked.photos)
    rows, photos = value.shifted(looked.rows, photos), value.shifted(photos, photos)
    if looked.compared not in known:
        known[looked.compared] = value.between(photos, photos)
    return _Side(
        rows,
        value.between(rows, rows),
        value.between(rows, photos),
        known[looked.compared],
        np.asarray(~np.isnan(rows).any(axis=1)),
        (looked.plan, looked.compared),
    )


def _related(column: Column, first: _Side | None, second: _Side | None) -> Relations | None:
    """Of both points; None where they differ in prompts, seeds or photos compared with.

    Pairs in which either picture shows nothing are left out; None where too few are left.
    """
    metric, value = RELATED[column.metric]
    if first is None or second is None or first.held_against != second.held_against:
        return None
    kept = first.there & second.there
    if kept.sum() < metric.minimum:
        return None
    between = value.between(first.rows, second.rows)
    own = np.block([[first.own, between], [between.T, second.own]])
    cross = np.concatenate([first.cross, second.cross])
    both = np.concatenate([kept, kept])
    return Relations(own[np.ix_(both, both)], cross[both], first.among)
