"""Two halves of a batch side by side: the same gradients, the threads as before, and errors that arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from boothlab.models.model import Model
from boothlab.strategies import DreamBooth
from boothlab.training import abreast
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


@pytest.mark.parametrize(("batch", "threads", "parts"), [(8, 2, 2), (8, 5, 2), (3, 2, 2), (1, 2, 1), (8, 1, 1)])
def test_each_half_has_a_thread_and_its_share_of_the_threads(batch: int, threads: int, parts: int) -> None:
    torch.set_num_threads(threads)
    seen = {}

    def predict(part: slice) -> Tensor:
        seen[part.start, part.stop] = (threading.get_ident(), torch.get_num_threads())
        return torch.zeros(1, 1, 1, 1, requires_grad=True)

    abreast.forward(predict, batch, threads)
    assert len({ident for ident, _ in seen.values()}) == len(seen) == parts
    assert {share for _, share in seen.values()} == {threads if parts == 1 else threads // 2}
    assert sorted(seen, key=str) == ([(0, batch // 2), (batch // 2, batch)] if parts == 2 else [(None, None)])
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("failing", [0, 4])
def test_an_error_in_either_half_arrives_when_both_are_done(failing: int) -> None:
    done = []

    def predict(part: slice) -> Tensor:
        if part.start == failing:
            raise RuntimeError("no memory")
        done.append(part.start)
        return torch.zeros(4, 1, 1, 1, requires_grad=True)

    with pytest.raises(RuntimeError, match="no memory"):
        abreast.forward(predict, 8, 2)
    assert done == [4 - failing]
    assert torch.get_num_threads() == 2


def trained(fresh: Fresh, **more: object) -> dict[str, Tensor]:
    settings = Training(steps=2, checkpoint_every=1000, **more)  # type: ignore[arg-type]
    job = make_job(fresh(), DreamBooth(learning_rate=1e-3), training=settings)
    run(job)
    return tensors(job.model)


def test_a_training_on_two_threads_is_that_on_one_but_for_rounding(fresh: Fresh) -> None:
    one, two, again = (trained(fresh, threads=threads, batch_size=2) for threads in (1, 2, 2))
    base = tensors(fresh())
    apart = [float((two[key] - one[key]).norm()) for key in base if base[key].is_floating_point()]
    moved = [float((one[key] - base[key]).norm()) for key in base if base[key].is_floating_point()]
    assert 0 < sum(apart) < 0.02 * sum(moved)
    assert [key for key in two if not same(two[key], again[key])] == []


@pytest.mark.parametrize(
    "whole", [{"accumulate": 2}, {"compute": Compute(gradient_checkpointing=True)}, {"threads": 1}], ids=str
)
def test_a_pass_goes_as_a_whole_where_halves_would_leave_something_to_chance(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch, whole: dict[str, object]
) -> None:
    monkeypatch.setattr(abreast, "_both", lambda *given: pytest.fail("halves"))
    trained(fresh, **{"threads": 2, **whole})
