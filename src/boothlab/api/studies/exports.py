"""A study's tables as files: CSV, Parquet, Markdown, LaTeX.

Separate from the page because nothing in them depends on when or how fast the study was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boothlab.api.studies.traces import TABLES as EVERY
from boothlab.files import write_bytes, write_text
from boothlab.reports.study_tables import as_csv, as_latex, as_markdown, as_parquet, has_parquet
from boothlab.studies.compare import Effect
from boothlab.studies.expand import shown
from boothlab.studies.points import COLUMNS, SETS, Column, Point

Lines = tuple[Sequence[str], Sequence[Sequence[Any]]]
"""Head and lines of a table."""

TABLES = ("table", "pictures", "effects")
"""What stands beside the page as CSV and, with pyarrow, as Parquet."""

TEXTS = ("table.md", "table.tex", "study.toml")
"""What else stands there."""


def write_more(place: Path, tables: Mapping[str, Lines], texts: Mapping[str, Lines]) -> tuple[str, ...]:
    """Further tables as numbers, and some as Markdown; returns the names of all files beside the page.

    Tables that only an earlier shape of the study had go: they would be taken for numbers of this one.
    """
    for name, (head, lines) in tables.items():
        _table(place, name, head, lines)
    for name, (head, lines) in texts.items():
        write_text(place / f"{name}.md", as_markdown(head, lines))
    every = [*TABLES, *tables]
    parquet = [f"{name}.parquet" for name in every] if has_parquet() else []
    files = (*(f"{name}.csv" for name in every), *parquet, *TEXTS, *(f"{name}.md" for name in texts))
    for stale in {f"{name}.{kind}" for name in EVERY for kind in ("csv", "parquet", "md")} - set(files):
        (place / stale).unlink(missing_ok=True)
    return files


def write_tables(place: Path, points: Sequence[Point], beside: Sequence[Point], found: Sequence[Effect]) -> None:
    """``table``, with the baselines last, ``pictures`` and ``effects``, as every study has them.

    Nothing in them depends on when or how fast the study was made.
    """
    axes = list(dict.fromkeys(path for point in points for path in point.values))
    fixed = [
        "run",
        "setting",
        "training_seed",
        "subject",
        *axes,
        "steps",
        "photos",
        "state",
        "verdict",
        "failed_gates",
        "held_against",
    ]
    numbers = [f"{c.key}{part}" for c in (*COLUMNS, *SETS) for part in ("", "_low", "_high", "_n", "_interval")]
    lines = [[*_fixed(p, axes), *_numbers(p, (*COLUMNS, *SETS))] for p in (*points, *beside)]
    _table(place, "table", [*fixed, *numbers], lines)
    short = ["run", "subject", "steps", "verdict", *(c.title for c in COLUMNS)]
    rows = [[p.run, p.subject, p.step, p.word or p.state, *_numbers(p, COLUMNS)[::5]] for p in (*points, *beside)]
    write_text(place / "table.md", as_markdown(short, rows))
    write_text(place / "table.tex", as_latex(short, rows))
    each = [
        [p.run, p.subject, key, index, float(value)]
        for p in points
        for key, values in p.pictures.items()
        for index, value in enumerate(values.tolist())
    ]
    _table(place, "pictures", ["run", "subject", "column", "picture", "value"], each)
    head = ["subject", "axis", "column", "a", "b", "about", "n", "trainings", "difference", "low", "high", "p"]
    lines = [
        [e.subject, e.axis, e.column.key, e.a, e.b, e.about, e.n, e.trainings, e.difference, e.low, e.high, e.p]
        + [e.adjusted, e.detectable, e.test, e.smallest, e.sentence]
        for e in found
    ]
    _table(place, "effects", [*head, "holm_p", "detectable", "test", "smallest_holm_p", "sentence"], lines)


def _table(place: Path, name: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """One table as CSV, and as Parquet where that can be written; else an old Parquet file must not stay."""
    write_text(place / f"{name}.csv", as_csv(head, rows))
    if has_parquet():
        write_bytes(place / f"{name}.parquet", as_parquet(head, rows))
    else:
        (place / f"{name}.parquet").unlink(missing_ok=True)


def _fixed(point: Point, axes: Sequence[str]) -> list[Any]:
    places = [shown(point.values[axis]) for axis in axes]
    seed = None if point.over_seeds else point.seed
    first = [point.run, point.setting, seed, point.subject, *places, point.step, point.photos]
    return [*first, point.state, point.word, " ".join(point.failed_gates), " ".join(point.earlier)]


def _numbers(point: Point, columns: Sequence[Column]) -> list[Any]:
    found: list[Any] = []
    for column in columns:
        cell = point.cells.get(column.key)
        found += (
            [None] * 5 if cell is None else [cell.value, cell.low, cell.high, cell.n, point.kinds.get(column.key)]
        )
    return found
