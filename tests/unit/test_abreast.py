"""Two halves of a batch side by side: the same gradients, the threads as before, and errors that arrive."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from boothlab.models.model import Model
from boothlab.strategies import DreamBooth, Lora
from boothlab.strategies.config import Strategy
from boothlab.training import abreast, loop
from boothlab.training.config import Compute, Training
from jobs_made import make_job, run, same, tensors

Fresh = Callable[[], Model]


@pytest.fixture(autouse=True)
def threads() -> Iterator[int]:
    """Two threads for the test, and what there was for the next."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


def gradients(network: nn.Module, pictures: Tensor, threads: int) -> tuple[Tensor, list[Tensor]]:
    network.zero_grad(set_to_none=True)
    prediction, to_parameters = abreast.forward(lambda part: network(pictures[part]), len(pictures), threads)
    (prediction**2).mean().backward()
    to_parameters()
    return prediction.detach(), [p.grad.clone() for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("batch", [2, 5, 8])
def test_halves_give_the_gradients_of_the_whole(batch: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 3, 3)).double()
    pictures = torch.randn(batch, 3, 9, 9, dtype=torch.float64)
    whole, halves = gradients(network, pictures, 1), gradients(network, pictures, 2)
    torch.testing.assert_close(halves[0], whole[0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(halves[1], whole[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("batch", "threads", "shares"),
    [
        (8, 2, {(0, 4): 1, (4, 8): 1}),
        (8, 5, {(0, 4): 2, (4, 8): 3}),
        (3, 2, {(0, 1): 1, (1, 3): 1}),
        (1, 2, {(None, None): 2}),
        (8, 1, {(None, None): 1}),
    ],
)
def test_each_half_has_a_thread_and_its_share_of_the_threads(
    batch: int, threads: int, shares: dict[tuple[int | None, int | None], int]
) -> None:
    torch.set_num_threads(threads)
    seen = {}

    def predict(part: slice) -> Tensor:
        seen[part.start, part.stop] = (threading.get_ident(), torch.get_num_threads())
        return torch.zeros(1, 1, 1, 1, requires_grad=True)

    abreast.forward(predict, batch, threads)
    assert len({ident for ident, _ in seen.values()}) == len(seen)
    assert {part: share for part, (_, share) in seen.items()} == shares
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("failing", [0, 4])
def test_an_error_in_either_half_arrives_when_both_are_done(failing: int) -> None:
    done = []

    def predict(part: slice) -> Tensor:
        if part.start == failing:
            raise RuntimeError("no memory")
        time.sleep(0.2)
        done.append(part.start)
        return torch.zeros(4, 1, 1, 1, requires_grad=True)

    with pytest.raises(RuntimeError, match="no memory"):
        abreast.forward(predict, 8, 2)
    assert done == [4 - failing]
    assert torch.get_num_threads() == 2


WAYS: dict[str, tuple[Strategy, Compute]] = {
    "denoiser": (DreamBooth(learning_rate=1e-3), Compute()),
    "word": (DreamBooth(learning_rate=1e-3, identifier_learning_rate=1e-2), Compute()),
    "text encoder in bf16": (DreamBooth(learning_rate=1e-3, text_encoder=True), Compute(precision="bf16")),
    "LoRA": (Lora(learning_rate=1e-2, text_encoder=True), Compute()),
}


def trained(fresh: Fresh, way: str = "denoiser", **more: object) -> dict[str, Tensor]:
    strategy, compute = WAYS[way]
    settings = Training(**{"steps": 2, "checkpoint_every": 1000, "batch_size": 2, "compute": compute, **more})  # type: ignore[arg-type]
    job = make_job(fresh(), strategy, training=settings)
    run(job)
    return tensors(job.model)


@pytest.mark.parametrize("way", WAYS)
def test_a_training_on_two_threads_is_that_on_one_but_for_rounding(
    way: str, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trained(fresh, way, threads=1)
    meetings: list[int] = []
    both = abreast._both
    monkeypatch.setattr(abreast, "_both", lambda work, threads: meetings.append(threads) or both(work, threads))
    two, again = trained(fresh, way, threads=2), trained(fresh, way, threads=2)
    assert meetings == [2] * 8, "forward and backward, in two steps of two trainings"
    floating = [key for key in one if one[key].is_floating_point()]
    base = {key: value for key, value in tensors(fresh()).items() if key in one}
    apart = sum(float((two[key] - one[key]).norm()) for key in floating)
    moved = sum(float((one[key] - base.get(key, 0)).norm()) for key in floating)
    assert 0 < apart < 0.05 * moved
    assert [key for key in two if not same(two[key], again[key])] == []


@pytest.mark.parametrize(
    "whole", [{"accumulate": 2}, {"compute": Compute(gradient_checkpointing=True)}, {"threads": 1}], ids=str
)
def test_a_pass_goes_as_a_whole_where_halves_would_leave_something_to_chance(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch, whole: dict[str, object]
) -> None:
    monkeypatch.setattr(abreast, "_both", lambda *given: pytest.fail("halves"))
    trained(fresh, **{"threads": 2, **whole})


@pytest.mark.parametrize(("device", "threads"), [("cpu", 2), ("cuda", 1), ("mps", 1)])
def test_a_gpu_takes_a_batch_as_a_whole(fresh: Fresh, device: str, threads: int) -> None:
    job = make_job(fresh(), DreamBooth(), training=Training(steps=1, threads=2))
    object.__setattr__(job.model, "device", torch.device(device))
    assert loop._threads(job) == threads
