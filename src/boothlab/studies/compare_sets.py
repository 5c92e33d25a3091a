"""Scores of whole sets (Fréchet, kernels, Vendi, precision …) between runs, by swaps of pairs.

A and B drew the same prompts from the same noises. Were they alike, each pair could as well have been the other way
round: the pairs are swapped at random and both sets scored again, which is right whatever the bias of the score.
These scores describe and decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from boothlab.features.feature import Vectors
from boothlab.metrics import METRICS
from boothlab.metrics.metric import SetMetric
from boothlab.metrics.related import Related
from boothlab.seeds import derive
from boothlab.statistics.comparisons import LEVEL, POWER, holm
from boothlab.statistics.permutations import Scored, paired_swap
from boothlab.studies.compare import Effect, Neighbours, Pair, alike, by_seeds, corrected, measured, neighbours
from boothlab.studies.expand import shown
from boothlab.studies.points import COLUMNS, FRECHET, KERNELS, SETS, Column, Point

PERMUTATIONS = 4_999
"""Swaps at most: the smallest p is 0.0002, so that Holm's can be below 0.05 with 250 comparisons."""

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


def set_effects(points: Sequence[Point], look: Look, permutations: int = PERMUTATIONS) -> list[Effect]:
    """Every score of a set for all :func:`neighbours`; Holm over all of them.

    A family of its own: describing must not cost the numbers that decide their power. With three training seeds or
    more the seeds' differences are tested, as for any other number.
    """
    columns = set_columns(points)
    found: list[Effect] = []
    for column in columns:  # one feature after the other, so that its vectors are looked at together
        for beside in neighbours(points):
            effect = _effect(column, beside, look, permutations)
            if effect is not None:
                found.append(replace(effect, a=shown(beside.a), b=shown(beside.b)))
    adjusted = holm([effect.p for effect in found]) if found else []
    return [_corrected(effect, p, len(found)) for effect, p in zip(found, adjusted, strict=True)]


def _effect(column: Column, beside: Neighbours, look: Look, permutations: int) -> Effect | None:
    """The effect before Holm; None where it was not measured on both sides, or on pictures that are no pairs."""
    pairs = alike(measured(beside.pairs, column), column)
    if not pairs:
        return None
    over_seeds = by_seeds(beside.subject, beside.axis, column, pairs)
    if over_seeds is not None:
        return over_seeds
    sets = [scored for pair in pairs if (scored := _scored(column, pair, look)) is not None]
    if not sets:
        return None
    random = np.random.default_rng(derive(0, "statistics", "swaps", beside.subject, beside.axis, column.key))
    seen = paired_swap(sets, random, permutations)
    return Effect(
        subject=beside.subject,
        axis=beside.axis,
        column=column,
        a="",
        b="",
        about="checkpoints",
        n=sum(scored.n for scored in sets),
        trainings=len(sets),
        difference=seen.difference,
        low=None,
        high=None,
        p=seen.p,
        adjusted=1.0,
        detectable=seen.spread,
        test="swaps",
        smallest=seen.smallest_p,
    )


def _scored(column: Column, pair: Pair, look: Look) -> Scored | None:
    """The pictures of both points as one pool; None where they differ in prompts, seeds or photos compared with.

    Pairs in which either picture shows nothing are left out; None where too few are left.
    """
    metric, value = RELATED[column.metric]
    first, second = (look(point, column) for point in pair)
    if first is None or second is None or (first.plan, first.compared) != (second.plan, second.compared):
        return None
    kept = ~(np.isnan(first.rows).any(axis=1) | np.isnan(second.rows).any(axis=1))
    if kept.sum() < metric.minimum:
        return None
    pool = np.concatenate([first.rows[kept], second.rows[kept]])
    return Scored(value.of_pool(pool, first.photos), int(kept.sum()))


def _corrected(effect: Effect, adjusted: float, comparisons: int) -> Effect:
    """With Holm's p; and the SD that ``detectable`` holds so far turned into the difference that would be seen."""
    if effect.test == "swaps":
        spread = effect.detectable or 0.0
        # Swapped differences are sums over many pairs, so the normal law stands for their own.
        reach = float(stats.norm.isf(LEVEL / comparisons / 2) + stats.norm.ppf(POWER))
        smallest = min(1.0, (effect.smallest or 0.0) * comparisons)
        return replace(effect, adjusted=adjusted, detectable=reach * spread, smallest=smallest)
    return corrected(effect, adjusted, comparisons)
