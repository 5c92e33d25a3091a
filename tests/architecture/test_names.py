"""No dumping grounds, no hidden doors: file names, public names, remarks, paths, writes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import boothlab
from source_tree import ROOT, SOURCE, Module, modules, parse

FORBIDDEN = re.compile(r"(utils?|helpers?|common|misc|tools?|stuff)|base_\w+|\w+_(utils?|helpers?)")

WRITERS = {"boothlab.files", "boothlab.models.weights", "boothlab.runs.events"}
"""The only modules that may open a file for writing: atomic files, safetensors, the append-only event log."""

PATHS = re.compile(
    r"""(?<![\w.{}/:<!-])(?:/(?:home|root|work|tmp|Users|mnt|opt|usr|var)/|\b[A-Z]:\\(?!\\?Users\\\\?me))"""
)
TODO = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#?\d+\))")
ALL = modules()


def test_no_dumping_grounds() -> None:
    names = {path.relative_to(SOURCE).as_posix(): path.stem for path in SOURCE.rglob("*.py")}
    assert [place for place, stem in names.items() if FORBIDDEN.fullmatch(stem)] == []
    assert [p.name for p in SOURCE.rglob("*") if p.is_dir() and FORBIDDEN.fullmatch(p.name)] == []


@pytest.mark.parametrize("name", ["utils", "helper", "common", "misc", "base_model", "image_utils"])
def test_the_name_rule_bites(name: str) -> None:
    assert FORBIDDEN.fullmatch(name)


def test_public_names() -> None:
    assert boothlab.__all__ == sorted(boothlab.__all__, key=lambda name: (name.islower(), name))
    assert dir(boothlab) == sorted(boothlab.__all__)
    for name in boothlab.__all__:
        assert getattr(boothlab, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'trainer'"):
        boothlab.trainer  # noqa: B018


def test_api_names_are_sorted_functions() -> None:
    assert boothlab.api.__all__ == sorted(boothlab.api.__all__)
    assert all(callable(getattr(boothlab.api, name)) for name in boothlab.api.__all__)


@pytest.mark.parametrize("module", [m for m in ALL if "__all__" in m.text], ids=lambda m: m.name)
def test_every_listed_name_exists(module: Module) -> None:
    listed = [
        ast.literal_eval(node.value)
        for node in module.tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    imported = __import__(module.name, fromlist=["_"])
    for name in listed[0]:
        assert hasattr(imported, name)


def opens_for_writing(module: Module) -> list[int]:
    """Lines that open a file in a mode that changes it, or call pathlib's one-shot writers."""
    found = []
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).split(".")[-1]
        own = ast.unparse(node.func) in ("write_text", "write_bytes")  # imported from boothlab.files
        if called in ("write_text", "write_bytes", "touch") and not own:
            found.append(node.lineno)
        if called in ("open", "fdopen"):
            modes = [*node.args, *(k.value for k in node.keywords if k.arg == "mode")]
            texts = [m.value for m in modes if isinstance(m, ast.Constant) and isinstance(m.value, str)]
            if any(re.fullmatch(r"[rwaxbt+]{1,4}", text) and set(text) & set("wax+") for text in texts):
                found.append(node.lineno)
    return found


@pytest.mark.parametrize("module", [m for m in ALL if m.name not in WRITERS], ids=lambda m: m.name)
def test_only_files_writes_files(module: Module) -> None:
    assert opens_for_writing(module) == []


@pytest.mark.parametrize(
    "line",
    ["open('x', 'w')", "path.open('ab')", "open(x, mode='r+')", "path.write_text('x')", "Path(p).write_bytes(b'')"],
)
def test_a_planted_write_is_caught(line: str) -> None:
    assert opens_for_writing(parse(Path("planted.py"), "boothlab.api.planted", line)) == [1]
    assert opens_for_writing(parse(Path("p.py"), "p", "open(p)\npath.open('rb')\nwrite_text(p, 'x')")) == []


def written_by_us() -> list[Path]:
    """Source, documentation and the files at the top, as text."""
    places = [*SOURCE.rglob("*.py"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("scripts/*")]
    return sorted(path for path in places if path.is_file())


@pytest.mark.parametrize("path", written_by_us(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_stray_remarks_and_no_paths_of_one_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert TODO.findall(text) == []
    assert PATHS.findall(text) == []


def test_the_text_rules_bite() -> None:
    assert TODO.search("# TODO: later")
    assert not TODO.search("# TODO(#12): later")
    assert PATHS.search("see " + "/ho" + "me/ada/photos")
    assert not PATHS.search("photos/home/x and https://example.org/home/x")
