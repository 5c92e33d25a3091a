"""`train --track`: what dashboards hold of a run that was killed, extended, moved, or had ended."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boothlab import api
from boothlab.api.resolving import resolve, run_of
from boothlab.errors import RunBusy
from boothlab.plan import RunPlan, plan_from
from boothlab.runs.events import Event, Extended, Stepped, Warned
from boothlab.runs.run import Run
from photos_made import photo_folder
from trackers_made import FakeMlflow, Told


def plan(base: Path, place: Path, **training: Any) -> RunPlan:
    """Four steps without class images."""
    tree = {
        "name": "ada",
        "subjects": [{"name": "ada", "photos": str(photo_folder(place / "photos", 2)), "identifier": "nlwx"}],
        "base": {"model": str(base), "device": "cpu"},
        "objective": {"prior_preservation": False},
        "training": {"steps": 4, "threads": 1, **training},
    }
    return plan_from(tree, "test")


LOOKING = {"validation": {"preview": {"every": 1}}}


def on_tensorboard(run: Run) -> tuple[list[int], dict[str, list[int]]]:
    """The steps of the loss curve, and those of every row of pictures."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    told = EventAccumulator(str(run.path / "tracking" / "tensorboard"), {"images": 0})  # 0 = all
    told.Reload()
    shown = {tag: [point.step for point in told.Images(tag)] for tag in told.Tags()["images"]}
    return [point.step for point in told.Scalars("train/loss")], shown


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> FakeMlflow:
    """The stand-in, installed."""
    fake = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    return fake


def loss_steps(told: Told) -> list[int]:
    """The steps of MLflow's loss curve."""
    return [step for name, _, step in told.metrics if name == "train/loss"]


