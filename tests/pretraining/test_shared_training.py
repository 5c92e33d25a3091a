"""Two processes that share a training make the updates of one with both batches, and one of them writes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed, nn

from pretraining import loop

STEPS, BATCH, LR = 8, 4, 0.05


def model() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(9, 8)


def loss_of(module: nn.Linear, step: int) -> loop.Losses:
    """Squared error on numbers that depend on the step alone."""
    random = torch.Generator().manual_seed(step)
    inputs, wanted = torch.randn(BATCH, 9, generator=random), torch.randn(BATCH, 8, generator=random)
    return {"loss": (module(inputs) - wanted).square().mean()}


def training(folder: Path, module: nn.Linear) -> loop.Training:
    schedule = loop.Schedule(STEPS, LR, warmup=2, decay=0.5)
    return loop.Training(
        folder, {"toy": module}, lambda step: loss_of(module, step), schedule, BATCH, ema_decay=0.5, log_every=4
    )


def share(rank: int, port: int, folder: Path, until: int) -> None:
    """One of two processes."""
    torch.set_num_threads(1)
    loop.join(rank, 2, port)
    training(folder, model()).run(until)


def both(folder: Path, until: int) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    root = Path(loop.__file__).parent.parent
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), str(port), str(folder), str(until)],
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        for rank in range(2)
    ]
    assert [process.wait(120) for process in processes] == [0, 0]


def alone(folder: Path) -> dict[str, torch.Tensor]:
    """The same by hand: the mean of two steps' gradients, and one update for both."""
    module = model()
    made = training(folder, module)
    for step in range(0, STEPS, 2):
        for group in made.optimizer.param_groups:
            group["lr"] = made.schedule.rate(step) * 2**0.5
        gradients = []
        for own in (step, step + 1):
            module.zero_grad()
            loss_of(module, own)["loss"].backward()  # type: ignore[no-untyped-call]
            gradients.append([torch.clone(p.grad) for p in module.parameters() if p.grad is not None])
        for parameter, first, second in zip(module.parameters(), *gradients, strict=True):
            parameter.grad = (first + second) / 2
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        made.optimizer.step()
    return {name: value.detach() for name, value in module.state_dict().items()}


@pytest.mark.parametrize(
    "stops",
    [
        pytest.param((STEPS,), id="at once", marks=pytest.mark.slow),
        pytest.param((4, STEPS), id="stopped and gone on"),
    ],
)
def test_two_processes_make_one_training(tmp_path: Path, stops: tuple[int, ...]) -> None:
    for until in stops:
        both(tmp_path / "shared", until)
    saved = torch.load(tmp_path / "shared" / "checkpoint.pt", weights_only=True)
    wanted = alone(tmp_path / "alone")
    assert saved["step"] == STEPS
    for name, value in wanted.items():
        torch.testing.assert_close(saved["weights"][f"toy/{name}"], value, rtol=1e-6, atol=1e-7)
        assert not torch.equal(saved["ema"][f"toy/{name}"], value)
    rows = [json.loads(line) for line in (tmp_path / "shared" / "log.jsonl").read_text().splitlines()]
    assert [(row["step"], row["pictures"]) for row in rows] == [(4, 16), (8, 32)]


def test_a_gradient_that_one_process_lacks_is_nothing_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum over processes is replaced by twice the own one: the mean is then what it was."""
    monkeypatch.setattr(distributed, "all_reduce", lambda flat: flat.mul_(2))
    first, second = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(4))
    first.grad = torch.arange(6.0).view(2, 3)
    loop.share_gradients([first, second], 2)
    assert torch.equal(first.grad, torch.arange(6.0).view(2, 3))
    assert second.grad is not None
    assert torch.equal(second.grad, torch.zeros(4))


if __name__ == "__main__":
    share(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
