"""Which runs of a study are compared: those that differ in one setting and nowhere else. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from boothlab.studies.points import Point

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


Places = Mapping[tuple[str, int | None], Sequence[Point]]
"""Points with one value on an axis, by what they have on all others and their training seed (None: over all seeds):
mostly one each, more where runs are equal."""


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
        control = next((before for before in at[:index] if _meet(before[1], own)), None)
        if control is not None:
            yield control[0], value, _pairs(control[1], own)


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
    for here, there in _meeting(first, second):
        for pair in [(point, second[there][0]) for point in first[here]]:
            found.setdefault(tuple(part for p in pair for part in (p.folder, p.snapshot, p.subject)), pair)
    return list(found.values())


def _meeting(first: Places, second: Places) -> Iterator[tuple[tuple[str, int | None], tuple[str, int | None]]]:
    """Places of both that are alike on all other axes, of one training seed; "over all seeds" stands beside each."""
    seeds: dict[str, list[int | None]] = {}
    for others, seed in second:
        seeds.setdefault(others, []).append(seed)
    for others, seed in first:
        for own in seeds.get(others, ()):
            if own == seed or (own is None) != (seed is None):
                yield (others, seed), (others, own)


def _meet(first: Places, second: Places) -> bool:
    return next(_meeting(first, second), None) is not None


def _at(points: Sequence[Point], axis: str, value: Any) -> Places:
    """The points with this value on the axis."""
    found: dict[tuple[str, int | None], list[Point]] = {}
    for point in (point for point in points if axis in point.values and point.values[axis] == value):
        others = sorted((path, repr(other)) for path, other in point.values.items() if path != axis)
        seed = None if point.over_seeds else point.seed
        found.setdefault((f"{point.subject} {others}", seed), []).append(point)
    return found
