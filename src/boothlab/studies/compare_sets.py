"""Scores of whole sets (Fréchet, kernels, Vendi, precision …) between runs, by swaps of pairs.

A and B drew the same prompts from the same noises. Were they alike, each pair could as well have been the other way
round: the pairs are swapped at random and both sets scored again, which is right whatever the bias of the score.
These scores describe and decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from boothlab.features.feature import Vectors
from boothlab.files import sha256_json
from boothlab.metrics import METRICS
from boothlab.metrics.distances import present
from boothlab.metrics.metric import SetMetric, Values
from boothlab.metrics.related import Related
from boothlab.progress import Progress, silent
from boothlab.seeds import derive
from boothlab.statistics.comparisons import LEVEL, POWER, holm
from boothlab.statistics.permutations import Scored, Swap, paired_swap
from boothlab.studies.compare import Effect, Neighbours, Pair, alike, by_seeds, corrected, measured, neighbours
from boothlab.studies.expand import shown
from boothlab.studies.points import COLUMNS, FRECHET, KERNELS, SETS, Column, Point
from boothlab.studies.visits import visits

PERMUTATIONS = 4_999
"""Swaps at most: the smallest p is 0.0002, so that Holm's can be below 0.05 with 250 comparisons."""

SWAPPING = 2
"""Version of what is done to scores here: part of what kept comparisons are known by."""

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


def set_columns(points: Sequence[Point]) -> list[Column]:
    """Scores of whole sets that were measured; of the Fréchet and of the kernel distances the first that was."""
    there = {key for point in points for key in point.cells}
    chosen = [next((key for key in kind if key in there), "") for kind in (FRECHET, KERNELS)]
    return [
        column
        for column in (*COLUMNS, *SETS)
        if column.metric in RELATED
        and column.key in there
        and (column.key in chosen or column.key not in (*FRECHET, *KERNELS))
    ]


@dataclass(frozen=True, slots=True)
class Swapped:
    """One comparison by swaps: ``n`` pairs of pictures, of so many pairs of ``trainings``."""

    swap: Swap
    n: int
    trainings: int


class Memory(Protocol):
    """Comparisons that were made before: a large study's vectors and swaps take minutes, and mostly stay the same."""

    def name(self, point: Point) -> str:
        """What the point's pictures and the photos beside them are known by."""

    def recall(self, column: Column) -> Mapping[str, Swapped]:
        """What was kept of one score, by what it depends on."""

    def keep(self, column: Column, tested: Mapping[str, Swapped]) -> None:
        """Keep just these of one score."""


def set_effects(
    points: Sequence[Point],
    look: Look,
    permutations: int = PERMUTATIONS,
    memory: Memory | None = None,
    progress: Progress = silent,
) -> list[Effect]:
    """Every score of a set for all :func:`neighbours`; Holm over all of them.

    A family of its own: describing must not cost the numbers that decide their power. With three training seeds or
    more the seeds' differences are tested, as for any other number.
    """
    found: list[Effect] = []
    every = neighbours(points)
    columns = set_columns(points)
    for done, column in enumerate(
        columns, 1
    ):  # one feature after the other, so that its vectors are looked at together
        tests = [(beside, alike(measured(beside.pairs, column), column)) for beside in every]
        tests = [(beside, pairs) for beside, pairs in tests if pairs]
        over_seeds = [by_seeds(beside.subject, beside.axis, column, pairs) for beside, pairs in tests]
        others = [test for test, effect in zip(tests, over_seeds, strict=True) if effect is None]
        tested = iter(_all_tested(column, others, look, permutations, memory))
        for (beside, _), known in zip(tests, over_seeds, strict=True):
            effect = known or _effect(column, beside, next(tested))
            if effect is not None:
                found.append(replace(effect, a=shown(beside.a), b=shown(beside.b)))
        progress("comparing pictures", done, len(columns))
    adjusted = holm([effect.p for effect in found]) if found else []
    return [_corrected(effect, p, len(found)) for effect, p in zip(found, adjusted, strict=True)]


Comparable = tuple[Neighbours, Sequence[Pair]]
"""Two values of an axis, and those of their pairs that can be compared by some score."""


