"""What settings do over several subjects, as a section of the page and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from boothlab.api.studies.effects import changes_view
from boothlab.api.studies.plots import maps
from boothlab.reports.rulings import source_title
from boothlab.reports.study import AcrossCell, AcrossRow, AcrossView
from boothlab.statistics.digits import plain, ranged
from boothlab.studies.across import Difference, Row
from boothlab.studies.points import COLUMNS, Column, Point

ACROSS, ACROSS_DIFFERENCES = "subjects", "subject_differences"
"""Names of the two tables, without their endings."""

ACROSS_HEAD = ["setting", "class_noun", "baseline", "subjects", "trainings"] + [
    f"{column.key}{part}" for column in COLUMNS for part in ("", "_low", "_high", "_n", "_lowest_subject")
]

DIFFERENCES_HEAD = [
    *("axis", "where", "column", "a", "b", "values", "subjects", "difference", "low", "high"),
    *("p", "holm_p", "sentence"),
]

NOTE = (
    "Each subject is one unit, its number the mean over its training seeds; 95 % intervals by Student's t over "
    "subjects, so they say what to expect of the next one. Worst: the subject with the lowest number, or the highest "
    "where lower is better (↓). A number that is the same for all subjects has no interval: it comes from the same "
    "pictures, or all subjects are at the end of the scale."
)


def across_view(
    rows: Sequence[Row],
    found: Sequence[Difference],
    columns: Sequence[Column],
    short: Mapping[str, str] = MappingProxyType({}),
    first: Sequence[str] = (),
    points: Sequence[Point] = (),
) -> AcrossView | None:
    """The section; None where too few subjects were trained on. ``points`` are all runs, for plots over subjects.

    ``short`` calls settings by what tells them apart. Columns other than the ``first`` are shown on demand.
    """
    if not rows:
        return None
    parted = _parted(rows)
    return AcrossView(
        head=tuple(_head(parted, columns)),
        rows=tuple(
            AcrossRow(
                tuple(_words(row, parted, short)), tuple(_cell(row, column) for column in columns), row.baseline
            )
            for row in rows
        ),
        effects=changes_view([(one.change, one) for one in found if one.column.decides]),
        maps=() if parted else maps([point for point in points if not point.rival]),
        others=tuple(one.sentence for one in found if one.shown and not one.column.decides),
        note=NOTE,
        more=tuple(index for index, column in enumerate(columns) if first and column.key not in first),
    )


def across_markdown(rows: Sequence[Row], columns: Sequence[Column]) -> tuple[list[str], list[list[str]]]:
    """Head and lines of the table as text, columns without any number left out."""
    seen = [column for column in columns if any(column.key in row.cells for row in rows)]
    parted = _parted(rows)
    lines = [[*_words(row, parted), *(_text(_cell(row, column)) for column in seen)] for row in rows]
    return _head(parted, seen), lines


def _head(parted: bool, columns: Sequence[Column]) -> list[str]:
    noun = ["class noun"] if parted else []
    return [
        "setting",
        *noun,
        "subjects, trainings",
        *(f"{column.title} {column.arrow}".rstrip() for column in columns),
    ]


def _parted(rows: Sequence[Row]) -> bool:
    return any(row.noun for row in rows)


def _words(row: Row, parted: bool, short: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    name = source_title(row.setting, []) if row.baseline else short.get(row.setting, row.setting)
    counted = str(row.subjects) if row.baseline else f"{row.subjects}, {row.trainings or 'means'}"
    return [name, *([row.noun] if parted else []), counted]


def _cell(row: Row, column: Column) -> AcrossCell | None:
    cell = row.cells.get(column.key)
    if cell is None:
        return None
    if column.key in row.same:
        return AcrossCell(cell.value, None, None, None)
    return AcrossCell(cell.value, cell.low, cell.high, row.worst(column))


def _text(cell: AcrossCell | None) -> str:
    if cell is None:
        return "–"
    limits = ranged(cell.low, cell.high)
    worst = "" if cell.worst is None else f"; {plain(cell.worst)}"
    return f"{plain(cell.value)} {limits}".rstrip() + worst


def across_row(row: Row) -> list[Any]:
    """One line of the table of settings."""
    line: list[Any] = [row.setting, row.noun, str(row.baseline).lower(), row.subjects, row.trainings]
    for column in COLUMNS:
        cell = row.cells.get(column.key)
        if cell is None:
            line += [None] * 5
        else:
            line += [cell.value, cell.low, cell.high, cell.n, row.least[column.key]]
    return line


def difference_row(one: Difference) -> list[Any]:
    """One line of the table of differences."""
    return [
        *(one.axis, one.where, one.column.key, one.a, one.b, one.values or 2, one.n),
        *(one.difference, one.low, one.high),
        *(one.p, one.adjusted, one.sentence),
    ]
