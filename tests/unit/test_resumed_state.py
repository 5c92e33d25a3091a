"""What a training that goes on finds: state where its kernels read it, and checkpoints that are worth something."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from boothlab.api import trainer
from boothlab.api.resolving import resolve
from boothlab.errors import NoSpace
from boothlab.plan import plan_from
from boothlab.runs.events import Event
from boothlab.runs.run import Run
from boothlab.training import checkpoint
from boothlab.training.job import Job
from boothlab.training.optim import Optimizer
from photos_made import photo_folder
from study_made import base_plan


def test_every_tensor_of_the_state_lies_with_the_weights() -> None:
    """Fused AdamW reads its step counter on the GPU; put back on the CPU it ended every resumed training there."""
    optimizer = Optimizer.__new__(Optimizer)
    weight = torch.nn.Parameter(torch.zeros(3, device="meta"))
    optimizer._by_name = {"w": weight}
    optimizer._inner = SimpleNamespace(state=defaultdict(dict), param_groups=[])  # type: ignore[assignment]
    optimizer.restore({"w/step": torch.tensor(150.0), "w/exp_avg": torch.ones(3), "w/exp_avg_sq": torch.ones(3)})
    state = optimizer._inner.state[weight]
    assert {name: value.device.type for name, value in state.items()} == dict.fromkeys(state, "meta")


def test_a_step_counter_that_is_put_back_is_its_own() -> None:
    optimizer = Optimizer.__new__(Optimizer)
    weight = torch.nn.Parameter(torch.zeros(3))
    optimizer._by_name = {"w": weight}
    optimizer._inner = SimpleNamespace(state=defaultdict(dict), param_groups=[])  # type: ignore[assignment]
    stored = {"w/step": torch.tensor(150.0)}
    optimizer.restore(stored)
    optimizer._inner.state[weight]["step"] += 1
    assert stored["w/step"] == 150.0


@pytest.mark.parametrize("keep", [1, 2])
def test_damaged_checkpoints_do_not_push_out_whole_ones(tmp_path: Path, keep: int) -> None:
    """A training that started over below a damaged checkpoint could not be resumed until it was there again."""
    for step in (300, 400):
        checkpoint.save(tmp_path, step, {"a": torch.ones(2)}, keep=2)
        (tmp_path / f"step-{step:06d}" / "state.safetensors").write_bytes(b"torn")
    assert checkpoint.newest(tmp_path, lambda path: None) is None
    checkpoint.save(tmp_path, 100, {"a": torch.ones(2)}, keep)
    found = checkpoint.newest(tmp_path, lambda path: None)
    assert found is not None
    assert found.step == 100
    for step in (200, 300):
        checkpoint.save(tmp_path, step, {"a": torch.ones(2)}, keep)
    assert checkpoint.steps_in(tmp_path) == [200, 300][-keep:]


def test_what_the_last_checkpoint_runs_into_is_heard(
    tmp_path: Path, tiny_sd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C on a full disk was "Stopped at step 1, it goes on from there", and it did not."""

    events: list[Event] = []

    @contextmanager
    def after_a_step() -> Iterator[Callable[[], bool]]:
        yield lambda: events[-1].step > 0

    def full(self: Job, folder: Path) -> None:
        raise NoSpace("The disk is full.", "Free some space.")

    monkeypatch.setattr(trainer, "stop_on_interrupt", after_a_step)
    monkeypatch.setattr(Job, "save_checkpoint", full)
    plan = plan_from(base_plan(tiny_sd, photo_folder(tmp_path / "photos", 4, size=(72, 64)), steps=3), "t")
    with pytest.raises(NoSpace):
        trainer.train_run(resolve(plan), tmp_path / "runs", listen=events.append)
    (run,) = (tmp_path / "runs").iterdir()
    status = Run(run).status()
    assert (status.state, status.reason) == ("failed", "The disk is full.")