def test_tensorboard_holds_every_step_and_the_training_is_the_same(tiny_sd: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracked = api.train(plan(tiny_sd, tmp_path), tmp_path / "a", track=["tensorboard"])
    plain = api.train(plan(tiny_sd, tmp_path), tmp_path / "b")
    told = EventAccumulator(str(tracked.path / "tracking" / "tensorboard"))
    told.Reload()
    losses = [event.loss for event in plain.events() if isinstance(event, Stepped)]
    curve = told.Scalars("train/loss")
    assert [point.step for point in curve] == [1, 2, 3, 4]
    assert [point.value for point in curve] == pytest.approx(losses, rel=1e-6)
    weights = [
        (run.path / "snapshots" / "step-000004" / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
        for run in (tracked, plain)
    ]
    assert weights[0] == weights[1]


class Unplugged(BaseException):
    """What ends a training between two events."""


def end_at(step: int) -> Callable[[Event], None]:
    """Pulls the plug when this step has been taken."""

    def listen(event: Event) -> None:
        if event.step == step:
            raise Unplugged

    return listen


def after_a_kill(base: Path, place: Path, at: int, checkpoint_every: int, tracker: str) -> Run:
    """A run killed after ``at`` steps, and trained to its end by the same command again."""
    wanted = plan(base, place, checkpoint_every=checkpoint_every, **LOOKING)
    with pytest.raises(Unplugged):
        api.train(wanted, place / "runs", listen=end_at(at), track=[tracker])
    (killed,) = (place / "runs").iterdir()
    if at % checkpoint_every:  # the one that a training saves when it is told to stop, as a killed one cannot
        shutil.rmtree(killed / "checkpoints" / f"step-{at:06d}")
    return api.train(wanted, place / "runs", track=[tracker])


KILLS = pytest.mark.parametrize("checkpoint_every", [2, 9], ids=["from its checkpoint", "from the start"])


@KILLS
def test_tensorboard_shows_every_step_once_after_a_kill(tiny_sd: Path, tmp_path: Path, checkpoint_every: int) -> None:
    """The last step that was said was passed on, so nothing was void and steps after the checkpoint stood twice."""
    run = after_a_kill(tiny_sd, tmp_path, 3, checkpoint_every, "tensorboard")
    assert on_tensorboard(run) == ([1, 2, 3, 4], {"previews/ada-00-00": [0, 1, 2, 3, 4]})


@KILLS
def test_mlflow_shows_every_step_once_after_a_kill(
    tiny_sd: Path, tmp_path: Path, mlflow: FakeMlflow, checkpoint_every: int
) -> None:
    """Its run went on, and steps past the checkpoint stood in it twice."""
    after_a_kill(tiny_sd, tmp_path, 3, checkpoint_every, "mlflow")
    assert [loss_steps(told) for told in mlflow.stores] == [[1, 2, 3], [1, 2, 3, 4]]
    assert mlflow.stores[1].artifacts == [f"previews/step-{step:06d}/ada-00-00.png" for step in range(5)]


def test_a_run_that_extends_another_shows_the_steps_and_pictures_that_it_took_over(
    tiny_sd: Path, tmp_path: Path, mlflow: FakeMlflow
) -> None:
    """Its curve began after them, and their pictures all stood at the step that it went on from."""
    api.train(plan(tiny_sd, tmp_path, **LOOKING), tmp_path / "runs")
    longer = plan(tiny_sd, tmp_path, **LOOKING | {"steps": 6})
    run = api.train(longer, tmp_path / "runs", track=["tensorboard", "mlflow"])
    assert any(isinstance(event, Extended) for event in run.events())
    assert on_tensorboard(run) == ([1, 2, 3, 4, 5, 6], {"previews/ada-00-00": [0, 1, 2, 3, 4, 5, 6]})
    assert loss_steps(mlflow.stores[0]) == [1, 2, 3, 4, 5, 6]
    assert mlflow.stores[0].artifacts == [f"previews/step-{step:06d}/ada-00-00.png" for step in range(7)]


def test_a_finished_run_is_told_to_dashboards_that_did_not_hear_it(
    tiny_sd: Path, tmp_path: Path, mlflow: FakeMlflow
) -> None:
    wanted = plan(tiny_sd, tmp_path, **LOOKING)
    api.train(wanted, tmp_path / "runs")
    run = api.train(wanted, tmp_path / "runs", track=["tensorboard", "mlflow"])
    assert on_tensorboard(run) == ([1, 2, 3, 4], {"previews/ada-00-00": [0, 1, 2, 3, 4]})
    assert loss_steps(mlflow.stores[0]) == [1, 2, 3, 4]
    assert mlflow.stores[0].status == "FINISHED"


def test_a_run_that_was_moved_tells_its_dashboards_where_it_lies(
    tiny_sd: Path, tmp_path: Path, mlflow: FakeMlflow
) -> None:
    """MLflow went on writing to the place that it knew."""
    wanted = plan(tiny_sd, tmp_path, checkpoint_every=2, **LOOKING)
    with pytest.raises(Unplugged):
        api.train(wanted, tmp_path / "old", listen=end_at(2), track=["mlflow"])
    (tmp_path / "old").rename(tmp_path / "new")
    run = api.train(wanted, tmp_path / "new", track=["mlflow"])
    assert not (tmp_path / "old").exists()
    shown = (run.path / "tracking" / "mlflow" / "store").rglob("ada-00-00.png")
    assert sorted(path.parent.name for path in shown) == [f"step-{step:06d}" for step in range(5)]


@pytest.mark.parametrize("killed", [False, True], ids=["from the start", "from its checkpoint"])
def test_a_dashboard_that_cannot_be_opened_stops_no_training_and_is_told_in_its_log(
    tiny_sd: Path, tmp_path: Path, mlflow: FakeMlflow, killed: bool
) -> None:
    def refuse() -> None:
        raise OSError("read-only")

    wanted = plan(tiny_sd, tmp_path, checkpoint_every=2)
    if killed:
        with pytest.raises(Unplugged):
            api.train(wanted, tmp_path / "runs", listen=end_at(3))
        shutil.rmtree(next((tmp_path / "runs").iterdir()) / "checkpoints" / "step-000003")
    mlflow.before_run = refuse
    run = api.train(wanted, tmp_path / "runs", track=["mlflow"])
    assert run.status().state == "finished"
    told = [event for event in run.events() if isinstance(event, Warned) and event.code == "tracker"]
    assert told == [Warned(2 if killed else 0, "tracker", "mlflow failed and is left out: OSError: read-only")]


def test_a_command_that_is_refused_tells_the_dashboards_of_a_live_run_nothing(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opened them before it asked whether the run is free, and MLflow called the live run killed."""
    opened: list[str] = []
    monkeypatch.setattr("boothlab.api.tracked.open_trackers", lambda *given: opened.append(given[2]) or [])
    wanted = plan(tiny_sd, tmp_path)
    run = run_of(resolve(wanted), tmp_path / "runs")
    with run.writing(), pytest.raises(RunBusy):
        api.train(wanted, tmp_path / "runs", track=["tensorboard"])
    assert opened == []
    api.train(wanted, tmp_path / "runs", track=["tensorboard"])
    assert opened == [run.name]


def test_dashboards_are_not_told_where_photos_and_models_lie(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "boothlab.api.tracked.open_trackers", lambda names, folder, run, plan, warn: told.append(plan) or []
    )
    photo_folder(tmp_path / "refs", 3, size=(64, 72))
    wanted = plan(tiny_sd, tmp_path)
    wanted = wanted.model_copy(update={"photos": wanted.photos.model_copy(update={"references": tmp_path / "refs"})})
    api.train(wanted, tmp_path / "runs", track=["tensorboard"])
    assert told[0]["photos.references"] == "refs"
    assert not [value for value in told[0].values() if str(tmp_path) in str(value) or str(tiny_sd) in str(value)]
