"""Settings carried from one subject to another, as a section of the page and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from boothlab.reports.study import ComparedView
from boothlab.statistics.digits import plain, ranged, signed
from boothlab.statistics.intervals import Interval
from boothlab.statistics.variance import SEEDS_NEEDED
from boothlab.studies.carry import AXES, Carried, summary
from boothlab.studies.points import LIKENESS

CARRY = "carried"
"""Name of the table, without its ending."""

CARRY_HEAD = (
    ["chosen_on", "applied_to", "settings", "own_best", "by_verdict", "state", "about"]
    + [f"{key}{part}" for key in AXES for part in ("", "_own_best", "_difference", "_low", "_high", "_n")]
    + ["settings_recommended", "own_best_recommended"]
)

NOTE = (
    "Difference: the settings chosen elsewhere minus the subject's own best, the largest loss of likeness first; "
    "95 % intervals, not corrected for the number of pairs. The own best was chosen by these scores, so it is "
    "flattered, and the differences are on the strict side. Loses: an interval lies below 0."
)

FEW = f"These runs only: a statement about a setting needs {SEEDS_NEEDED} training seeds."

UNRULED = (
    "Where no run of a subject may be recommended, the settings of the highest mean likeness stand for its choice "
    "(marked ○ where pairs are listed)."
)


def carry_view(found: Sequence[Carried], short: Mapping[str, str] = MappingProxyType({})) -> ComparedView | None:
    """The section; None where a study has one subject. Pairs that chose the same settings are counted, not listed.

    ``short`` calls settings by what tells them apart; who is not in it keeps the name.
    """
    if not found:
        return None
    # Numbers first: names of settings are long, and on a narrow screen what comes after them is cut off.
    head = ["chosen on", "applied to", "found"]
    for title in AXES.values():
        head += [f"{title}: difference", "95 % interval", "there", "its own best"]
    head += ["settings", "its own best settings"]
    listed = sorted((one for one in found if one.state != "the same settings"), key=_loss)
    few = any(one.differences and one.about == "checkpoints" for one in listed)
    notes = [NOTE] if listed else []
    notes += [FEW] if few else []
    notes += [] if all(one.by_verdict for one in found) else [UNRULED]
    rows = tuple(_row(one, short) for one in listed)
    return ComparedView(summary(found), tuple(head), rows, " ".join(notes), bold=(3, 7))


def _loss(one: Carried) -> float:
    """To sort by, the worst first; pairs without a number last."""
    found = one.differences.get(LIKENESS)
    return float("inf") if found is None else found.value


def _row(one: Carried, short: Mapping[str, str]) -> tuple[str, ...]:
    cells = [text for key in AXES for text in _cells(one.values.get(key), one.differences.get(key))]
    names = (
        short.get(name, name) + ("" if recommended else " ○")
        for name, recommended in ((one.settings, one.settings_recommended), (one.best, one.best_recommended))
    )
    return (one.source, one.target, one.state, *cells, *names)


def _cells(values: tuple[float, float] | None, difference: Interval | None) -> tuple[str, str, str, str]:
    """Difference, interval, there, own best."""
    if values is None or difference is None:
        return "–", "–", "–", "–"
    limits = ranged(difference.low, difference.high) or "–"
    return signed(difference.value), limits, plain(values[0]), plain(values[1])


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
    return [*row, str(one.settings_recommended).lower(), str(one.best_recommended).lower()]
