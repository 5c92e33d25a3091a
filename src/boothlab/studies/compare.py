"""What the settings of a study do: main effects along each axis, with tests that say what they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from boothlab.seeds import derive
from boothlab.statistics.comparisons import LEVEL, compare_paired, differences, holm, least_holm, minimum_detectable
from boothlab.statistics.digits import plain, signed
from boothlab.statistics.intervals import settled, t_interval
from boothlab.statistics.variance import SEEDS_NEEDED, Components, components
from boothlab.studies.expand import axis_name, axis_names, shown
from boothlab.studies.points import COLUMNS, PEOPLE, Column, Point

Test = Literal["t", "sign flips", "swaps"]
"""Student's t over training seeds; sign flips of prompts' differences; swaps of pictures between sets."""


@dataclass(frozen=True, slots=True)
class Effect:
    """``b`` against ``a`` on one axis, everything else equal; differences are b − a in the unit of the column.

    ``about`` is "settings" where at least three training seeds stand on both sides: then ``n`` counts seeds, and p is
    that of a paired t test of the seeds' mean differences. Else it is "checkpoints": ``n`` counts pairs of pictures,
    ``units`` their prompts where these have several, and nothing is said about another training; p is by sign flips
    of units, for scores of whole sets by swaps of pairs, and these have no interval. ``adjusted`` is Holm's p over
    all effects of the study that are tested together: likeness and prompt following, which decide, are one family,
    all scores of sets another. ``detectable`` is the smallest difference that would have been seen with 80 % power,
    ``smallest`` the least that ``adjusted`` could have been beside the other p (before Holm: that ``p`` could have
    been). ``name`` is the axis in words.
    """

    subject: str
    axis: str
    column: Column
    a: str
    b: str
    about: str
    n: int
    trainings: int
    difference: float
    low: float | None
    high: float | None
    p: float
    adjusted: float
    detectable: float | None
    test: Test = "t"
    smallest: float | None = None
    units: int = 0
    name: str = ""

    @property
    def shown(self) -> bool:
        """Whether the difference is more than chance, after Holm."""
        return self.adjusted <= LEVEL

    @property
    def finding(self) -> str:
        """:attr:`sentence` in a few words, to stand beside the difference and its interval."""
        if self.n < 2:
            return "one pair can show nothing"
        if self.smallest is not None and self.smallest > LEVEL:
            return "not testable"
        p = f"p = {self.adjusted:.2g}"
        if self.shown:
            return f"{self.column.word(self.difference)}, {p}"
        return f"none found, {p}" + (f"; seen if ≥ {self.detectable:.2g}" if self.detectable else "")

    @property
    def sentence(self) -> str:
        """What may be said; never that two are equal."""
        what = f"{self.column.title}: {self.name or axis_name(self.axis)} {self.b} against {self.a}"
        if self.n < 2:
            return f"{what}: {signed(self.difference)}; one pair can show nothing."
        limits = "" if self.low is None or self.high is None else f"95 % CI {plain(self.low)} to {plain(self.high)}, "
        numbers = f"{signed(self.difference)}, {limits}Holm p = {self.adjusted:.2g}"
        if self.smallest is not None and self.smallest > LEVEL:
            return f"{what}: not testable ({numbers}, which could not have been below {self.smallest:.2g})."
        if not self.shown:
            least = "" if not self.detectable else f"; only ≥ {self.detectable:.2g} could have been seen"
            return f"{what}: no difference found ({numbers}){least}."
        about = "" if self.about == "settings" else " These runs only: fewer than 3 training seeds."
        return f"{what}: {self.column.word(self.difference)} ({numbers}).{about}"


def axis_words(points: Sequence[Point]) -> dict[str, str]:
    """Every axis on which these points lie in words that no other axis of theirs has."""
    paths = list(dict.fromkeys(path for point in points for path in point.values))
    return dict(zip(paths, axis_names(paths), strict=True))


Pair = tuple[Point, Point]
"""Two points that differ in one setting and nowhere else."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Two values of an axis that are compared, and the points of one subject that differ in these alone."""

    subject: str
    axis: str
    a: Any
    b: Any
    pairs: tuple[Pair, ...]


