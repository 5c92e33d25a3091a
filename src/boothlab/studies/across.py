"""What settings do over several subjects: means, worst subjects and differences with subjects as units. (Torch-free.)

A difference that holds on one person may be that person's. Here a subject is one unit, whatever number of pictures,
photos and training seeds its numbers rest on; so intervals say what to expect of the next subject.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from boothlab.statistics.comparisons import LEVEL, holm, rise
from boothlab.statistics.digits import plain, signed
from boothlab.statistics.intervals import CONFIDENCE, Interval, settled, t_interval, within
from boothlab.studies.compare import alike, axis_words, mean_difference, measured, paired_t, same_people
from boothlab.studies.expand import shown
from boothlab.studies.neighbours import Ladder, Neighbours, Pair, ladders, neighbours
from boothlab.studies.points import COLUMNS, PEOPLE, Column, Point
from boothlab.studies.settings import says_who, setting_of, who_paths

SUBJECTS_NEEDED = 3
"""Fewer subjects say nothing about the next one."""

SAME = 1e-9
"""Values of subjects that agree to this share of the largest come from the same pictures."""


@dataclass(frozen=True, slots=True)
class Row:
    """One setting, or one baseline, over all subjects of a class noun ("" where all have the same).

    ``cells`` maps a column to the mean over subjects with its 95 % t interval, ``n`` counting subjects; ``least`` to
    the lowest subject, ``most`` to the highest; ``trainings`` is 0 where weights are averaged. Each subject's number
    is the mean over its training seeds. Columns in
    ``same`` have one value for all subjects: the untrained model draws one class for everybody, which is one
    measurement and says nothing of the next subject.
    """

    setting: str
    noun: str
    subjects: int
    trainings: int
    baseline: bool
    cells: Mapping[str, Interval]
    least: Mapping[str, float]
    most: Mapping[str, float]
    same: frozenset[str]

    def worst(self, column: Column) -> float:
        """The worst subject's number; where no direction is better, the lowest."""
        return (self.most if column.better == "lower" else self.least)[column.key]


@dataclass(frozen=True, slots=True)
class Difference:
    """``b`` against ``a`` over subjects, everything else equal; b − a in the unit of the column.

    Between two settings of an axis the differences are within subjects (paired t test, ``n`` subjects); between two
    class nouns they are between subjects (Welch's t test, ``n`` of the smaller group). Along an axis of several
    numbers (``values``, else 0) it is the rise from the lowest, ``a``, to the highest, ``b``, of each subject's
    least-squares line, every number a step from the next; tested as a difference within subjects. ``adjusted`` is
    Holm's p: likeness and prompt following are one family, all other columns another.
    """

    axis: str
    column: Column
    a: str
    b: str
    n: int
    difference: float
    low: float | None
    high: float | None
    p: float
    adjusted: float = 1.0
    where: str = ""
    values: int = 0

    @property
    def shown(self) -> bool:
        """Whether the difference is more than chance, after Holm."""
        return self.adjusted <= LEVEL

    @property
    def change(self) -> str:
        """What differs: ``steps 200 against 120``, ``steps from 60 to 480, 5 values``."""
        where = f" ({self.where})" if self.where else ""
        held = f"from {self.a} to {self.b}, {self.values} values" if self.values else f"{self.b} against {self.a}"
        return f"{self.axis} {held}{where}"

    @property
    def finding(self) -> str:
        """:attr:`sentence` in a few words, to stand beside the difference and its interval."""
        return f"{self.column.word(self.difference) if self.shown else 'none found'}, p = {self.adjusted:.2g}"

    @property
    def sentence(self) -> str:
        """What may be said; never that two are equal."""
        what = f"{self.column.title}: {self.change}"
        numbers = signed(self.difference)
        if self.low is not None and self.high is not None:
            numbers += f", 95 % CI {plain(self.low)} to {plain(self.high)}"
        numbers += f", {self.n} subjects, Holm p = {self.adjusted:.2g}"
        if not self.shown:
            return f"{what}: no {'trend' if self.values else 'difference'} found ({numbers})."
        return f"{what}: {self.column.word(self.difference)} ({numbers})."


