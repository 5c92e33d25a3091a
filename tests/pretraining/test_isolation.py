"""Ground truth stays where it belongs: nothing outside `pretraining` and the tests may import the recipe."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import boothlab

ROOT = Path(__file__).parents[2]
RUNTIME = sorted(Path(boothlab.__file__).parent.rglob("*.py"))
OTHERS = sorted(path for folder in ("scripts", "benchmarks", "presets") for path in (ROOT / folder).rglob("*.py"))
DRAWING_LIBRARIES = {"pretraining", "dicebear", "dicebear_styles", "resvg_py", "open_clip"}


def imported(path: Path) -> set[str]:
    """Top-level names of everything that a file imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            names.add(ast.unparse(node.args[0]).strip("'\"").split(".")[0])
    return names


@pytest.mark.parametrize("path", RUNTIME + OTHERS, ids=lambda path: path.name)
def test_no_ground_truth_outside(path: Path) -> None:
    assert not imported(path) & DRAWING_LIBRARIES


def test_the_search_finds_what_it_looks_for() -> None:
    assert "pretraining" in imported(ROOT / "pretraining" / "gates.py")
    assert "boothlab" in imported(ROOT / "pretraining" / "gates.py")
