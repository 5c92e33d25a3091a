"""What the plots of a subject show: its runs, its differences, curves and maps over length and learning rate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from boothlab.reports.info import Curve, LinePlot
from boothlab.reports.study_figures import Bar, Forest, HeatMap, Spot
from boothlab.studies.choose import Choice, front
from boothlab.studies.compare import Effect
from boothlab.studies.expand import axis_name, shown
from boothlab.studies.labels import apart, run_labels, setting_labels
from boothlab.studies.plan import NUMBER, STEPS
from boothlab.studies.points import LIKENESS, PROMPT, Point

MOST_EFFECTS = 24
MOST_LINES = 8

FEWEST_PLACES = 3
"""Values of an axis from which a line over it says more than their difference, which is drawn anyway."""

Found = tuple[float, float | None, float | None]
"""A mean and its interval."""


def spots(points: Sequence[Point], choice: Choice) -> tuple[Spot, ...]:
    """The measured runs of one subject on the plane of likeness and prompt following."""
    ahead = {point.run for point in front(points)}
    return tuple(
        Spot(
            label,
            (x.value, x.low, x.high),
            (y.value, y.low, y.high),
            point.word,
            point.run in ahead,
            point.run == choice.run,
            None if (train := point.cells.get("likeness_train")) is None else train.value - x.value,
            _note(point),
        )
        for point, label in zip(points, run_labels(points), strict=True)
        if (x := point.cells.get(LIKENESS)) is not None and (y := point.cells.get(PROMPT)) is not None
    )


def _note(point: Point) -> str:
    failed = [f"failed: {', '.join(point.failed_gates)}"] if point.failed_gates else []
    return "; ".join([*failed, *(["shown beside the candidates"] if point.rival else [])])


def forests(found: Sequence[Effect], points: Sequence[Point]) -> tuple[Forest, ...]:
    """The main effects on each number, axis by axis, where there are two or more."""
    plots = []
    for key in (LIKENESS, PROMPT):
        every = [effect for effect in found if effect.column.key == key]
        own = every[:MOST_EFFECTS]
        bars = tuple(Bar(_heading(e), _against(e, points), e.difference, e.low, e.high, e.shown) for e in own)
        if len(bars) > 1:
            plots.append(Forest(own[0].column.title, bars, _cut(len(own), len(every))))
    return tuple(plots)


def _heading(effect: Effect) -> str:
    """What is varied; a mere "number" says nothing where no sentence is around it."""
    return "number of photos" if effect.axis == NUMBER else effect.name


def _against(effect: Effect, points: Sequence[Point]) -> str:
    """``b against a``; of whole nodes what differs between the two."""
    values = {shown(point.values.get(effect.axis)): point.values.get(effect.axis) for point in points}
    b, a = apart([values.get(effect.b, effect.b), values.get(effect.a, effect.a)])
    return f"{b} against {a}"


def _cut(drawn: int, there: int) -> str:
    """What stands below a plot where not all fits on it."""
    return f"The first {drawn} of {there}; effects.csv and table.csv hold all." if drawn < there else ""


def exposure_axes(points: Sequence[Point]) -> tuple[str, str] | None:
    """(path of the learning rate, path of the steps) where both vary; means of weights need not have them."""
    points = trained(points)
    paths = dict.fromkeys(path for point in points for path in point.values)
    rate = next((path for path in paths if path.endswith(".learning_rate") and _many(points, path)), None)
    steps = next((path for path in STEPS if path in paths and _many(points, path)), None)
    return (rate, steps) if rate and steps else None


def trained(points: Sequence[Point]) -> list[Point]:
    """Those that are no means of others."""
    return [point for point in points if not point.members]


def _many(points: Sequence[Point], path: str) -> bool:
    values = {repr(point.values.get(path)) for point in points}
    return len(values) > 1 and all(isinstance(point.values.get(path), int | float) for point in points)


def curves(points: Sequence[Point]) -> tuple[LinePlot, ...]:
    """Likeness and prompt following over steps, and over learning rate × steps, one line per setting but for its
    length.

    Over learning rate × steps only lines of several rates are drawn: those of one rate are the plot over steps again.
    """
    exposure = exposure_axes(points)
    over_steps = [float(point.step) for point in points]
    found = _over(points, over_steps, "steps", "optimizer steps")
    if exposure is None:
        return found
    rate, steps = exposure
    length = axis_name(steps)
    own = trained(points)
    over_both = [float(point.values[rate]) * float(point.values[steps]) for point in own]
    return found + _over(own, over_both, f"learning rate × {length}", f"learning rate × {length}", rate)


def _over(
    points: Sequence[Point], places: Sequence[float], over: str, x_label: str, several: str | None = None
) -> tuple[LinePlot, ...]:
    """A plot per number; none where no line has ``FEWEST_PLACES``, or all lines have one value of ``several``."""
    found: list[LinePlot] = []
    labels = setting_labels(points, without=STEPS)
    for title, key in (("Likeness", LIKENESS), ("Prompt following", PROMPT)):
        lines: dict[str, dict[float, list[Found]]] = {}
        values: dict[str, Any] = {}
        for point, x, label in zip(points, places, labels, strict=True):
            cell = point.cells.get(key)
            if cell is not None:
                lines.setdefault(label, {}).setdefault(x, []).append((cell.value, cell.low, cell.high))
                values[label] = None if several is None else point.values[several]
        lines = {label: rows for label, rows in lines.items() if len(rows) > 1}
        longest = max(map(len, lines.values()), default=0)
        same = several is not None and len({values[label] for label in lines}) < 2
        if longest >= FEWEST_PLACES and not same:
            drawn = tuple(_curve(label, rows) for label, rows in lines.items())[:MOST_LINES]
            caption = _cut(len(drawn), len(lines))
            found.append(LinePlot(f"{title} over {over}", title.lower(), drawn, caption, x_label))
    return tuple(found)


def _curve(label: str, rows: Mapping[float, Sequence[Found]]) -> Curve:
    """Means over the trainings at each place; with one training each, the intervals over its pictures."""
    x = tuple(sorted(rows))
    mean = tuple(float(np.mean([value for value, _, _ in rows[place]])) for place in x)
    single = all(len(rows[place]) == 1 and rows[place][0][1] is not None for place in x)
    low = tuple(float(rows[place][0][1] or 0.0) for place in x) if single else None
    high = tuple(float(rows[place][0][2] or 0.0) for place in x) if single else None
    return Curve(label, x, mean, low, high)


def maps(points: Sequence[Point]) -> tuple[HeatMap, ...]:
    """Learning rate × steps as squares, each the mean over all trainings there; of several subjects the mean of their
    means, where all of them have one."""
    subjects = {point.subject for point in points}
    exposure = exposure_axes(points)
    if exposure is None:
        return ()
    rate, steps = exposure
    points = trained(points)
    columns = sorted({point.values[steps] for point in points})
    rows = sorted({point.values[rate] for point in points}, reverse=True)
    found = []
    for title, key in (("Likeness", LIKENESS), ("Prompt following", PROMPT)):
        cells = tuple(
            tuple(
                _square([p for p in points if p.values[rate] == row and p.values[steps] == column], key, subjects)
                for column in columns
            )
            for row in rows
        )
        if np.isfinite([np.nan if cell is None else cell for line in cells for cell in line]).sum() > 1:
            names = tuple(map(shown, columns)), tuple(map(shown, rows))
            of = "all trainings there" if len(subjects) == 1 else f"{len(subjects)} subjects"
            found.append(HeatMap(title, axis_name(steps), "learning rate", *names, cells, of))
    return tuple(found)


def _square(here: Sequence[Point], key: str, subjects: Collection[str]) -> float | None:
    """The mean of the trainings there; None without any, NaN where a subject has none with this number."""
    if not here:
        return None
    known: dict[str, list[float]] = {}
    for point in here:
        if key in point.cells:
            known.setdefault(point.subject, []).append(point.cells[key].value)
    return float(np.mean([np.mean(own) for own in known.values()])) if len(known) == len(subjects) else float("nan")
