"""The recommended checkpoints beside fixed settings, as a section of the page and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from boothlab.reports.page import number
from boothlab.reports.study import ComparedView
from boothlab.studies.carry import AXES
from boothlab.studies.rivals import Beside, rivals_summary

RIVALS = "rivals"
"""Name of the table, without its ending."""

RIVALS_HEAD = ["subject", "rival", "recommended", "state", "copies", "rival_copies"] + [
    f"{key}{part}" for key in AXES for part in ("", "_rival", "_difference", "_error", "_low", "_high", "_n")
]

NOTE = (
    "Rivals are settings that somebody would take without looking; they are no candidates. The recommended "
    "checkpoint is read off fresh pictures, which had no part in choosing it. Difference: recommended minus rival, "
    "prompt by prompt, ± its standard error. Better, worse: by more than one standard error of likeness, at prompts "
    "followed no worse by more than one. A picture without a face has a likeness of 0 here. Copies are those among "
    "the pictures that chose it."
)


def rivals_view(found: Sequence[Beside]) -> ComparedView | None:
    """The section; None where a study has no rivals."""
    if not found:
        return None
    return ComparedView(
        rivals_summary(found), tuple(rivals_head()), tuple(tuple(rivals_text(o)) for o in found), NOTE
    )


def rivals_head() -> list[str]:
    """Head of the table as text."""
    titles = [f"{title}: recommended, rival, difference" for title in AXES.values()]
    return ["subject", "recommended", "rival", *titles, "copies: recommended, rival", "found"]


def rivals_text(one: Beside) -> list[str]:
    """One line of the table as text."""
    copies = ", ".join("–" if share is None else number(share) for share in one.copies)
    return [one.subject, one.recommended or "–", one.rival, *(_cell(one, key) for key in AXES), copies, one.state]


def _cell(one: Beside, key: str) -> str:
    if key not in one.differences:
        return "–"
    (own, rival), difference = one.values[key], one.differences[key]
    error = "" if difference.error is None else f" ± {difference.error:.2g}"
    return f"{number(own)}, {number(rival)}, {difference.value:+.2f}{error}"


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
