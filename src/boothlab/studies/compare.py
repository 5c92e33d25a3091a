"""What the settings of a study do: main effects along each axis, with tests that say what they are about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from boothlab.seeds import derive
from boothlab.statistics.comparisons import LEVEL, compare_paired, differences, holm, least_holm, minimum_detectable
from boothlab.statistics.digits import plain, signed
from boothlab.statistics.intervals import settled, t_interval
from boothlab.statistics.variance import SEEDS_NEEDED, Components, components
from boothlab.studies.expand import axis_name, axis_names, shown
from boothlab.studies.neighbours import Pair, neighbours
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

    None with fewer than ``SEEDS_NEEDED``. A mean over seeds is none of them, and says nothing of another training.
    """
    by_seed = each_seed(pairs)
    if len(by_seed) < SEEDS_NEEDED:
        return None
    pairs = [pair for own in by_seed.values() for pair in own]
    each = np.array([mean_difference(own, column) for own in by_seed.values()])
    mean = t_interval(each)
    return Effect(
        subject, axis, column, "", "", "settings", len(each), len(pairs), mean.value, mean.low, mean.high,
        paired_t(each), 1.0, _spread(each), units=len(each),
    )  # fmt: skip


def each_seed(pairs: Sequence[Pair]) -> dict[int, list[Pair]]:
    """The pairs by their training seed, those with a mean over seeds left out."""
    found: dict[int, list[Pair]] = {}
    for pair in pairs:
        if not any(point.over_seeds for point in pair):
            found.setdefault(pair[0].seed, []).append(pair)
    return found


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
            # A mean of weights is no training beside its members.
            trained = point.state == "done" and not point.members
            if point.subject == subject and trained and column.key in point.cells:
                scores.setdefault(point.setting, []).append(point.cells[column.key].value)
        if scores:
            found.append((column, components(scores)))
    return found
