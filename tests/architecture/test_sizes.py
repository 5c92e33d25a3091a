"""Files, functions, signatures, config nodes and class trees stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from source_tree import Module, modules, parse

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
MOST_PARAMETERS = 8
MOST_FIELDS = 15

ALLOWED: dict[str, str] = {}
""""module" or "module.name" → why it may be larger. Reviewed one by one; keep it short."""

ALL = modules()


def code_lines(module: Module, node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines with code between the signature's end and the function's end: no docstring, no blank, no comment."""
    body = node.body
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        body = body[1:]
    if not body:
        return 0
    lines = module.text.splitlines()[body[0].lineno - 1 : node.end_lineno]
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in lines)


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(module.tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([argument for argument in named if argument.arg not in ("self", "cls")])


def class_bases(all_modules: list[Module]) -> dict[str, tuple[ast.ClassDef, list[str]]]:
    """Class name → its node and the names of its bases; names are unique enough in one house."""
    found = {}
    for module in all_modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                found[node.name] = (node, [ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases])
    return found


def house_ancestors(name: str, classes: dict[str, tuple[ast.ClassDef, list[str]]]) -> list[str]:
    """Classes of the house above ``name``, without Config and without the error tree's root."""
    above = [base for base in classes[name][1] if base in classes]
    return [b for base in above for b in [base, *house_ancestors(base, classes)] if b not in ("Config", "Protocol")]


CLASSES = class_bases(ALL)
ERRORS = {"BoothlabError", *(name for name in CLASSES if "BoothlabError" in house_ancestors(name, CLASSES))}
CONFIGS = [name for name in CLASSES if "Config" in CLASSES[name][1] or "Strategy" in CLASSES[name][1]]


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.name)
def test_file_and_functions_are_short(module: Module) -> None:
    assert len(module.text.splitlines()) <= LONGEST_FILE or module.name in ALLOWED
    for node in functions(module):
        if f"{module.name}.{node.name}" not in ALLOWED:
            assert code_lines(module, node) <= LONGEST_FUNCTION, f"{node.name} is long"
            assert parameters(node) <= MOST_PARAMETERS, f"{node.name} takes many arguments"


def test_config_nodes_are_small() -> None:
    assert len(CONFIGS) > 10
    counts = {name: sum(isinstance(item, ast.AnnAssign) for item in CLASSES[name][0].body) for name in CONFIGS}
    assert {name: count for name, count in counts.items() if count > MOST_FIELDS} == {}


def test_every_config_field_is_documented() -> None:
    for name in CONFIGS:
        body = CLASSES[name][0].body
        for item, following in zip(body, [*body[1:], None], strict=True):
            if isinstance(item, ast.AnnAssign) and ast.unparse(item.target) != "kind":
                documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
                assert documented, f"{name}.{ast.unparse(item.target)} has no docstring"


def test_class_trees_are_flat() -> None:
    deep = {name: house_ancestors(name, CLASSES) for name in CLASSES if name not in ERRORS}
    assert {name: above for name, above in deep.items() if len(above) > 1} == {}


def test_the_allow_list_holds_nothing_that_is_gone() -> None:
    names = {module.name for module in ALL} | {f"{m.name}.{node.name}" for m in ALL for node in functions(m)}
    assert set(ALLOWED) <= names
    assert all(reason for reason in ALLOWED.values())
    assert len(ALLOWED) <= 5


def test_the_measures_measure() -> None:
    text = "def f(a, b, *, c):\n    '''Doc.'''\n    # remark\n\n    x = 1\n    return x\nclass A(Config): ...\n"
    text += "class B(A): ...\nclass C(B): ...\nclass Config: ...\n"
    module = parse(Path("nowhere.py"), "boothlab.nowhere", text)
    node = next(functions(module))
    assert parameters(node) == 3
    assert code_lines(module, node) == 2
    assert house_ancestors("C", class_bases([module])) == ["B", "A"]
    assert house_ancestors("A", class_bases([module])) == []
