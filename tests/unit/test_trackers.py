"""Trackers: against stand-ins that know only the documented calls, and for real where they are installed."""

from __future__ import annotations

import importlib
import platform
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from boothlab.errors import PlanError
from boothlab.photos.photoset import png_bytes
from boothlab.runs.events import Extended, Finished, Previewed, Stepped, Validated
from boothlab.tracking.tracker import TRACKERS, Tracking, open_trackers, values_of
from trackers_made import FakeMlflow

STEP = Stepped(3, loss=0.5, instance_loss=0.4, class_loss=None, norm=1.5, lr=1e-4, seconds=0.1)
PLAN: dict[str, Any] = {"name": "ada", "training.steps": 4}


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
        open_trackers(["tensorbord"], Path(), "run", PLAN, print)
    for name in TRACKERS:
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(PlanError, match=rf"(?s){name} is not installed.*boothlab\[track\]"):
            open_trackers([name], Path(), "run", PLAN, print)


class Broken:
    """A tracker whose disk, server or patience ends."""

    def log(self, step: int, values: object) -> None:
        raise RuntimeError("out of quota")


def test_a_tracker_that_fails_is_left_out_and_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    tracking = Tracking([Broken()], tmp_path, said.append)  # type: ignore[list-item]
    tracking.hear(STEP)
    tracking.hear(replace(STEP, step=4))
    tracking.end()
    assert said == ["Broken failed and is left out: RuntimeError: out of quota"]


def opened(name: str, folder: Path, warn: Callable[[str], None] = print) -> Tracking:
    """The tracker called so, below ``folder``, beside previews."""
    return Tracking(open_trackers([name], folder, "run", PLAN, warn), folder / "previews", warn)


def test_a_tracker_that_cannot_be_opened_is_left_out_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError("read-only")

    monkeypatch.setitem(sys.modules, "mlflow", FakeMlflow(refuse))
    said: list[str] = []
    tracking = opened("mlflow", tmp_path, said.append)
    tracking.hear(STEP)
    tracking.end()
    assert said == ["mlflow failed and is left out: OSError: read-only"]


def picture(previews: Path, step: int) -> None:
    """One preview of ``step``."""
    place = previews / f"step-{step:06d}"
    place.mkdir(parents=True)
    (place / "ada-00-00.png").write_bytes(png_bytes(np.full((8, 8, 3), 20 * step, np.uint8)))


def hear_all(tracking: Tracking, previews: Path) -> None:
    """What a run says that took over its first three steps from another one, and ends at the fourth."""
    for step in (1, 3, 4):
        picture(previews, step)
        tracking.hear(replace(STEP, step=step))
        tracking.hear(Previewed(step, pictures=1))
        if step == 3:
            tracking.hear(Extended(3, source="other"))
            tracking.hear(Previewed(step, pictures=1))  # a resume finds it already drawn
    tracking.hear(Finished(4))
    tracking.end()


def test_a_preview_is_shown_once_at_its_own_step_under_the_name_of_its_prompt_and_noise(tmp_path: Path) -> None:
    shown: list[tuple[int, str]] = []
    tracker = SimpleNamespace(
        log=lambda step, values: None, picture=lambda step, name, path: shown.append((step, name)), end=print
    )
    hear_all(Tracking([tracker], tmp_path, print), tmp_path)
    assert shown == [(1, "ada-00-00"), (3, "ada-00-00"), (4, "ada-00-00")]


def test_mlflow_is_told_everything_and_made_anew_in_every_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    monkeypatch.setitem(PLAN, "long", "x" * 600)
    for number in range(120):
        monkeypatch.setitem(PLAN, f"setting.{number}", number)
    hear_all(opened("mlflow", tmp_path), tmp_path / "previews")
    (told,) = fake.stores
    assert told.params == {name: str(value) for name, value in PLAN.items()}
    assert [(value, step) for name, value, step in told.metrics if name == "train/loss"] == [
        (0.5, 1),
        (0.5, 3),
        (0.5, 4),
    ]
    assert told.artifacts == [f"previews/step-{step:06d}/ada-00-00.png" for step in (1, 3, 4)]
    assert told.status == "FINISHED"
    opened("mlflow", tmp_path).end()
    assert [store.status for store in fake.stores] == ["FINISHED", "KILLED"]


