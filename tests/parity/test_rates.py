"""Learning-rate schedules against the libraries' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from diffusers.optimization import get_scheduler
from transformers import get_wsd_schedule

from boothlab.training import rates
from boothlab.training.config import Rate

TOTAL = 40
LR = 2e-6
LAST_POLYNOMIAL = 1e-7
"""The script leaves ``lr_end`` of the polynomial schedule at this absolute rate."""

CASES = [
    ("constant", Rate(), {}),
    ("constant_with_warmup", Rate(warmup=7), {}),
    ("linear", Rate(kind="linear"), {}),
    ("linear", Rate(kind="linear", warmup=7), {}),
    ("cosine", Rate(kind="cosine", warmup=7), {}),
    ("cosine", Rate(kind="cosine"), {}),
    ("polynomial", Rate(kind="polynomial", power=2.0, warmup=7, floor=LAST_POLYNOMIAL / LR), {"power": 2.0}),
    ("polynomial", Rate(kind="polynomial", power=0.5, floor=LAST_POLYNOMIAL / LR), {"power": 0.5}),
]


def theirs(scheduler: torch.optim.lr_scheduler.LRScheduler) -> Iterator[float]:
    """The rate of each step, from step 0."""
    for _ in range(TOTAL):
        yield scheduler.get_last_lr()[0]
        scheduler.optimizer.step()
        scheduler.step()


def adam() -> torch.optim.Optimizer:
    return torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=LR)


@pytest.mark.parametrize(("name", "rate", "more"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_compat_equals_the_scripts_schedules(name: str, rate: Rate, more: dict[str, float]) -> None:
    scheduler = get_scheduler(name, adam(), num_warmup_steps=rate.warmup, num_training_steps=TOTAL, **more)
    for step, expected in enumerate(theirs(scheduler)):
        assert LR * rates.factor(rate, step, TOTAL, "diffusers") == pytest.approx(expected, rel=1e-12, abs=1e-22)


@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_stable_decay_equals_transformers(floor: float) -> None:
    rate = Rate(kind="stable_decay", warmup=5, decay=10, floor=floor)
    scheduler = get_wsd_schedule(adam(), 5, 10, num_training_steps=TOTAL, decay_type="linear", min_lr_ratio=floor)
    for step, expected in enumerate(theirs(scheduler)):
        if step >= 5:  # its warm-up starts from the floor
            assert LR * rates.factor(rate, step, TOTAL, "diffusers") == pytest.approx(expected, rel=1e-12, abs=1e-22)


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine", "polynomial", "stable_decay"])
def test_our_warm_up_is_one_step_ahead_and_wastes_none(kind: str) -> None:
    """R8: the script's first step has rate 0; ours has 1/warmup, and everything after the warm-up is the same."""
    rate = Rate(kind=kind, warmup=5)
    assert [rates.factor(rate, step, TOTAL) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert [rates.factor(rate, step, TOTAL, "diffusers") for step in range(5)] == pytest.approx(
        [0, 0.2, 0.4, 0.6, 0.8]
    )
    after = range(5, TOTAL)
    assert [rates.factor(rate, s, TOTAL) for s in after] == [rates.factor(rate, s, TOTAL, "diffusers") for s in after]


@pytest.mark.parametrize("kind", ["linear", "cosine", "polynomial", "stable_decay"])
@pytest.mark.parametrize("floor", [0.0, 0.25])
def test_falling_schedules_reach_their_floor_at_the_end_and_never_leave_the_range(kind: str, floor: float) -> None:
    rate = Rate(kind=kind, warmup=3, floor=floor, power=1.7 if kind == "polynomial" else 1.0)
    seen = [rates.factor(rate, step, TOTAL) for step in range(3, TOTAL + 5)]
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == 1.0
    assert seen[TOTAL - 3 :] == [pytest.approx(floor)] * 5


def test_stable_decay_is_constant_before_it_falls() -> None:
    rate = Rate(kind="stable_decay")
    seen = [rates.factor(rate, step, 100) for step in range(100)]
    assert set(seen[:81]) == {1.0}
    assert seen[81] == pytest.approx(0.95)
    assert seen[99] == pytest.approx(0.05)


def test_a_decay_longer_than_the_run_starts_after_the_warm_up() -> None:
    rate = Rate(kind="stable_decay", warmup=10, decay=1000)
    assert rates.factor(rate, 9, 20) == 1.0
    assert rates.factor(rate, 15, 20) == pytest.approx(0.5)
    assert rates.factor(Rate(kind="linear", warmup=20), 20, 20) in (0.0, 1.0)
