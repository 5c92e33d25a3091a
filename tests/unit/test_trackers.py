"""Trackers: TensorBoard for real, the others against stand-ins that know only the documented calls."""

from __future__ import annotations

import importlib
import platform
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from boothlab import api
from boothlab.api.resolving import resolve, run_of
from boothlab.errors import PlanError, RunBusy
from boothlab.photos.photoset import png_bytes
from boothlab.plan import RunPlan, plan_from
from boothlab.runs.events import Event, Extended, Finished, SnapshotSaved, Stepped, Validated, Warned
from boothlab.runs.run import Run
from boothlab.tracking.tracker import TRACKERS, Tracking, open_trackers, values_of
from boothlab.training.config import Preview
from photos_made import photo_folder

STEP = Stepped(3, loss=0.5, instance_loss=0.4, class_loss=None, norm=1.5, lr=1e-4, seconds=0.1)
PLAN = {"name": "ada", "training.steps": 4}


def test_every_tracker_answers_the_same_calls() -> None:
    for module in TRACKERS.values():
        room = importlib.import_module(module)
        assert callable(room.open_tracker)
        assert callable(room.require)


def test_values_are_those_that_exist() -> None:
    assert values_of(STEP)["train/loss"] == 0.5
    assert "train/class_loss" not in values_of(STEP)
    assert values_of(Validated(3, train_loss=1.0, held_out_loss=2.0))["fixed_noise/held_out_loss"] == 2.0
    assert values_of(Finished(3)) == {}


def test_an_unknown_tracker_and_a_missing_library_are_one_sentence_each(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PlanError, match=r"(?s)no tracker 'tensorbord'.*tensorboard, mlflow, wandb"):
        open_trackers(["tensorbord"], Path(), "run", PLAN)
    for name in TRACKERS:
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(PlanError, match=rf"(?s){name} is not installed.*boothlab\[track\]"):
            open_trackers([name], Path(), "run", PLAN)


class Broken:
    """A tracker whose disk, server or patience ends."""

    def log(self, step: int, values: object) -> None:
        raise RuntimeError("out of quota")


def test_a_tracker_that_fails_is_left_out_and_said_once(tmp_path: Path) -> None:
    said: list[Warned] = []
    tracking = Tracking([Broken()], tmp_path, said.append)  # type: ignore[list-item]
    tracking.hear(STEP)
    tracking.hear(STEP)
    tracking.end()
    assert [event.message for event in said] == ["Broken failed and is left out: RuntimeError: out of quota"]


def picture(folder: Path) -> Path:
    import numpy as np

    (folder / "step-000003").mkdir(parents=True)
    path = folder / "step-000003" / "a.png"
    path.write_bytes(png_bytes(np.full((8, 8, 3), 200, np.uint8)))
    return path


def hear_all(tracking: Tracking, previews: Path) -> None:
    tracking.hear(STEP)
    picture(previews)
    tracking.hear(SnapshotSaved(3, name="step-000003", size=1))
    tracking.hear(Finished(4))
    tracking.end()


class FakeClient:
    """MLflow's documented client calls."""

    def __init__(self, tracking_uri: str) -> None:
        assert tracking_uri.startswith("file:///")
        self.calls: list[tuple[Any, ...]] = []
        MADE.append(self)

    def create_experiment(self, name: str, artifact_location: str) -> str:
        assert artifact_location.startswith("file:///")
        return "1"

    def create_run(self, experiment_id: str, run_name: str) -> Any:
        return SimpleNamespace(info=SimpleNamespace(run_id=f"id-of-{run_name}"))

    def log_param(self, run_id: str, key: str, value: str) -> None:
        self.calls.append(("param", key, value))

    def log_metric(self, run_id: str, key: str, value: float, step: int) -> None:
        self.calls.append(("metric", key, value, step))

    def log_artifact(self, run_id: str, local_path: str, artifact_path: str) -> None:
        self.calls.append(("artifact", Path(local_path).name, artifact_path))

    def set_terminated(self, run_id: str, status: str) -> None:
        self.calls.append(("state", run_id, status))


MADE: list[FakeClient] = []


def test_mlflow_writes_to_files_and_a_resume_finds_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake: Any = ModuleType("mlflow")
    fake.tracking = SimpleNamespace(MlflowClient=FakeClient)
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    MADE.clear()
    previews = tmp_path / "previews"
    hear_all(Tracking(open_trackers(["mlflow"], tmp_path, "run", PLAN), previews, print), previews)
    calls = MADE[0].calls
    assert ("param", "training.steps", "4") in calls
    assert ("metric", "train/loss", 0.5, 3) in calls
    assert ("artifact", "a.png", "previews/step-000003") in calls
    assert calls[-1] == ("state", "id-of-run", "FINISHED")
    Tracking(open_trackers(["mlflow"], tmp_path, "run", PLAN, 3), previews, print).end()
    assert MADE[1].calls == [("state", "id-of-run", "RUNNING"), ("state", "id-of-run", "KILLED")]