def _all_tested(
    column: Column, tests: Sequence[Comparable], look: Look, permutations: int, memory: Memory | None
) -> list[Swapped | None]:
    """Every test's swaps, recalled or made; None where no pair can be scored."""
    if memory is None:
        made = _scored(column, [pairs for _, pairs in tests], look)
        return [_tested(column, beside, sets, permutations) for (beside, _), sets in zip(tests, made, strict=True)]
    names = [_name(column, beside, pairs, permutations, memory) for beside, pairs in tests]
    known = memory.recall(column)
    new = [(name, *test) for name, test in zip(names, tests, strict=True) if name not in known]
    found: dict[str, Swapped | None] = {name: known[name] for name in names if name in known}
    passing = set()
    for (name, beside, pairs), sets in zip(new, _scored(column, [pairs for *_, pairs in new], look), strict=True):
        found[name] = _tested(column, beside, sets, permutations)
        if len(sets) < len(pairs):  # a picture or weights may be missing today and be there tomorrow
            passing.add(name)
    memory.keep(column, {name: one for name, one in found.items() if one is not None and name not in passing})
    return [found[name] for name in names]


def _name(column: Column, beside: Neighbours, pairs: Sequence[Pair], permutations: int, memory: Memory) -> str:
    """What the outcome of a test depends on, in one word."""
    of = [[memory.name(point) for point in pair] for pair in pairs]
    score = [column.key, column.metric, column.pictures, column.reference]
    return sha256_json([SWAPPING, permutations, score, beside.subject, beside.axis, of])[:32]


def _tested(column: Column, beside: Neighbours, sets: Sequence[Scored], permutations: int) -> Swapped | None:
    if not sets:
        return None
    random = np.random.default_rng(derive(0, "statistics", "swaps", beside.subject, beside.axis, column.key))
    return Swapped(paired_swap(sets, random, permutations), sum(scored.n for scored in sets), len(sets))


def _effect(column: Column, beside: Neighbours, tested: Swapped | None) -> Effect | None:
    """The effect by swaps, before Holm."""
    if tested is None:
        return None
    return Effect(
        subject=beside.subject,
        axis=beside.axis,
        column=column,
        a="",
        b="",
        about="checkpoints",
        n=tested.n,
        trainings=tested.trainings,
        difference=tested.swap.difference,
        low=None,
        high=None,
        p=tested.swap.p,
        adjusted=1.0,
        detectable=tested.swap.spread,
        test="swaps",
        smallest=tested.swap.smallest_p,
    )


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


def _scored(column: Column, tests: Sequence[Sequence[Pair]], look: Look) -> list[list[Scored]]:
    """The pairs of every test as pools of pictures, those left out that cannot be compared.

    Vectors may be too large to be held for all points, and are dear to make: so each point's are asked for once or
    little more, whichever test it is in, and what is kept of a pair is how its pictures relate.
    """
    pairs = [pair for own in tests for pair in own]
    points = list({id(point): point for pair in pairs for point in pair}.values())
    number = {id(point): index for index, point in enumerate(points)}
    photos: dict[tuple[str, ...], Values] = {}
    found: dict[int, Scored | None] = {}
    for visit in visits(
        [(number[id(first)], number[id(second)]) for first, second in pairs],
        lambda index: _side(column, look(points[index], column), photos),
        lambda side: 0 if side is None else side.rows.nbytes,
        HELD,
    ):
        found[visit.number] = _pooled(column, visit.first, visit.second)
    numbers = iter(range(len(pairs)))
    return [[one for one in (found[next(numbers)] for _ in own) if one is not None] for own in tests]


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


def _pooled(column: Column, first: _Side | None, second: _Side | None) -> Scored | None:
    """The pictures of both points as one pool; None where they differ in prompts, seeds or photos compared with.

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
    return Scored(value.of_relations(own[np.ix_(both, both)], cross[both], first.among), int(kept.sum()))


def _corrected(effect: Effect, adjusted: float, comparisons: int) -> Effect:
    """With Holm's p; and the SD that ``detectable`` holds so far turned into the difference that would be seen."""
    if effect.test == "swaps":
        spread = effect.detectable or 0.0
        # Swapped differences are sums over many pairs, so the normal law stands for their own.
        reach = float(stats.norm.isf(LEVEL / comparisons / 2) + stats.norm.ppf(POWER))
        smallest = min(1.0, (effect.smallest or 0.0) * comparisons)
        return replace(effect, adjusted=adjusted, detectable=reach * spread, smallest=smallest)
    return corrected(effect, adjusted, comparisons)