def over_subjects(points: Sequence[Point]) -> list[Row]:
    """One row per setting that at least ``SUBJECTS_NEEDED`` subjects finished, then the baselines; else none."""
    nouns, who = group_of(points), who_paths(points)
    kept = [point for point in points if point.state in ("done", "baseline")]
    groups: dict[tuple[bool, str, str], list[Point]] = {}
    for point in kept:
        baseline = point.state == "baseline"
        name = point.run if baseline else setting_of(point, who)
        groups.setdefault((baseline, name, nouns[point.subject]), []).append(point)
    rows = [_row(*key, own) for key, own in groups.items() if len({p.subject for p in own}) >= SUBJECTS_NEEDED]
    return sorted(rows, key=lambda row: row.baseline)


def group_of(points: Sequence[Point]) -> dict[str, str]:
    """Subject → its class noun, "" for all where nouns do not part the subjects.

    They do where every subject has one noun in the whole study and not all have the same: people beside monsters. A
    noun that varies within a subject is a setting.
    """
    nouns: dict[str, set[str]] = {}
    for point in points:
        nouns.setdefault(point.subject, set()).add(point.noun)
    parted = all(len(own) == 1 for own in nouns.values()) and len(set.union(*nouns.values(), set())) > 1
    return {name: next(iter(own)) if parted else "" for name, own in nouns.items()}


def differences(points: Sequence[Point]) -> list[Difference]:
    """Neighbouring settings of every axis and trends along it within subjects, class nouns between them; Holm in two
    families."""
    found = [*_within(points), *_trends(points), *_between(points)]
    adjusted: list[Difference] = []
    for decides in (True, False):
        family = [one for one in found if one.column.decides == decides]
        ps = holm([one.p for one in family]) if family else []
        adjusted += [replace(one, adjusted=p) for one, p in zip(family, ps, strict=True)]
    return adjusted


def _row(baseline: bool, setting: str, noun: str, points: Sequence[Point]) -> Row:
    cells, least, most, same = {}, {}, {}, set()
    for column in COLUMNS:
        each = list(_means(points, column).values())
        if len(each) >= SUBJECTS_NEEDED:
            cells[column.key] = _mean(np.array(each), column)
            least[column.key], most[column.key] = float(min(each)), float(max(each))
            if _agree(np.array(each)):
                same.add(column.key)
    subjects = len({point.subject for point in points})
    trainings = sum(not point.members for point in points)
    return Row(setting, noun, subjects, trainings, baseline, cells, least, most, frozenset(same))


def _mean(each: NDArray[np.float64], column: Column) -> Interval:
    """The mean over subjects; of one value that all share there is no interval, though Student's would be certain."""
    found = within(t_interval(each), column.bounds)
    return replace(found, low=None, high=None, error=None) if _agree(each) else found


def _means(points: Sequence[Point], column: Column) -> dict[str, float]:
    """Subject → mean over its trainings; NaN ("nothing to measure") is left out."""
    values: dict[str, list[float]] = {}
    for point in points:
        cell = point.cells.get(column.key)
        if cell is not None and np.isfinite(cell.value):
            values.setdefault(point.subject, []).append(cell.value)
    return {name: float(np.mean(own)) for name, own in values.items()}


def _within(points: Sequence[Point]) -> Iterator[Difference]:
    nouns, who, words = group_of(points), who_paths(points), axis_words(points)
    every = [n for n in neighbours(points) if not all(says_who(n.axis, value, who) for value in (n.a, n.b))]
    for noun in dict.fromkeys(nouns.values()):
        groups: dict[tuple[str, str, str], list[Neighbours]] = {}
        for beside in (beside for beside in every if nouns[beside.subject] == noun):
            groups.setdefault((beside.axis, repr(beside.a), repr(beside.b)), []).append(beside)
        for group in groups.values():
            for column in COLUMNS:
                pairs = [_comparable(beside, column) for beside in group]
                each = np.array([mean_difference(own, column) for own in pairs if own])
                if len(each) >= SUBJECTS_NEEDED:
                    yield _paired(words[group[0].axis], group[0].a, group[0].b, column, each, noun)