def neighbours(points: Sequence[Point]) -> list[Neighbours]:
    """The pairs of values that are compared on every axis, by subject: numbers with the next larger one that was
    tried otherwise equal; values that have no order each with the first such, as with a control (in the plan's
    order).
    """
    found = []
    for subject, own in _candidates(points):
        for axis in dict.fromkeys(path for point in own for path in point.values):
            values = _values(own, axis)
            numbers = _are_numbers(values)
            at = [(value, _at(own, axis, value)) for value in (sorted(values) if numbers else values)]
            beside = _ascending(at) if numbers else _controlled(at)
            found += [Neighbours(subject, axis, a, b, tuple(pairs)) for a, b, pairs in beside]
    return found


TREND_VALUES = 3
"""An axis of fewer numbers has no trend beside the difference of its two."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """An axis of at least ``TREND_VALUES`` numbers. Of one subject: for every seed and every other setting that was
    tried at all of them, the points in the order of the ``values``."""

    subject: str
    axis: str
    values: tuple[Any, ...]
    rows: tuple[tuple[Point, ...], ...]


def ladders(points: Sequence[Point]) -> list[Ladder]:
    """Every axis of numbers along which a trend can be looked for, by subject; as for :func:`neighbours`."""
    found = []
    for subject, own in _candidates(points):
        for axis in dict.fromkeys(path for point in own for path in point.values):
            values = _values(own, axis)
            if len(values) < TREND_VALUES or not _are_numbers(values):
                continue
            at = [_at(own, axis, value) for value in sorted(values)]
            rows = [tuple(one[place][-1] for one in at) for place in at[0] if all(place in one for one in at)]
            if rows:
                found.append(Ladder(subject, axis, tuple(sorted(values)), tuple(rows)))
    return found


def _candidates(points: Sequence[Point]) -> Iterator[tuple[str, list[Point]]]:
    """Subject by subject its finished points; no rivals, which stand on no axis but where they happen to be."""
    for subject in dict.fromkeys(point.subject for point in points):
        yield (
            subject,
            [point for point in points if point.subject == subject and point.state == "done" and not point.rival],
        )


Places = Mapping[tuple[str, int], Sequence[Point]]
"""Points with one value on an axis, by what they have on all others and their training seed: mostly one each, more
where runs are equal."""


def _ascending(at: Sequence[tuple[Any, Places]]) -> Iterator[tuple[Any, Any, list[Pair]]]:
    """Each number with the next larger one, by what else is set: where 6 and 20 steps were tried and nothing between,
    they are neighbours, whatever other settings were tried at 12."""
    tried: dict[str, list[int]] = {}
    for index, (_, own) in enumerate(at):
        for others in dict.fromkeys(others for others, _ in own):
            tried.setdefault(others, []).append(index)
    beside: dict[tuple[int, int], set[str]] = {}
    for others, own_indices in tried.items():
        for pair in pairwise(own_indices):
            beside.setdefault(pair, set()).add(others)
    for (a, b), where in sorted(beside.items(), key=lambda item: item[0]):
        first = {place: points for place, points in at[a][1].items() if place[0] in where}
        yield at[a][0], at[b][0], _pairs(first, at[b][1])


def _controlled(at: Sequence[tuple[Any, Places]]) -> Iterator[tuple[Any, Any, list[Pair]]]:
    """Each value but the first after the earliest one with which some points differ in nothing else."""
    for index, (value, own) in enumerate(at):
        control = next((before for before in at[:index] if not own.keys().isdisjoint(before[1])), None)
        if control is not None:
            yield control[0], value, _pairs(control[1], own)


def effects(points: Sequence[Point]) -> list[Effect]:
    """The two deciding columns for all :func:`neighbours`, Holm over all of them."""
    found: list[Effect] = []
    words = axis_words(points)
    for beside in neighbours(points):
        for column in (column for column in COLUMNS if column.decides):
            effect = effect_of(beside.subject, beside.axis, column, beside.pairs)
            if effect is not None:
                found.append(replace(effect, a=shown(beside.a), b=shown(beside.b), name=words[beside.axis]))
    return adjusted_together(found, corrected)


def adjusted_together(found: Sequence[Effect], correct: Callable[[Effect, float, int], Effect]) -> list[Effect]:
    """Effects that are tested together, each with Holm's p and the least that it could have been."""
    p, least = [effect.p for effect in found], [effect.smallest for effect in found]
    return [
        replace(correct(effect, adjusted, len(found)), smallest=smallest)
        for effect, adjusted, smallest in zip(found, holm(p), least_holm(p, least), strict=True)
    ]


