"""The command on a run's page: it works where the page was made."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from boothlab.api.reporting import advice
from boothlab.runs.run import create_run, open_run

OTHER: Any = SimpleNamespace(base=SimpleNamespace(model="/models/sd15"))
"""Of a plan, what the advice depends on: a base model that is not the built-in one."""


@pytest.mark.parametrize(
    ("root", "here", "expected"),
    [
        ("runs", ".", "runs/ada-1a2b3c4d"),
        ("out/runs", ".", "out/runs/ada-1a2b3c4d"),
        ("out/runs", "out/runs/ada-1a2b3c4d", "."),
        ("out/runs", "elsewhere", "../out/runs/ada-1a2b3c4d"),
        ("of Ada's/runs", ".", "of Ada's/runs/ada-1a2b3c4d"),
    ],
)
@pytest.mark.parametrize("given", ["whole", "relative"])
def test_the_export_command_works_from_the_current_folder(
    root: str, here: str, expected: str, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create_run(tmp_path / root, "ada", "1a2b3c4d" * 8, None, {}, "", {}).path
    (tmp_path / here).mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / here)
    command = advice(open_run(made if given == "whole" else Path(expected)), OTHER)[1]
    assert shlex.split(command) == ["boothlab", "export", expected, "--to", "FOLDER"]
    assert open_run(Path(expected)).path.samefile(made)


def test_from_far_away_the_page_does_not_say_where_on_this_disk_the_run_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create_run(tmp_path / "runs", "ada", "1a2b3c4d" * 8, None, {}, "", {})
    monkeypatch.chdir(tmp_path.anchor)
    assert advice(made, OTHER)[1] == "boothlab export '…/runs/ada-1a2b3c4d' --to FOLDER"
