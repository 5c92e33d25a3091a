"""`show` of a mean: what its weights are, and nothing of a training that never was."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from boothlab import api
from boothlab.cli.main import main
from boothlab.config.show import to_toml
from boothlab.plan import plan_from
from boothlab.runs.run import Run, create_run

OF = ["/runs/ada-1/snapshots/step-000300", "/runs/ada-2/snapshots/step-000300"]


def run_of(place: Path, strategy: dict[str, Any]) -> Run:
    """A run with this strategy and more settings of a training than the defaults."""
    plan = plan_from(
        {
            "subjects": [{"name": "ada", "photos": "/photos/ada"}],
            "strategy": strategy,
            "objective": {"class_images": 7},
            "training": {"steps": 300},
            "generation": {"steps": 9},
        },
        "test",
    )
    tree = plan.model_dump(mode="json")
    return create_run(place, "ada", "1" * 64, None, tree, to_toml(tree), {})


def said(run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    monkeypatch.setattr(sys, "argv", ["boothlab", "show", str(run.path), *options])
    assert main() == 0
    return capsys.readouterr().out


def test_a_mean_has_no_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mean = run_of(tmp_path, {"kind": "mean", "of": OF})
    told = said(mean, capsys, monkeypatch)
    line = "not trained: its weights are the mean of ada-1/step-000300, ada-2/step-000300"
    assert line in told.splitlines()
    plan = tomllib.loads(told.partition("\n\n")[2])
    assert {"objective", "training"}.isdisjoint(plan)
    assert plan["generation"]["steps"] == 9
    assert plan["strategy"]["of"] == OF
    changed = said(mean, capsys, monkeypatch, "--diff")
    assert line in changed.splitlines()
    assert "generation.steps: 9 (default" in changed
    assert not any(path.startswith(("objective.", "training.")) for path in changed.splitlines())
    tree = json.loads(said(mean, capsys, monkeypatch, "--json"))
    assert {"objective", "training"}.isdisjoint(tree["plan"])


def test_a_training_is_shown_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, {"kind": "dreambooth"})
    assert "not trained" not in said(run, capsys, monkeypatch)
    assert [path for path, _, _ in api.show(run.path).differences] == [
        "generation.steps",
        "objective.class_images",
        "training.steps",
    ]