def _values(points: Sequence[Point], axis: str) -> list[Any]:
    """The values on an axis, as they come; None is no value."""
    values: list[Any] = []
    for point in points:
        if point.values.get(axis) is not None and point.values[axis] not in values:
            values.append(point.values[axis])
    return values


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def differing(points: Sequence[Point], axis: str, a: Any, b: Any) -> list[Pair]:
    """Points of one subject that differ on this axis and nowhere else, seed by seed."""
    return _pairs(_at(points, axis, a), _at(points, axis, b))


def _pairs(first: Places, second: Places) -> list[Pair]:
    """The pairs, each training's pictures once: runs of equal settings are one training, and say nothing twice."""
    found: dict[tuple[str, ...], Pair] = {}
    for place, points in first.items():
        for pair in [(point, second[place][0]) for point in points if place in second]:
            found.setdefault(tuple(part for p in pair for part in (p.folder, p.snapshot, p.subject)), pair)
    return list(found.values())


def _at(points: Sequence[Point], axis: str, value: Any) -> Places:
    """The points with this value on the axis."""
    found: dict[tuple[str, int], list[Point]] = {}
    for point in (point for point in points if axis in point.values and point.values[axis] == value):
        others = sorted((path, repr(other)) for path, other in point.values.items() if path != axis)
        found.setdefault((f"{point.subject} {others}", point.seed), []).append(point)
    return found


def effect_of(subject: str, axis: str, column: Column, pairs: Sequence[Pair]) -> Effect | None:
    """The effect before Holm; None where the column was not measured on both sides, to the same held-out photos."""
    pairs = same_people(measured(pairs, column), column)
    if not pairs:
        return None
    over_seeds = by_seeds(subject, axis, column, pairs)
    if over_seeds is not None:
        return over_seeds
    first, second = (np.concatenate([side[column.key] for side in sides]) for sides in _pictures(pairs))
    if len(first) != len(second) or not np.isfinite(second - first).any():
        return None
    random = np.random.default_rng(derive(0, "statistics", subject, axis, column.key))
    seen = compare_paired(first, second, random, prompts=units(pairs, column.key))
    return Effect(
        subject, axis, column, "", "", "checkpoints", seen.n, len(pairs), seen.difference, seen.low, seen.high,
        seen.p, 1.0, None if seen.detectable is None else seen.detectable / minimum_detectable(seen.units),
        "sign flips", seen.smallest_p, seen.units,
    )  # fmt: skip


def units(pairs: Sequence[Pair], key: str) -> list[int]:
    """What the pictures of all pairs, one pair after the other, are units of: their prompts.

    Where all are of one prompt, their initial noises: snapshots of one training draw nearly the same from one noise,
    so that several pairs do not say more about other noises than one does.
    """
    named = [number for a, _ in pairs for number in a.prompts.get(key, ())]
    if len(set(named)) > 1:
        return named
    return [row for a, _ in pairs for row in range(len(a.pictures[key]))]


def measured(pairs: Sequence[Pair], column: Column) -> list[Pair]:
    """Those with a number of this column on both sides."""
    return [(a, b) for a, b in pairs if column.key in a.cells and column.key in b.cells]


