"""Checkpoints: the newest whole one wins, an old one goes only when the new one is safe; the state of optimizers."""

from __future__ import annotations

import math
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from boothlab.errors import RunDamaged
from boothlab.strategies.attached import ParamGroup
from boothlab.training import checkpoint
from boothlab.training.config import Optimizer as Settings
from boothlab.training.optim import Optimizer


def state(step: int) -> dict[str, torch.Tensor]:
    return {"parameter/a": torch.full((3,), float(step)), "optimizer/a/step": torch.tensor(float(step))}


def never(path: Path) -> None:
    raise AssertionError(f"{path} was said to be damaged")


def test_there_and_back(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "none", never) is None
    checkpoint.save(tmp_path, 7, state(7), keep=2)
    found = checkpoint.newest(tmp_path, never)
    assert found is not None
    assert found.step == 7
    assert found.tensors.keys() == state(7).keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in state(7).items())


@pytest.mark.parametrize("keep", [1, 2])
def test_the_newest_are_kept(tmp_path: Path, keep: int) -> None:
    for step in (2, 4, 10, 100):
        checkpoint.save(tmp_path, step, state(step), keep)
    assert checkpoint.steps_in(tmp_path) == [2, 4, 10, 100][-keep:]


def test_damaged_ones_are_passed_over_in_order(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, step, state(step), keep=9)
    (tmp_path / "step-000003" / checkpoint.STATE).write_bytes(b"")
    (tmp_path / "step-000002" / "checkpoint.json").write_text("{")
    skipped: list[str] = []
    found = checkpoint.newest(tmp_path, lambda path: skipped.append(path.name))
    assert found is not None
    assert found.step == 1
    assert skipped == ["step-000003", "step-000002"]


def test_a_damaged_one_is_written_again_and_a_whole_one_is_not(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 3, state(3), keep=2)
    file = tmp_path / "step-000003" / checkpoint.STATE
    number = file.stat().st_ino
    checkpoint.save(tmp_path, 3, state(3), keep=2)
    assert file.stat().st_ino == number
    file.write_bytes(b"broken")
    checkpoint.save(tmp_path, 3, state(3), keep=2)
    found = checkpoint.newest(tmp_path, never)
    assert found is not None
    assert found.step == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_old_one_outlives_a_kill_inside_the_new_ones_write(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, state(1), keep=1)
    child = os.fork()
    if child == 0:

        def die(*arguments: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        checkpoint.write_json = die  # type: ignore[attr-defined]
        checkpoint.save(tmp_path, 2, state(2), keep=1)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    found = checkpoint.newest(tmp_path, never)
    assert found is not None
    assert found.step == 1


def two_groups() -> tuple[dict[str, nn.Parameter], dict[str, nn.Parameter], list[ParamGroup]]:
    one, two = {"a": nn.Parameter(torch.ones(4))}, {"b": nn.Parameter(torch.ones(4))}
    return one, two, [ParamGroup("one", one, 0.1), ParamGroup("two", two, 0.2, opens=1, closes=2)]


def take(optimizer: Optimizer, groups: list[ParamGroup], step: int) -> float | None:
    for index, group in enumerate(groups):
        for parameter in group.parameters.values():
            parameter.grad = torch.full_like(parameter, float(index + 1 + step))
    optimizer.withhold_closed(step)
    norm = optimizer.clip(step)
    optimizer.step(1.0)
    return norm


def test_windows_open_and_close() -> None:
    one, two, groups = two_groups()
    optimizer = Optimizer(groups, Settings(weight_decay=0.5))
    history = [(one["a"].detach().clone(), two["b"].detach().clone())]
    for step in range(3):
        take(optimizer, groups, step)
        history.append((one["a"].detach().clone(), two["b"].detach().clone()))
    assert [torch.equal(history[k][0], history[k + 1][0]) for k in range(3)] == [False, False, False]
    assert [torch.equal(history[k][1], history[k + 1][1]) for k in range(3)] == [True, False, True]
    assert all(parameter.grad is None for parameter in (one["a"], two["b"]))


def test_the_norm_is_of_all_open_groups_together() -> None:
    _, _, groups = two_groups()
    optimizer = Optimizer(groups, Settings())
    assert take(optimizer, groups, 0) == pytest.approx(2.0)  # four ones; the other group is closed
    assert take(optimizer, groups, 1) == pytest.approx((4 * 2**2 + 4 * 3**2) ** 0.5)


def test_optimizer_goes_on_from_its_state() -> None:
    one, two, groups = two_groups()
    optimizer = Optimizer(groups, Settings())
    for step in range(2):
        take(optimizer, groups, step)
    saved = {name: tensor.clone() for name, tensor in optimizer.state().items()}
    other_one, other_two, other_groups = two_groups()
    with torch.no_grad():
        other_one["a"].copy_(one["a"])
        other_two["b"].copy_(two["b"])
    other = Optimizer(other_groups, Settings())
    other.restore(saved)
    for step in range(2, 5):
        take(optimizer, groups, step)
        take(other, other_groups, step)
    assert torch.equal(one["a"], other_one["a"])
    assert torch.equal(two["b"], other_two["b"])


@pytest.mark.parametrize("name", ["c/exp_avg", "a/exp_avg"])
def test_state_of_another_run_is_refused(name: str) -> None:
    _, _, groups = two_groups()
    with pytest.raises(RunDamaged, match="fits no parameter"):
        Optimizer(groups, Settings()).restore({name: torch.ones(5)})


@pytest.mark.parametrize("limit", [0.5, 1.0, 0.0, 3.0, 100.0])
def test_gradients_are_clipped_as_torch_clips_them(limit: float) -> None:
    torch.manual_seed(0)
    parameters = {f"p{k}": nn.Parameter(torch.zeros(7, k + 1)) for k in range(3)}
    gradients = {name: 0.3 * torch.randn_like(parameter) for name, parameter in parameters.items()}
    stock = [nn.Parameter(parameter.detach().clone()) for parameter in parameters.values()]
    for parameter, other, gradient in zip(parameters.values(), stock, gradients.values(), strict=True):
        parameter.grad, other.grad = gradient.clone(), gradient.clone()
    norm = Optimizer([ParamGroup("one", parameters, 0.1)], Settings(max_grad_norm=limit)).clip(0)
    assert norm == float(torch.nn.utils.clip_grad_norm_(stock, limit or math.inf))
    assert norm == pytest.approx(1.9, abs=0.5), "limits on both sides are tried"
    for parameter, other in zip(parameters.values(), stock, strict=True):
        assert parameter.grad is not None
        assert other.grad is not None
        assert torch.equal(parameter.grad, other.grad)
