"""What goes wrong inside a training: numbers that are none, checkpoints that are damaged, a user who stops it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from boothlab import api
from boothlab.errors import Cancelled, NotFinite
from boothlab.files import folder_listing
from boothlab.models.model import Model
from boothlab.models.sampling import sample
from boothlab.models.weights import load_tensors
from boothlab.plan import RunPlan, load_plan
from boothlab.runs.events import CheckpointSaved, Event, Stepped, Warned
from boothlab.runs.run import Run
from boothlab.strategies import DreamBooth
from boothlab.training import checkpoint
from jobs_made import example, make_job, pool, run, same, settings, tensors
from training_made import make_place, result

Fresh = Callable[[], Model]


@pytest.fixture(scope="module")
def plan(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    """Six steps with a checkpoint every second one."""
    return load_plan(make_place(tmp_path_factory.mktemp("place"), tiny_sd, steps=6).path / "ada.toml")


@pytest.fixture(scope="module")
def undisturbed(plan: RunPlan, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What the plan leaves when nothing goes wrong; only to be read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOTHLAB_HOME", str(tmp_path_factory.mktemp("home")))
        return api.train(plan, tmp_path_factory.mktemp("undisturbed"))


def only_run(root: Path) -> Run:
    (path,) = root.iterdir()
    return Run(path)


def test_loss_that_is_no_number_stops_before_a_weight_is_written(fresh: Fresh, tmp_path: Path) -> None:
    model = fresh()
    bad = pool(model.latent_shape, photos=2)
    spoilt = example("bad", model.latent_shape, 0, "a photo of nlwx person")
    spoilt.posterior.mean_BCHW[0, 0, 0, 0] = float("nan")
    examples = type(bad)((*bad.instances, spoilt), bad.classes)
    job = make_job(model, DreamBooth(), tmp_path, training=settings(9, checkpoint_every=1), examples=examples)
    seen: list[Event] = []
    weights = tensors(model)

    def listen(event: Event) -> bool:
        nonlocal weights
        seen.append(event)
        weights = tensors(model)
        return False

    with pytest.raises(NotFinite, match="is nan on photos"):
        run(job, until=listen)
    assert job.step < 3, "each photo comes once in three steps"
    assert all(same(weights[name], tensor) for name, tensor in tensors(model).items())
    assert checkpoint.steps_in(tmp_path / "checkpoints") == [
        event.step for event in seen if isinstance(event, CheckpointSaved)
    ]
    for path in (tmp_path / "checkpoints").rglob("*.safetensors"):
        assert all(torch.isfinite(tensor).all() for tensor in load_tensors(path).values())
    assert not (tmp_path / "snapshots").exists()


def test_a_look_that_is_no_number_stops_with_its_reason(fresh: Fresh) -> None:
    """It ended in the file of events, which takes no NaN."""
    model = fresh()
    held_out = example("bad", model.latent_shape, 0, "a photo of nlwx person")
    held_out.posterior.mean_BCHW[0, 0, 0, 0] = float("nan")
    job = make_job(model, DreamBooth(), None, training=settings(2))
    job.held_out = (held_out,)
    with pytest.raises(NotFinite, match="loss at fixed noise is nan at step 0"):
        job.look()


def test_gradient_that_is_no_number_stops_too(fresh: Fresh) -> None:
    model = fresh()
    job = make_job(model, DreamBooth(), training=settings(3))
    next(model.backbone().parameters()).register_hook(lambda gradient: gradient * float("inf"))
    before = tensors(model)
    with pytest.raises(NotFinite, match="gradient norm at step 0"):
        run(job)
    assert all(same(before[name], tensor) for name, tensor in tensors(model).items())


def test_a_failed_run_says_why_and_can_be_taken_up(
    plan: RunPlan, undisturbed: Run, tmp_path: Path, monkeypatch: Any
) -> None:
    from boothlab.training import loop

    def fail(step: int, parts: object) -> None:
        if step == 3:
            raise NotFinite("The loss at step 3 is nan.", "Lower the learning rate.")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_require_finite", fail)
        with pytest.raises(NotFinite):
            api.train(plan, tmp_path / "runs")
    failed = only_run(tmp_path / "runs")
    status = failed.status()
    assert (status.state, status.reason) == ("failed", "The loss at step 3 is nan.")
    assert failed.snapshot_steps() == [3], "the snapshot of step 3 was due before the step that failed"
    again = api.train(plan, tmp_path / "runs")
    assert again.status().state == "finished"
    assert result(again) == result(undisturbed)


def test_checkpoints_are_in_the_order_of_steps_beyond_a_million(tmp_path: Path) -> None:
    for step in (999_999, 1_000_000, 1_000_001):
        checkpoint.save(tmp_path, step, {"one": torch.full((1,), float(step))}, keep=2)
    assert checkpoint.steps_in(tmp_path) == [1_000_000, 1_000_001]
    found = checkpoint.newest(tmp_path, skipped=lambda path: None)
    assert found is not None
    assert (found.step, found.tensors["one"].item()) == (1_000_001, 1_000_001.0)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "no manifest"])
def test_damaged_newest_checkpoint_is_passed_over(
    plan: RunPlan, undisturbed: Run, tmp_path: Path, damage: str
) -> None:
    run = Run(shutil.copytree(undisturbed.path, tmp_path / "runs" / undisturbed.path.name))
    assert checkpoint.steps_in(run.checkpoints) == [4, 6]
    spoil(run.checkpoints / "step-000006", damage)
    run.move("running", 6)
    with run.writing():
        assert run.status().state == "lost"
    again = api.train(plan, tmp_path / "runs")
    said = [event for event in again.events() if isinstance(event, Warned)]
    warnings = [event for event in said if event.code != "identifier"]
    assert [event.code for event in warnings] == ["damaged-checkpoint"]
    assert "step-000006 is damaged" in warnings[0].message
    assert result(again) == result(undisturbed)
    assert folder_listing(again.checkpoints) == folder_listing(undisturbed.checkpoints)


def spoil(folder: Path, damage: str) -> None:
    state = folder / checkpoint.STATE
    data = bytearray(state.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    if damage in ("cut", "empty"):
        data = data[: len(data) // 2 if damage == "cut" else 0]
    state.write_bytes(bytes(data))
    if damage == "no manifest":
        (folder / "checkpoint.json").unlink()


def test_ctrl_c_stops_the_drawing_of_class_images_at_once(
    plan: RunPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was looked at between training steps alone; a block of eight pictures takes minutes on a processor."""
    objective = plan.objective.model_copy(update={"prior_preservation": True, "class_images": 16})
    blocks: list[int] = []

    def draw(*given: Any) -> Any:
        blocks.append(1)
        os.kill(os.getpid(), signal.SIGINT)
        return sample(*given)

    monkeypatch.setenv("BOOTHLAB_HOME", str(tmp_path / "home"))
    # A process that a script starts in the background ignores the signal, and so would this one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr("boothlab.training.class_images.sample", draw)
            with pytest.raises(Cancelled, match="Stopped at step 0"):
                api.train(plan.model_copy(update={"objective": objective}), tmp_path / "runs")
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(blocks) == 1, "it drew on"
    assert not list((tmp_path / "home" / "cache" / "class-images").glob("*/*.png")), "it drew the block to its end"
    run = only_run(tmp_path / "runs")
    assert (run.status().state, run.status().reason) == ("cancelled", "stopped by the user")
    again = api.train(plan.model_copy(update={"objective": objective}), tmp_path / "runs")
    assert (again.path, again.status().state) == (run.path, "finished")


def test_ctrl_c_keeps_what_was_done(plan: RunPlan, undisturbed: Run, tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Cancelled, match="Stopped at step 3"):
        api.train(plan, tmp_path / "runs", listen=interrupt)
    run = only_run(tmp_path / "runs")
    assert (run.status().state, run.status().step) == ("cancelled", 3)
    assert checkpoint.steps_in(run.checkpoints) == [2, 3], "stopping costs nothing that was computed"
    again = api.train(plan, tmp_path / "runs")
    assert result(again) == result(undisturbed)