def same_people(pairs: Sequence[Pair], column: Column) -> list[Pair]:
    """Of what is measured to held-out photos, those pairs whose held-out photos are the same files: other photos of a
    person are more or less easily met, which is no difference between runs."""
    if column.reference != "held_out":
        return list(pairs)
    return [(a, b) for a, b in pairs if a.against.get(PEOPLE) == b.against.get(PEOPLE)]


def alike(pairs: Sequence[Pair], column: Column) -> list[Pair]:
    """Those whose pictures were held against the same photos: a distance to others is another number."""
    return [(a, b) for a, b in pairs if a.against.get(column.reference) == b.against.get(column.reference)]


def by_seeds(subject: str, axis: str, column: Column, pairs: Sequence[Pair]) -> Effect | None:
    """The effect over training seeds, before Holm and with the SD of the seeds' differences as ``detectable``.

    None with fewer than ``SEEDS_NEEDED``.
    """
    by_seed: dict[int, list[Pair]] = {}
    for pair in pairs:
        by_seed.setdefault(pair[0].seed, []).append(pair)
    if len(by_seed) < SEEDS_NEEDED:
        return None
    each = np.array([mean_difference(own, column) for own in by_seed.values()])
    mean = t_interval(each)
    return Effect(
        subject, axis, column, "", "", "settings", len(each), len(pairs), mean.value, mean.low, mean.high,
        paired_t(each), 1.0, _spread(each), units=len(each),
    )  # fmt: skip


def mean_difference(pairs: Sequence[Pair], column: Column) -> float:
    """Mean of second − first over pairs that were measured."""
    first, second = ([point.cells[column.key].value for point in side] for side in zip(*pairs, strict=True))
    found = differences(first, second)
    return float(settled(found.mean(), found))


def _pictures(
    pairs: Sequence[Pair],
) -> tuple[list[Mapping[str, NDArray[np.float64]]], list[Mapping[str, NDArray[np.float64]]]]:
    return [a.pictures for a, _ in pairs], [b.pictures for _, b in pairs]


SAME_TO = 1e-12
"""Standard errors below so much of the mean are rounding."""


def paired_t(differences: NDArray[np.float64]) -> float:
    """Two-sided p of the mean of differences (n,), n ≥ 2, by Student's t.

    Sign flips of three seeds cannot go below 0.25, so the t test stands in their place, and with it the assumption
    that differences between trainings are about normal. Where they are the very same that cannot be so (shares of
    twenty pictures can only differ by steps of 0.05), and p is that of sign flips. Source: Student 1908.
    """
    error = float(differences.std(ddof=1)) / np.sqrt(len(differences))
    mean = float(differences.mean())
    if error <= SAME_TO * abs(mean):
        return 1.0 if mean == 0.0 else 2.0 ** (1 - len(differences))
    return float(2 * stats.t.sf(abs(mean) / error, len(differences) - 1))


def _spread(differences: NDArray[np.float64]) -> float | None:
    return float(differences.std(ddof=1)) if len(differences) >= 2 else None


def corrected(effect: Effect, adjusted: float, comparisons: int) -> Effect:
    """With Holm's p and the smallest difference that would have been seen.

    ``effect.detectable`` holds the SD of the units' differences so far.
    """
    seen = None if effect.detectable is None else minimum_detectable(effect.units, comparisons) * effect.detectable
    return replace(effect, adjusted=adjusted, detectable=seen)


def seeds_and_settings(points: Sequence[Point], subject: str) -> list[tuple[Column, Components]]:
    """How much of each deciding column comes from the setting, how much from the training seed."""
    found = []
    for column in (column for column in COLUMNS if column.decides):
        scores: dict[str, list[float]] = {}
        for point in points:
            if point.subject == subject and point.state == "done" and column.key in point.cells:
                scores.setdefault(point.setting, []).append(point.cells[column.key].value)
        if scores:
            found.append((column, components(scores)))
    return found
