"""Noise schedules, noising and velocities against diffusers; AdamW against torch's plain form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from boothlab.diffusion.objective import Noised, snr_weight, target
from boothlab.diffusion.schedule import (
    Prediction,
    Schedule,
    add_noise,
    linear_betas,
    scaled_linear_betas,
    snr,
    variance_preserving,
    zero_terminal_snr,
)
from boothlab.strategies.attached import ParamGroup
from boothlab.training.config import Optimizer as Settings
from boothlab.training.optim import Optimizer

KINDS = ("scaled_linear", "linear")
EDGES = (0, 1, 500, 998, 999)


def stock(kind: str, zero_terminal: bool = False, prediction: str = "epsilon") -> Any:
    from diffusers import DDPMScheduler

    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule=kind,
        rescale_betas_zero_snr=zero_terminal,
        prediction_type=prediction,
    )


def ours(kind: str, zero_terminal: bool = False, prediction: Prediction = "epsilon") -> Schedule:
    betas = (scaled_linear_betas if kind == "scaled_linear" else linear_betas)(0.00085, 0.012, 1000)
    return variance_preserving(zero_terminal_snr(betas) if zero_terminal else betas, prediction)


def drawn(seed: int) -> Tensor:
    return torch.randn((len(EDGES), 4, 8, 8), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_tables_are_exact(kind: str) -> None:
    scheduler = stock(kind)
    make = scaled_linear_betas if kind == "scaled_linear" else linear_betas
    torch.testing.assert_close(make(0.00085, 0.012, 1000), scheduler.betas, rtol=0, atol=0)
    torch.testing.assert_close(ours(kind).alpha_T, scheduler.alphas_cumprod.sqrt(), rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_zero_terminal_snr(kind: str) -> None:
    from diffusers.schedulers.scheduling_ddpm import rescale_zero_terminal_snr

    plain = stock(kind).betas
    torch.testing.assert_close(zero_terminal_snr(plain), rescale_zero_terminal_snr(plain), rtol=0, atol=0)
    schedule = ours(kind, zero_terminal=True)
    assert float(schedule.alpha_T[-1]) == 0.0
    assert float(schedule.alpha_T[0]) == pytest.approx(float(ours(kind).alpha_T[0]), abs=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zero_terminal", [False, True])
def test_noising_and_velocity(kind: str, zero_terminal: bool) -> None:
    scheduler, schedule = stock(kind, zero_terminal, "v_prediction"), ours(kind, zero_terminal, "v_prediction")
    clean, noise, timesteps = drawn(1), drawn(2), torch.tensor(EDGES)
    noisy = add_noise(schedule, clean, noise, timesteps)
    # diffusers keeps the last cumulative product at 2**-24 instead of zero; the rest is exact.
    tolerance = {"rtol": 0, "atol": 1e-3 if zero_terminal else 0}
    torch.testing.assert_close(noisy, scheduler.add_noise(clean, noise, timesteps), **tolerance)
    sample = Noised(clean, noise, timesteps, torch.ones(len(EDGES)), len(EDGES))
    velocity = target(schedule, sample)
    torch.testing.assert_close(velocity, scheduler.get_velocity(clean, noise, timesteps), **tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_snr(kind: str) -> None:
    from diffusers.training_utils import compute_snr

    timesteps = torch.arange(1000)
    theirs = compute_snr(stock(kind), timesteps)
    torch.testing.assert_close(snr(ours(kind), timesteps), theirs, rtol=1e-6, atol=0)
    falling = snr(ours(kind, zero_terminal=True), timesteps)
    assert (falling[1:] < falling[:-1]).all()
    assert float(falling[-1]) == 0.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("gamma", [1.0, 5.0, 20.0])
def test_min_snr_weights_are_exact(kind: str, prediction: Prediction, gamma: float) -> None:
    """The expression of the script, to the last bit: whatever differs here, every later step inherits."""
    from diffusers.training_utils import compute_snr

    timesteps = torch.arange(1000)
    ratio = compute_snr(stock(kind), timesteps)
    divisor = ratio + 1 if prediction == "v_prediction" else ratio
    theirs = torch.stack([ratio, gamma * torch.ones_like(timesteps)], dim=1).min(dim=1)[0] / divisor
    weights = snr_weight(ours(kind, prediction=prediction), timesteps, gamma)
    torch.testing.assert_close(weights, theirs, rtol=0, atol=0)


def plain_adamw(parameters: Mapping[str, nn.Parameter], settings: Settings) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        parameters.values(),
        lr=1e-3,
        betas=(settings.beta1, settings.beta2),
        weight_decay=settings.weight_decay,
        eps=settings.epsilon,
        foreach=False,
        fused=False,
    )


def parameters() -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(3)
    return {f"p{k}": nn.Parameter(torch.randn((5, k + 2), generator=generator)) for k in range(3)}


@pytest.mark.parametrize("limit", [0.0, 0.5])
def test_adamw(limit: float) -> None:
    settings = Settings(weight_decay=0.1, max_grad_norm=limit)
    mine, plain = parameters(), parameters()
    optimizer, adam = Optimizer([ParamGroup("all", mine, 1e-3)], settings), plain_adamw(plain, settings)
    for step in range(20):
        for values in (mine, plain):
            generator = torch.Generator().manual_seed(100 + step)
            for parameter in values.values():
                parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.withhold_closed(step)
        norm = optimizer.clip(step)
        if limit:
            expected = torch.nn.utils.clip_grad_norm_(plain.values(), limit)
            assert norm == pytest.approx(float(expected), rel=1e-6)
        factor = 0.5 if step > 9 else 1.0
        assert optimizer.step(factor) == pytest.approx(1e-3 * factor)
        adam.param_groups[0]["lr"] = 1e-3 * factor
        adam.step()
    for name in mine:
        torch.testing.assert_close(mine[name], plain[name], rtol=1e-5, atol=1e-7)
