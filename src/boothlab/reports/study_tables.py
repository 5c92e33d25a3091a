"""The tables of a study as CSV, Parquet, Markdown and LaTeX: the same rows, the same bytes for the same numbers."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import io
from collections.abc import Sequence
from typing import Any


def as_csv(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Comma-separated; floats as they read back, None empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([["" if v is None else repr(v) if isinstance(v, float) else v for v in row] for row in rows])
    return buffer.getvalue()


NO_PARQUET = "Parquet files are left out: pyarrow is not installed (pip install 'boothlab[parquet]')."


def has_parquet() -> bool:
    """Whether Parquet can be written here."""
    return importlib.util.find_spec("pyarrow") is not None


def as_parquet(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """A Parquet file: whole numbers, floats and text as such, None as null; a column of None alone holds floats, one
    of numbers and text holds text.

    Raises ModuleNotFoundError without pyarrow; ask :func:`has_parquet` first.
    """
    pyarrow = importlib.import_module("pyarrow")
    columns = {}
    for index, name in enumerate(head):
        values = [row[index] for row in rows]
        kinds = {type(value) for value in values if value is not None}
        if len(kinds - {int, float}) and len(kinds) > 1:
            values = [None if value is None else str(value) for value in values]
        kind = pyarrow.float64() if not kinds or kinds == {float} or kinds == {int, float} else None
        columns[name] = pyarrow.array(values, type=kind)
    sink = io.BytesIO()
    importlib.import_module("pyarrow.parquet").write_table(pyarrow.table(columns), sink)
    return sink.getvalue()


def as_markdown(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; floats to three digits."""
    lines = [head, ["---"] * len(head), *[[_short(value) for value in row] for row in rows]]
    return "".join("| " + " | ".join(_line(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


LATEX = {
    "\\": "\\textbackslash{}",
    "&": "\\&",
    "%": "\\%",
    "_": "\\_",
    "#": "\\#",
    "$": "\\$",
    "{": "\\{",
    "}": "\\}",
    "^": "\\textasciicircum{}",
    "~": "\\textasciitilde{}",
}


def as_latex(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A LaTeX ``tabular`` with booktabs rules; floats to three digits."""

    def line(cells: Sequence[Any]) -> str:
        return " & ".join("".join(LATEX.get(letter, letter) for letter in _line(cell)) for cell in cells) + " \\\\\n"

    body = "".join(line([_short(value) for value in row]) for row in rows)
    columns = "l" * len(head)
    return (
        f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{line(head)}\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n"
    )


def _line(cell: Any) -> str:
    """A cell on one line, as tables of lines must have it."""
    return " ".join(str(cell).split())


def _short(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
