"""The command on a run's page, which works where the page was made; and what a refused `report` says and leaves."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from boothlab import api
from boothlab.api import reporting
from boothlab.api.reporting import advice
from boothlab.api.studies.traces import mark
from boothlab.errors import PlanError
from boothlab.runs.events import Stepped
from boothlab.runs.run import create_run, open_run
from study_made import RATE, write_study

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


def test_a_refused_report_of_a_study_leaves_nothing_and_says_where_it_looked(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped --studies made a study's folder there, and said that no run was trained: they were, elsewhere."""
    file = write_study(tmp_path, tiny_sd, axes={RATE: [1e-3, 1e-2]})
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PlanError) as found:
        api.report_study(file, Path("typo"))
    assert found.value.message == f"No run of {file} has been trained and scored in {Path('typo', 'rates')}."
    assert "--studies" in found.value.hint
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("root", "here", "given", "copy", "command"),
    [
        ("studies", ".", "studies/rates", True, "report studies/rates/study.toml"),
        ("studies", ".", "studies/rates", False, "report STUDY.toml"),
        ("of Ada", ".", "of Ada/rates", True, "report 'of Ada/rates/study.toml' --studies 'of Ada'"),
        ("of Ada", "of Ada/rates", ".", True, "report '{0}/of Ada/rates/study.toml' --studies '{0}/of Ada'"),
    ],
)
def test_the_folder_of_a_study_is_told_how_its_page_is_made(
    root: str, here: str, given: str, copy: bool, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / root / "rates").mkdir(parents=True)
    mark(tmp_path / root / "rates", ["ada"])
    if copy:
        (tmp_path / root / "rates" / "study.toml").write_text("")
    monkeypatch.chdir(tmp_path / here)
    with pytest.raises(PlanError, match="is a study, not a run folder") as found:
        api.report(Path(given))
    assert found.value.hint == f"boothlab {command.format(tmp_path.resolve())}"


def test_the_page_of_a_killed_run_says_how_far_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It said "lost · 0 steps" above the verdict on step 2: the status is written when a training begins and ends."""
    run = create_run(tmp_path, "ada", "1a2b3c4d" * 8, None, {}, "", {})
    run.move("running", 0)
    run.say(Stepped(12, 0.1, 0.1, None, 1.0, 1e-3, 0.5))
    summary = {"rulings": [], "remarks": [], "nulls": {}, "unavailable": [], "crossings": []}
    stubs = {
        "plan_of": OTHER,
        "summary_of": summary,
        "summaries_of": [],
        "evaluation_pictures": {},
        "snapshots_of": [],
    }
    for name, value in {**stubs, "photo_sets_of": {}, "for_others": OTHER, "to_toml": ""}.items():
        monkeypatch.setattr(reporting, name, lambda *given, value=value: value)
    monkeypatch.setattr(reporting, "render", lambda info: f"{info.steps} steps")
    assert reporting.page_of(run) == "12 steps"