def _trends(points: Sequence[Point]) -> Iterator[Difference]:
    nouns, who, words = group_of(points), who_paths(points), axis_words(points)
    groups: dict[tuple[str, str, tuple[Any, ...]], list[Ladder]] = {}
    for ladder in ladders(points):
        if ladder.axis not in who:
            groups.setdefault((nouns[ladder.subject], ladder.axis, ladder.values), []).append(ladder)
    for (noun, axis, values), group in groups.items():
        for column in COLUMNS:
            rows = [[row for row in ladder.rows if _along(row, column)] for ladder in group]
            each = np.array([_rise(own, column) for own in rows if own])
            if len(each) >= SUBJECTS_NEEDED:
                found = _paired(words[axis], values[0], values[-1], column, each, noun)
                yield replace(found, values=len(values))


def _along(row: Sequence[Point], column: Column) -> bool:
    """Whether all of these were measured, against the same photos where it matters; see :func:`_comparable`."""
    if not all(column.key in point.cells for point in row):
        return False
    name = {"originals": "originals", "held_out": PEOPLE}.get(column.reference)
    return name is None or len({point.against.get(name) for point in row}) == 1


def _rise(rows: Sequence[Sequence[Point]], column: Column) -> float:
    each = np.array([rise([point.cells[column.key].value for point in row]) for row in rows])
    return float(settled(each.mean(), each))


def _comparable(beside: Neighbours, column: Column) -> list[Pair]:
    """Pairs that were measured; of what is held against all photos, those whose photos are the same, and of what is
    held against held-out ones, those that show the same people."""
    pairs = same_people(measured(beside.pairs, column), column)
    return alike(pairs, column) if column.reference == "originals" else pairs


def _paired(axis: str, a: Any, b: Any, column: Column, each: NDArray[np.float64], where: str) -> Difference:
    mean = t_interval(each)
    low, high, p = mean.low, mean.high, paired_t(each)
    if mean.value != 0 and _agree(each):
        low, high, p = None, None, 1.0
    return Difference(axis, column, shown(a), shown(b), len(each), mean.value, low, high, p, where=where)


def _between(points: Sequence[Point]) -> Iterator[Difference]:
    nouns, who = group_of(points), who_paths(points)
    settings: dict[str, list[Point]] = {}
    for point in (point for point in points if point.state == "done"):
        settings.setdefault(setting_of(point, who), []).append(point)
    for setting, own in settings.items():
        for a, b in combinations(dict.fromkeys(nouns.values()), 2):
            for column in COLUMNS:
                sides = [
                    np.array(list(_means([p for p in own if nouns[p.subject] == noun], column).values()))
                    for noun in (a, b)
                ]
                if min(map(len, sides)) >= SUBJECTS_NEEDED:
                    yield welch(column, a, b, sides[0], sides[1], setting)


def welch(
    column: Column, a: str, b: str, first: NDArray[np.float64], second: NDArray[np.float64], where: str = ""
) -> Difference:
    """Means of two groups of subjects, (n,) and (m,), whose spreads may differ. Source: Welch 1947."""
    difference, n = float(second.mean() - first.mean()), min(len(first), len(second))
    if _agree(first) and _agree(second):
        return Difference("class noun", column, a, b, n, difference, None, None, 1.0, where=where)
    with warnings.catch_warnings():
        # One of the two may be the same for all its subjects, as faces are found in all pictures of people.
        warnings.filterwarnings("ignore", "Precision loss occurred in moment calculation", RuntimeWarning)
        tested: Any = stats.ttest_ind(second, first, equal_var=False)
    interval = tested.confidence_interval(CONFIDENCE)
    low, high, p = float(interval.low), float(interval.high), float(tested.pvalue)
    return Difference("class noun", column, a, b, n, difference, low, high, p, where=where)


def _agree(values: NDArray[np.float64]) -> bool:
    """Whether subjects have one value to rounding, of which a t test would be certain.

    The untrained model draws one class for everybody: that is one measurement, not one per subject.
    """
    return float(np.ptp(values)) <= SAME * float(np.abs(values).max())
