"""The recommended runs beside fixed settings, as a section of the page and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from boothlab.reports.study import ComparedView
from boothlab.statistics.digits import plain, signed
from boothlab.studies.carry import AXES
from boothlab.studies.points import LIKENESS
from boothlab.studies.rivals import Beside, rivals_summary

RIVALS = "rivals"
"""Name of the table, without its ending."""

RIVALS_HEAD = ["subject", "rival", "recommended", "state", "copies", "rival_copies"] + [
    f"{key}{part}" for key in AXES for part in ("", "_rival", "_difference", "_error", "_low", "_high", "_n")
]

NOTE = (
    "Rivals are settings that somebody would take without looking; they are no candidates. The recommended run is "
    "read off fresh pictures, which had no part in choosing it. Difference: recommended minus rival, prompt by "
    "prompt, with one standard error, which is about half of what a 95 % interval reaches to either side; the "
    "largest loss of likeness first. Better, worse: by more than one standard error of likeness, at prompts followed "
    "no worse by more than one. A picture without a face has a likeness of 0 here. Copies are those among the "
    "pictures that chose it."
)


def rivals_view(found: Sequence[Beside], short: Mapping[str, str] = MappingProxyType({})) -> ComparedView | None:
    """The section; None where a study has no rivals. ``short`` calls runs by what tells them apart."""
    if not found:
        return None
    rows = tuple(tuple(rivals_text(one, short)) for one in sorted(found, key=_loss))
    return ComparedView(rivals_summary(found), tuple(rivals_head()), rows, NOTE, bold=(3, 7))


def rivals_head() -> list[str]:
    """Head of the table as text."""
    head = ["subject", "rival", "found"]
    for title in AXES.values():
        head += [f"{title}: difference", "± one standard error", f"{title}: recommended", f"{title}: rival"]
    return [*head, "copies: recommended", "copies: rival", "recommended"]


def rivals_text(one: Beside, short: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """One line of the table as text."""
    copies = ["–" if share is None else plain(share) for share in one.copies]
    cells = [text for key in AXES for text in _cells(one, key)]
    return [one.subject, one.rival, one.state, *cells, *copies, short.get(one.recommended, one.recommended) or "–"]


def _loss(one: Beside) -> float:
    """To sort by, the worst first; pairs without a number last."""
    found = one.differences.get(LIKENESS)
    return float("inf") if found is None else found.value


def _cells(one: Beside, key: str) -> tuple[str, str, str, str]:
    """Difference, its standard error, recommended, rival."""
    if key not in one.differences:
        return "–", "–", "–", "–"
    (own, rival), difference = one.values[key], one.differences[key]
    error = "–" if difference.error is None else f"± {plain(difference.error)}"
    return signed(difference.value), error, plain(own), plain(rival)


def rivals_row(one: Beside) -> list[Any]:
    """One line of the table as numbers."""
    row: list[Any] = [one.subject, one.rival, one.recommended, one.state, *one.copies]
    for key in AXES:
        if key not in one.differences:
            row += [None] * 7
        else:
            found = one.differences[key]
            row += [*one.values[key], found.value, found.error, found.low, found.high, found.n]
    return row