def test_an_interruption_while_mlflow_opens_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pull() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "mlflow", FakeMlflow(pull))
    with pytest.raises(KeyboardInterrupt):
        opened("mlflow", tmp_path)
    fake, said = FakeMlflow(), list[str]()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    opened("mlflow", tmp_path, said.append).hear(STEP)
    assert said == []
    assert ("train/loss", 0.5, 3) in fake.stores[0].metrics


def test_wandb_is_offline_keeps_its_id_and_is_told_to_record_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    hear_all(opened("wandb", tmp_path), tmp_path / "previews")
    opened("wandb", tmp_path)
    assert [(options["mode"], options["id"]) for options in begun] == [("offline", begun[0]["id"])] * 2
    assert begun[0]["dir"] == str(tmp_path / "wandb")
    assert begun[0]["settings"].items() >= {"x_disable_meta": True, "host": "", "console": "off"}.items()
    assert logged[0][0]["train/loss"] == 0.5
    assert [told for told in logged if "previews/ada-00-00" in told[0]] == [
        ({"previews/ada-00-00": "ada-00-00.png"}, step) for step in (1, 3, 4)
    ]
    assert ended == [0]


def test_wandb_itself_records_no_command_line_and_no_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setattr(sys, "argv", ["boothlab", "train", "/home/ada/secret.toml"])
    monkeypatch.setattr(socket, "gethostname", lambda: "adas-laptop")
    tracking = opened("wandb", tmp_path)
    print("told to nobody")
    hear_all(tracking, tmp_path / "previews")
    wandb.teardown()  # what is said is on the disk only then
    (run,) = tmp_path.glob("wandb/wandb/offline-run-*")
    (told,) = run.glob("*.wandb")
    data = told.read_bytes()
    assert b"train/loss" in data
    private = [
        "secret.toml",
        sys.executable,
        socket.gethostname(),
        platform.platform(),
        str(tmp_path),
        "told to nobody",
    ]
    assert [text for text in private if text.encode() in data] == []
    assert {path.parent.name for path in run.glob("files/**/*") if path.is_file()} == {"previews"}


def test_mlflow_itself_holds_every_step_and_picture_once_below_its_folder(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    opened("mlflow", tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    opened("mlflow", tmp_path / "new").hear(STEP)
    hear_all(opened("mlflow", tmp_path / "new"), tmp_path / "new" / "previews")
    assert not (tmp_path / "old").exists()
    client = mlflow.tracking.MlflowClient(tracking_uri=(tmp_path / "new" / "mlflow" / "store").as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("boothlab").experiment_id])
    assert [point.step for point in client.get_metric_history(run.info.run_id, "train/loss")] == [1, 3, 4]
    steps = [path.path for path in client.list_artifacts(run.info.run_id, "previews")]
    assert steps == [f"previews/step-{step:06d}" for step in (1, 3, 4)]
    assert run.data.params == {name: str(value) for name, value in PLAN.items()}


def test_tensorboard_shows_the_previews_of_a_prompt_and_noise_in_one_row(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    hear_all(opened("tensorboard", tmp_path), tmp_path / "previews")
    told = EventAccumulator(str(tmp_path / "tensorboard"))
    told.Reload()
    assert {tag: [image.step for image in told.Images(tag)] for tag in told.Tags()["images"]} == {
        "previews/ada-00-00": [1, 3, 4]
    }


def test_a_tensorboard_that_is_open_while_a_run_goes_on_shows_every_step_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    told = EventAccumulator(str(tmp_path / "tensorboard"))
    for steps in (5, 4):
        tracking = opened("tensorboard", tmp_path)
        for step in range(1, steps + 1):
            tracking.hear(replace(STEP, step=step))
        tracking.end()
        told.Reload()
        assert [point.step for point in told.Scalars("train/loss")] == list(range(1, steps + 1))
        time.sleep(1.1)  # event files are read in the order of their names, which tell seconds
