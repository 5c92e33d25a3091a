"""Scores of whole sets (Fréchet, kernels, Vendi, precision …) between runs, by swaps of pairs.

A and B drew the same prompts from the same noises. Were they alike, each pair could as well have been the other way
round: the pairs are swapped at random and both sets scored again, which is right whatever the bias of the score.
These scores describe and decide nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy import stats

from boothlab.files import sha256_json
from boothlab.progress import Progress, silent
from boothlab.seeds import derive
from boothlab.statistics.comparisons import LEVEL, POWER
from boothlab.statistics.permutations import Scored, Swap, paired_swap
from boothlab.statistics.variance import SEEDS_NEEDED
from boothlab.studies.compare import (
    Effect,
    adjusted_together,
    alike,
    axis_words,
    by_seeds,
    corrected,
    each_seed,
    measured,
)
from boothlab.studies.expand import shown
from boothlab.studies.neighbours import Neighbours, Pair, neighbours
from boothlab.studies.points import COLUMNS, FRECHET, KERNELS, SETS, Column, Point
from boothlab.studies.relations import RELATED, Look, Relations, relations

PERMUTATIONS = 4_999
"""Swaps at most: the smallest p is 0.0002, so that Holm's can be below 0.05 with 250 comparisons."""

SWAPPING = 3
"""Version of what is done to scores here: part of what kept comparisons are known by."""


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

    def add(self, tested: Mapping[str, Mapping[str, Swapped]]) -> None:
        """Keep these too, by the keys of their columns."""

    def relations(self, column: Column, pair: Pair) -> Relations | None:
        """What was kept of a pair's pictures for one score."""

    def keep_relations(self, column: Column, pair: Pair, found: Relations) -> None:
        """Keep these for comparisons of which other pairs are still missing."""


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
    every, words = neighbours(points), axis_words(points)
    columns = set_columns(points)
    # One feature after the other, so that its vectors are looked at together.
    for done, column in enumerate(columns, 1):
        tests = _comparable(column, every)
        over_seeds = [by_seeds(beside.subject, beside.axis, column, pairs) for beside, pairs in tests]
        others = [test for test, effect in zip(tests, over_seeds, strict=True) if effect is None]
        swapped, lasting = _all_tested(column, others, look, permutations, memory)
        if memory is not None:
            memory.keep(column, lasting)
        tested = iter(swapped)
        for (beside, _), known in zip(tests, over_seeds, strict=True):
            effect = known or _effect(column, beside, next(tested))
            if effect is not None:
                found.append(replace(effect, a=shown(beside.a), b=shown(beside.b), name=words[beside.axis]))
        progress("comparing pictures", done, len(columns))
    return adjusted_together(found, _corrected)


def compare_ahead(
    tests: Sequence[Neighbours],
    arrived: Collection[str],
    look: Look,
    memory: Memory,
    permutations: int = PERMUTATIONS,
) -> None:
    """Make what :func:`set_effects` will ask ``memory`` for, as far as it can be made once the runs that ``arrived``
    are there.

    ``tests`` are all neighbours that these have a part in; of those that are complete the comparison is made, of the
    others their pairs. Points without numbers are taken for runs that are still to come.
    """
    tests = [beside for beside in tests if len(each_seed(beside.pairs)) < SEEDS_NEEDED]
    there = [all(point.cells for pair in beside.pairs for point in pair) for beside in tests]
    complete = [beside for beside, whole in zip(tests, there, strict=True) if whole]
    begun = [beside for beside, whole in zip(tests, there, strict=True) if not whole]
    made: dict[str, dict[str, Swapped]] = {}
    for column in set_columns([point for beside in tests for pair in beside.pairs for point in pair]):
        pairs = [pair for _, own in _comparable(column, begun) for pair in own]
        _keep_relations(column, [pair for pair in pairs if any(p.run in arrived for p in pair)], look, memory)
        if ready := _comparable(column, complete):
            made[column.key] = _all_tested(column, ready, look, permutations, memory)[1]
    memory.add({key: tested for key, tested in made.items() if tested})


def _keep_relations(column: Column, pairs: Sequence[Pair], look: Look, memory: Memory) -> None:
    new = [pair for pair in pairs if memory.relations(column, pair) is None]
    for pair, found in zip(new, relations(column, new, look), strict=True):
        if found is not None:
            memory.keep_relations(column, pair, found)


Comparable = tuple[Neighbours, Sequence[Pair]]
"""Two values of an axis, and those of their pairs that can be compared by some score."""


def _comparable(column: Column, every: Sequence[Neighbours]) -> list[Comparable]:
    tests = [(beside, alike(measured(beside.pairs, column), column)) for beside in every]
    return [(beside, pairs) for beside, pairs in tests if pairs]


def _all_tested(
    column: Column, tests: Sequence[Comparable], look: Look, permutations: int, memory: Memory | None
) -> tuple[list[Swapped | None], dict[str, Swapped]]:
    """Every test's swaps, recalled or made, None where no pair can be scored; and what may be kept of them."""
    if memory is None:
        made = _scored(column, [pairs for _, pairs in tests], look, memory)
        return [
            _tested(column, beside, sets, permutations) for (beside, _), sets in zip(tests, made, strict=True)
        ], {}
    names = [_name(column, beside, pairs, permutations, memory) for beside, pairs in tests]
    known = memory.recall(column)
    new = [(name, *test) for name, test in zip(names, tests, strict=True) if name not in known]
    found: dict[str, Swapped | None] = {name: known[name] for name in names if name in known}
    passing = set()
    made = _scored(column, [pairs for *_, pairs in new], look, memory)
    for (name, beside, pairs), sets in zip(new, made, strict=True):
        found[name] = _tested(column, beside, sets, permutations)
        if len(sets) < len(pairs):  # a picture or weights may be missing today and be there tomorrow
            passing.add(name)
    lasting = {name: one for name, one in found.items() if one is not None and name not in passing}
    return [found[name] for name in names], lasting


def _name(column: Column, beside: Neighbours, pairs: Sequence[Pair], permutations: int, memory: Memory) -> str:
    """What the outcome of a test depends on, in one word."""
    of = [[memory.name(point) for point in pair] for pair in pairs]
    return sha256_json([SWAPPING, permutations, column.identity, beside.subject, beside.axis, of])[:32]


def _scored(column: Column, tests: Sequence[Sequence[Pair]], look: Look, memory: Memory | None) -> list[list[Scored]]:
    """The pairs of every test as pools of pictures, those left out that cannot be compared."""
    pairs = [pair for own in tests for pair in own]
    known = [None if memory is None else memory.relations(column, pair) for pair in pairs]
    new = iter(relations(column, [pair for pair, one in zip(pairs, known, strict=True) if one is None], look))
    found = iter([next(new) if one is None else one for one in known])
    return [[one.scored(column) for one in (next(found) for _ in own) if one is not None] for own in tests]


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


def _corrected(effect: Effect, adjusted: float, comparisons: int) -> Effect:
    """With Holm's p, and the SD that ``detectable`` holds so far turned into the difference that would be seen."""
    if effect.test == "swaps":
        spread = effect.detectable or 0.0
        # Swapped differences are sums over many pairs, so the normal law stands for their own.
        reach = float(stats.norm.isf(LEVEL / comparisons / 2) + stats.norm.ppf(POWER))
        return replace(effect, adjusted=adjusted, detectable=reach * spread)
    return corrected(effect, adjusted, comparisons)