def test_wandb_is_offline_and_keeps_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[dict[str, Any]] = []
    logged: list[tuple[dict[str, Any], int]] = []
    ended: list[int] = []

    def init(**options: Any) -> Any:
        begun.append(options)
        return SimpleNamespace(
            log=lambda values, step: logged.append((values, step)), finish=lambda exit_code: ended.append(exit_code)
        )

    fake: Any = ModuleType("wandb")
    fake.init, fake.Image, fake.Settings = init, lambda path: Path(path).name, lambda **options: options
    monkeypatch.setitem(sys.modules, "wandb", fake)
    previews = tmp_path / "previews"
    hear_all(Tracking(open_trackers(["wandb"], tmp_path, "run", PLAN), previews, print), previews)
    open_trackers(["wandb"], tmp_path, "run", PLAN, 3)
    assert [options["mode"] for options in begun] == ["offline", "offline"]
    assert begun[0]["id"] == begun[1]["id"]
    assert begun[0]["settings"].items() >= {"x_disable_meta": True, "host": "", "console": "off"}.items()
    assert begun[0]["dir"] == str(tmp_path / "wandb")
    assert logged[0][0]["train/loss"] == 0.5
    assert ({"step-000003/a": "a.png"}, 3) in logged
    assert ended == [0]


def test_wandb_itself_records_no_command_line_and_no_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setattr(sys, "argv", ["boothlab", "train", "/home/ada/secret.toml"])
    monkeypatch.setattr(socket, "gethostname", lambda: "adas-laptop")
    tracking = Tracking(open_trackers(["wandb"], tmp_path, "run", PLAN), tmp_path / "previews", print)
    print("told to nobody")
    hear_all(tracking, tmp_path / "previews")
    wandb.teardown()  # what is said is on the disk only then
    (run,) = tmp_path.glob("wandb/wandb/offline-run-*")
    (told,) = run.glob("*.wandb")
    data = told.read_bytes()
    assert b"train/loss" in data
    private = ("secret.toml", "adas-laptop", "told to nobody", sys.executable, platform.platform(), str(tmp_path))
    assert [text for text in private if text.encode() in data] == []
    assert not (run / "files" / "requirements.txt").exists()


def plan(base: Path, place: Path) -> RunPlan:
    tree = {
        "name": "ada",
        "subjects": [{"name": "ada", "photos": str(photo_folder(place / "photos", 2)), "identifier": "nlwx"}],
        "base": {"model": str(base), "device": "cpu"},
        "objective": {"prior_preservation": False},
        "training": {"steps": 4, "threads": 1},
    }
    return plan_from(tree, "test")


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


def after_a_kill(base: Path, place: Path, at: int, checkpoint_every: int) -> Run:
    """A run killed after ``at`` steps, and trained to its end by the same command again."""
    wanted = plan(base, place)
    looking = wanted.training.validation.model_copy(update={"preview": Preview(every=1)})
    update = {"checkpoint_every": checkpoint_every, "validation": looking}
    wanted = wanted.model_copy(update={"training": wanted.training.model_copy(update=update)})
    with pytest.raises(Unplugged):
        api.train(wanted, place / "runs", listen=end_at(at), track=["tensorboard"])
    (killed,) = (place / "runs").iterdir()
    if at % checkpoint_every:  # the one that a training saves when it is told to stop, as a killed one cannot
        shutil.rmtree(killed / "checkpoints" / f"step-{at:06d}")
    time.sleep(1.1)  # event files are read in the order of their names, which tell seconds
    return api.train(wanted, place / "runs", track=["tensorboard"])


@pytest.mark.parametrize("checkpoint_every", [2, 9], ids=["from its checkpoint", "from the start"])
def test_tensorboard_shows_every_step_once_after_a_kill(tiny_sd: Path, tmp_path: Path, checkpoint_every: int) -> None:
    """The last step that was said was passed on, so nothing was void and steps after the checkpoint stood twice."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = after_a_kill(tiny_sd, tmp_path, 3, checkpoint_every)
    told = EventAccumulator(str(run.path / "tracking" / "tensorboard"))
    told.Reload()
    assert [point.step for point in told.Scalars("train/loss")] == [1, 2, 3, 4]
    shown = {tag: [point.step for point in told.Images(tag)] for tag in told.Tags()["images"]}
    assert shown == {f"step-{step:06d}/ada-00-00": [step] for step in range(5)}


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


def test_previews_taken_over_from_another_run_are_shown(tmp_path: Path) -> None:
    shown: list[tuple[int, str]] = []

    class Shows:
        def picture(self, step: int, name: str, path: Path) -> None:
            shown.append((step, name))

    picture(tmp_path)
    tracking = Tracking([Shows()], tmp_path, print, 3)  # type: ignore[list-item]
    tracking.hear(SnapshotSaved(3, name="step-000003", size=1))
    assert shown == []
    tracking.hear(Extended(3, source="other"))
    assert shown == [(3, "step-000003/a")]


def test_dashboards_are_not_told_where_photos_and_models_lie(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "boothlab.api.tracked.open_trackers", lambda names, folder, run, plan, step: told.append(plan) or []
    )
    photo_folder(tmp_path / "refs", 3, size=(64, 72))
    wanted = plan(tiny_sd, tmp_path)
    wanted = wanted.model_copy(update={"photos": wanted.photos.model_copy(update={"references": tmp_path / "refs"})})
    api.train(wanted, tmp_path / "runs", track=["tensorboard"])
    assert told[0]["photos.references"] == "refs"
    assert not [value for value in told[0].values() if str(tmp_path) in str(value) or str(tiny_sd) in str(value)]


def test_tensorboard_shows_previews(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    previews = tmp_path / "previews"
    hear_all(Tracking(open_trackers(["tensorboard"], tmp_path, "run", PLAN), previews, print), previews)
    told = EventAccumulator(str(tmp_path / "tensorboard"))
    told.Reload()
    assert told.Images("step-000003/a")[0].step == 3
