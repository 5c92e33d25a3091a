"""Settings carried from one subject to another, as a section of the page and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from boothlab.reports.page import number
from boothlab.reports.study import ComparedView
from boothlab.statistics.intervals import Interval
from boothlab.studies.carry import AXES, Carried, summary

CARRY = "carried"
"""Name of the table, without its ending."""

CARRY_HEAD = ["chosen_on", "applied_to", "settings", "own_best", "by_verdict", "state", "about"] + [
    f"{key}{part}" for key in AXES for part in ("", "_own_best", "_difference", "_low", "_high", "_n")
]

NOTE = (
    "Difference: the settings chosen elsewhere minus the subject's own best, with a 95 % interval (not corrected "
    "for the number of pairs). The own best was chosen by these scores, so it is flattered, and the differences are "
    "on the strict side. Loses: an interval lies below 0."
)

UNRULED = (
    "Where no run of a subject may be recommended, the settings of the highest mean likeness stand for its choice "
    "(marked ○ where pairs are listed)."
)


def carry_view(found: Sequence[Carried]) -> ComparedView | None:
    """The section; None where a study has one subject. Pairs that chose the same settings are counted, not listed."""
    if not found:
        return None
    head = ["chosen on", "applied to", "settings", "its own best"]
    head += [f"{title}: there, own best, difference" for title in AXES.values()] + ["found"]
    listed = [one for one in found if one.state != "the same settings"]
    notes = [*([NOTE] if listed else []), *([] if all(one.by_verdict for one in found) else [UNRULED])]
    return ComparedView(summary(found), tuple(head), tuple(_row(one) for one in listed), " ".join(notes))


def _row(one: Carried) -> tuple[str, ...]:
    mark = "" if one.by_verdict else " ○"
    cells = [_cell(one.values.get(key), one.differences.get(key)) for key in AXES]
    about = " (these checkpoints only)" if one.differences and one.about == "checkpoints" else ""
    return (one.source, one.target, one.settings + mark, one.best, *cells, one.state + about)


def _cell(values: tuple[float, float] | None, difference: Interval | None) -> str:
    if values is None or difference is None:
        return "–"
    said = f"{number(values[0])}, {number(values[1])}, {difference.value:+.3g}"
    if difference.low is None or difference.high is None:
        return said
    return f"{said} [{number(difference.low)}, {number(difference.high)}]"


def carry_row(one: Carried) -> list[Any]:
    """One line of the table."""
    row: list[Any] = [
        one.source,
        one.target,
        one.settings,
        one.best,
        str(one.by_verdict).lower(),
        one.state,
        one.about,
    ]
    for key in AXES:
        values, difference = one.values.get(key), one.differences.get(key)
        if values is None or difference is None:
            row += [None] * 6
        else:
            row += [*values, difference.value, difference.low, difference.high, difference.n]
    return row
