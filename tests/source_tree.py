"""What the source says without running it: modules, imports, names, sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "boothlab"

FLOORS: dict[str, int] = {
    "errors": 0,
    "files": 0,
    "config": 0,
    "seeds": 0,
    "home": 0,
    "progress": 0,
    "privacy": 0,
    "assets": 0,
    "runs": 1,
    "photos": 1,
    "diffusion": 1,
    "subjects": 1,
    "statistics": 1,
    "models": 2,
    "features": 2,
    "strategies": 3,
    "metrics": 3,
    "preparing": 4,
    "training": 4,
    "tracking": 4,
    "generation": 4,
    "evaluation": 4,
    "plan": 5,
    "reports": 5,
    "studies": 5,
    "api": 6,
    "cli": 7,
    "__main__": 8,
    "web": 7,
}
"""Room → floor. A module imports its own room and lower floors."""

ALSO_ALLOWED = {
    ("files", "errors"): "a failed write becomes an error of the house",
    ("config", "errors"): "a bad plan becomes an error of the house",
    ("features", "models"): "weights of features are read like weights of models; models never asks for a feature",
    ("evaluation", "generation"): "what is scored are pictures that were drawn",
    ("reports", "plan"): "a report is about a plan",
    ("studies", "plan"): "a study is about plans",
}
"""(importing room, imported room) on one floor → why. One way only: the reverse is a violation."""

APART = {("diffusion", "photos"), ("photos", "diffusion")}
"""Rooms that never import each other although no floor forbids it."""

FENCES: dict[str, tuple[str, ...]] = {
    "diffusers": ("models",),
    "peft": ("models",),
    "transformers": ("models", "features"),
}
"""Library → the only rooms that may import it."""


@dataclass(frozen=True)
class Module:
    """One source file of the package."""

    path: Path
    name: str
    tree: ast.Module
    text: str

    @property
    def room(self) -> str:
        """The first part of its dotted name below the package; empty for the package itself."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else ""


def parse(path: Path, name: str, text: str | None = None) -> Module:
    """The module in ``path``, or in ``text``."""
    text = text if text is not None else path.read_text(encoding="utf-8")
    return Module(path, name, ast.parse(text), text)


def dotted(path: Path, source: Path = SOURCE) -> str:
    """The module name of a file below ``source``."""
    parts = ["boothlab", *path.relative_to(source).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(source: Path = SOURCE) -> list[Module]:
    """Every module of the package."""
    return [parse(path, dotted(path, source)) for path in sorted(source.rglob("*.py"))]


def imported_names(module: Module) -> Iterator[tuple[str, int]]:
    """(full dotted name, line) of everything that the module imports anywhere, type-checking blocks included."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{_origin(module, node)}.{alias.name}", node.lineno) for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("import_module")
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value), node.lineno


def _origin(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".") if module.path.name == "__init__.py" else module.name.split(".")[:-1]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def only_for_types(module: Module) -> set[int]:
    """Lines inside ``if TYPE_CHECKING:`` blocks, which never run."""
    lines: set[int] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for inner in node.body:
                lines |= set(range(inner.lineno, (inner.end_lineno or inner.lineno) + 1))
    return lines


def floor_violations(module: Module) -> list[str]:
    """Every import of ``module`` that goes up, sideways, or over a fence, as one line each."""
    found = []
    for name, line in imported_names(module):
        where = f"{module.name}:{line}"
        top = name.split(".")[0]
        if top in FENCES and module.room not in FENCES[top]:
            found.append(f"{where}: only {' and '.join(FENCES[top])} may import {top}")
        if top == "pretraining":
            found.append(f"{where}: nothing that ships may import pretraining")
        if top == "boothlab" and module.room:
            problem = _house_problem(module.room, name)
            found += [f"{where}: {problem}"] if problem else []
    return found


def public_homes() -> dict[str, str]:
    """Public name → the module that defines it, as the package's own table says."""
    for node in ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            return dict(ast.literal_eval(node.value))
    raise AssertionError("boothlab/__init__.py has no _HOMES")


def _house_problem(room: str, name: str) -> str | None:
    parts = name.split(".")
    target = parts[1] if len(parts) > 1 else ""
    if target in public_homes():  # through the public door: what counts is where the name lives
        target = public_homes()[target].split(".")[1]
    if target == room or not target or target.startswith("__"):
        return None if target else "imports the public door of the package"
    if target not in FLOORS or room not in FLOORS:
        return f"{target if target not in FLOORS else room} has no floor; give it one in tests/source_tree.py"
    if (room, target) in APART:
        return f"{room} and {target} never import each other"
    if FLOORS[target] < FLOORS[room] or (room, target) in ALSO_ALLOWED:
        return None
    return f"{room} (floor {FLOORS[room]}) imports {target} (floor {FLOORS[target]})"
