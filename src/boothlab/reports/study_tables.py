"""The table of a study as CSV, Markdown and LaTeX: the same rows, the same bytes for the same numbers."""

from __future__ import annotations

import csv
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


def as_markdown(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; floats to three digits."""
    lines = [head, ["---"] * len(head), *[[_short(value) for value in row] for row in rows]]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


LATEX = {
    "\\": "\\textbackslash{}",
    "&": "\\&",
    "%": "\\%",
    "_": "\\_",
    "#": "\\#",
    "$": "\\$",
    "{": "\\{",
    "}": "\\}",
}


def as_latex(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A LaTeX ``tabular`` with booktabs rules; floats to three digits."""

    def line(cells: Sequence[Any]) -> str:
        return " & ".join("".join(LATEX.get(letter, letter) for letter in str(cell)) for cell in cells) + " \\\\\n"

    body = "".join(line([_short(value) for value in row]) for row in rows)
    columns = "l" * len(head)
    return (
        f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{line(head)}\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n"
    )


def _short(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
