"""docs/traps.md: every trap has its row, and every test it names exists."""

from __future__ import annotations

import ast
import re

from source_tree import ROOT

TABLE = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")

TRAPS = [
    *(f"L{number}" for number in range(1, 15)),
    *(f"P{number}" for number in (1, 2, *range(6, 13))),
    *(f"C{number}" for number in range(1, 7)),
    "D4",
    "D5",
    "D10",
    *(f"R{number}" for number in range(1, 17)),
    *(f"E{number}" for number in range(1, 13)),
]

ROWS = dict(re.findall(r"^\| ([A-Z]\d+) \| .+? \| (.+) \|$", TABLE, re.M))
"""Number of a trap → what watches for it."""


def defined_in(name: str) -> set[str]:
    """The tests that a file below tests/ defines."""
    tree = ast.parse((ROOT / "tests" / name).read_text(encoding="utf-8"))
    return {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_trap_has_one_row() -> None:
    assert list(ROWS) == TRAPS


def test_every_row_names_a_test_or_a_decision_that_exists() -> None:
    missing = []
    for trap, watch in ROWS.items():
        named = re.findall(r"`([\w/.]+)::(\w+)`", watch)
        decisions = re.findall(r"\]\(([\w/.-]+\.md)\)", watch)
        assert named or decisions, f"{trap} is watched by nothing"
        missing += [f"{trap}: {file}::{name}" for file, name in named if name not in defined_in(file)]
        missing += [f"{trap}: {page}" for page in decisions if not (ROOT / "docs" / page).is_file()]
    assert missing == []
