"""A study of which a part fails: the rest has its page, the page says what failed, and no reason is lost."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boothlab import api
from boothlab.api.studies import running as studying
from boothlab.api.studies.reporting import Reported
from boothlab.api.studies.running import noted
from boothlab.errors import Cancelled, MachineError, PlanError
from boothlab.files import read_json, write_json
from boothlab.training import loop
from study_made import RATE, base_plan, write_study


@pytest.fixture
def study(tiny_sd: Path, tmp_path: Path) -> tuple[Path, Path, Reported]:
    """Two rates, trained, scored and reported: the study's file, where studies are, and what came of it."""
    file = write_study(tmp_path, tiny_sd, axes={RATE: [1e-3, 1e-2], "training.steps": [2]})
    return file, tmp_path / "studies", api.study(file, tmp_path / "studies")


def scorer(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """From now on the run in this folder cannot be scored."""
    own = studying.evaluate_run

    def evaluate(run: Any, *given: Any) -> Any:
        if run.name == folder:
            raise RuntimeError("the scorer died")
        return own(run, *given)

    monkeypatch.setattr(studying, "evaluate_run", evaluate)


def test_earlier_scores_of_a_run_that_cannot_be_scored_again_are_told_as_such(
    study: tuple[Path, Path, Reported], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stood on the page as if nothing had happened, and only the exit code knew."""
    file, root, first = study
    scorer(monkeypatch, first.points[0].folder)
    again = api.study(file, root)
    assert [point.state for point in again.points] == ["done", "done"]
    said = "has earlier scores; scoring it again failed: RuntimeError: the scorer died"
    assert [point.reason for point in again.points] == [said, ""]
    assert [len(again.failed), said in again.report.read_text()] == [1, True]


def test_a_damaged_run_stops_nobody_elses(study: tuple[Path, Path, Reported]) -> None:
    """`check`, `study` and `report` of all runs ended at one file."""
    file, root, first = study
    broken = root / "rates" / "runs" / first.points[0].folder / "status.json"
    broken.write_text("{")
    api.check_study(file, root)
    again = api.study(file, root)
    assert [(point.state, point.reason) for point in again.points] == [("done", ""), ("done", "")]
    (failed,) = again.failed
    assert (failed.folder, failed.stage) == (first.points[0].folder, "training")
    assert str(broken) in failed.reason
    assert [point.state for point in api.report_study(file, root).points] == ["done", "done"]


def test_a_run_with_scores_of_older_code_leaves_the_others_their_page(
    study: tuple[Path, Path, Reported], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run that could not be scored again took the whole study's page with it."""
    file, root, first = study
    summary = root / "rates" / "runs" / first.points[0].folder / "summary.json"
    write_json(summary, {**read_json(summary), "scoring": 1})
    scorer(monkeypatch, first.points[0].folder)
    again = api.study(file, root)
    assert [point.state for point in again.points] == ["failed", "done"]
    assert again.points[0].reason == "evaluation: RuntimeError: the scorer died"
    so_far = api.report_study(file, root)
    assert [point.state for point in so_far.points] == ["failed", "done"]
    other = root / "rates" / "runs" / first.points[1].folder / "summary.json"
    write_json(other, {**read_json(other), "scoring": 1})
    with pytest.raises(PlanError, match="scored by an older boothlab"):
        api.report_study(file, root)


def test_why_a_training_failed_is_not_lost_where_the_next_call_is_stopped_before_it(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, root = write_study(tmp_path, tiny_sd, axes={RATE: [1e-3, 1e-2, 1e-1]}), tmp_path / "studies"
    own, failing = studying.make_run, {1e-2: RuntimeError("out of luck"), 1e-1: RuntimeError("worse luck")}

    def train(resolved: Any, *given: Any) -> Any:
        error = failing.get(resolved.plan.strategy.learning_rate)
        if error is not None:
            raise error
        return own(resolved, *given)

    monkeypatch.setattr(studying, "make_run", train)
    first = api.study(file, root)
    assert [outcome.reason for outcome in first.failed] == ["RuntimeError: out of luck", "RuntimeError: worse luck"]
    failing[1e-2] = Cancelled("stopped")  # type: ignore[assignment]
    with pytest.raises(Cancelled):
        api.study(file, root)
    so_far = api.report_study(file, root)
    assert [point.reason for point in so_far.points] == [
        "", "training: RuntimeError: out of luck", "training: RuntimeError: worse luck",
    ]  # fmt: skip
    study, _ = api.check_study(file, root)
    kept = replace(study, runs=study.runs[:2])
    studying.note(kept, noted(study)[:1])
    assert [outcome.runs for outcome in noted(study)] == [("learning rate 0.001",), ("learning rate 0.01",)]


def test_what_a_training_had_when_it_died_is_reported_by_report_too(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two lengths the shorter one was kept and scored: `study` wrote a page, `report` said there was nothing."""
    file, root = write_study(tmp_path, tiny_sd, axes={"training.steps": [2, 4]}), tmp_path / "studies"

    def diverging(step: int, passes: Any) -> None:
        if step >= 3:
            raise MachineError("The loss is not a number.")

    monkeypatch.setattr(loop, "_require_finite", diverging)
    for points in (api.study(file, root).points, api.report_study(file, root).points):
        assert [(point.state, point.reason) for point in points] == [
            ("done", ""), ("failed", "training: The loss is not a number."),
        ]  # fmt: skip


def test_a_changed_plan_does_not_inherit_why_another_one_failed(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of a grid keep their names when the plan below them changes; their folders do not."""
    file, root = write_study(tmp_path, tiny_sd, axes={RATE: [1e-3, 1e-2]}), tmp_path / "studies"
    own = studying.evaluate_run

    def failing(run: Any, *given: Any) -> Any:
        raise RuntimeError("not a number")

    monkeypatch.setattr(studying, "evaluate_run", failing)
    assert len(api.study(file, root).failed) == 2
    monkeypatch.setattr(studying, "evaluate_run", own)
    changed = base_plan(tiny_sd, "photos")
    changed["objective"]["class_images"] = 5
    write_study(tmp_path, tiny_sd, plan=changed, axes={RATE: [1e-3, 1e-2]})
    calls: list[int] = []

    def stopped(run: Any, *given: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise Cancelled("stopped")
        return own(run, *given)

    monkeypatch.setattr(studying, "evaluate_run", stopped)
    with pytest.raises(Cancelled):
        api.study(file, root)
    points = api.report_study(file, root).points
    assert [(point.state, point.reason) for point in points] == [("done", ""), ("not yet", "")]


@pytest.mark.parametrize("gone", ["photos", "photos/*/000*"])
def test_a_run_without_its_photos_stops_nobody_elses_page(gone: str, study: tuple[Path, Path, Reported]) -> None:
    """`report` of the whole study ended there; the study puts them back and has all its runs again."""
    file, root, first = study
    for path in (root / "rates" / "runs" / first.points[0].folder).glob(gone):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    told = api.report_study(file, root)
    assert [point.state for point in told.points] == ["failed", "done"]
    assert "running the study puts them back" in told.points[0].reason
    assert told.points[0].reason in told.report.read_text()
    assert [point.state for point in api.study(file, root).points] == ["done", "done"]


def test_a_mean_of_a_training_that_failed_fails_with_it_and_the_others_are_made(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes, root = {RATE: [1e-3, 1e-2], "training.steps": [2, 4]}, tmp_path / "studies"
    file = write_study(tmp_path, tiny_sd, axes=axes, means=[{"name": "m", "over": [RATE]}])
    own, failing = loop._require_finite, {3}

    def diverging(step: int, passes: Any) -> None:
        if step in failing:
            raise MachineError("The loss is not a number.")
        own(step, passes)

    monkeypatch.setattr(loop, "_require_finite", diverging)
    found = api.study(file, root)
    states = {point.run: (point.state, point.reason) for point in found.points}
    assert states["m, steps 2"] == ("done", "")
    state, reason = states["m, steps 4"]
    assert (state, reason.endswith("/step-000004, one of those averaged, is not there.")) == ("failed", True), reason
    failing.clear()
    assert not api.study(file, root).failed, "given again, all is made"
