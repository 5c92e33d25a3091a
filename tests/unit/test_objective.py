"""The loss as the papers write it, in every form that a network may predict."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from boothlab.diffusion.objective import Noised, loss, masked_mean, noisy, sample_errors, snr_weight, target
from boothlab.diffusion.schedule import (
    Prediction,
    Schedule,
    scaled_linear_betas,
    snr,
    straight_path,
    variance_preserving,
    zero_terminal_snr,
)

BETAS = scaled_linear_betas(0.00085, 0.012, 1000)
EDGES = torch.tensor([0, 1, 500, 999])
SHAPE = (4, 3, 3)


def schedule(prediction: Prediction, zero_terminal: bool = False) -> Schedule:
    if prediction == "flow":
        return straight_path(1000)
    return variance_preserving(zero_terminal_snr(BETAS) if zero_terminal else BETAS, prediction)


def batch(timesteps: Tensor, instances: int | None = None, weight: float = 1.0, seed: int = 0) -> Noised:
    generator = torch.Generator().manual_seed(seed)
    count = len(timesteps)
    clean, noise = (torch.randn((count, *SHAPE), generator=generator) for _ in range(2))
    instances = count if instances is None else instances
    weights = torch.tensor([1.0] * instances + [weight] * (count - instances))
    return Noised(clean, noise, timesteps, weights, instances)


@pytest.mark.parametrize("photos", [1, 2, 3])
@pytest.mark.parametrize("prior_weight", [0.0, 0.5, 1.0])
def test_prior_preservation_is_the_sum_of_two_means(photos: int, prior_weight: float) -> None:
    sample = batch(torch.arange(2 * photos) * 150, photos, prior_weight)
    prediction = torch.randn((2 * photos, *SHAPE), generator=torch.Generator().manual_seed(9))
    error = (prediction - sample.noise_BCHW) ** 2
    expected = error[:photos].mean() + prior_weight * error[photos:].mean()
    assert float(loss(schedule("epsilon"), prediction, sample)) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample", "flow"])
@pytest.mark.parametrize("gamma", [1.0, 5.0])
def test_min_snr_weights_against_the_closed_form(prediction: Prediction, gamma: float) -> None:
    table = schedule(prediction)
    alpha, sigma = table.alpha_T.double()[EDGES], table.sigma_T.double()[EDGES]
    ratio = (alpha / sigma) ** 2
    clipped = ratio.clamp(max=gamma)
    expected = {
        "epsilon": clipped / ratio,
        "v_prediction": clipped / (ratio + 1),
        "sample": clipped,
        "flow": clipped * sigma**2,
    }[prediction]
    if prediction == "epsilon":
        expected = torch.where(ratio == 0, torch.ones_like(ratio), expected)
    torch.testing.assert_close(snr_weight(table, EDGES, gamma).double(), expected, rtol=1e-4, atol=1e-7)
    assert snr_weight(table, EDGES, None).tolist() == [1.0] * 4


def test_the_same_estimate_has_the_same_loss_in_every_form() -> None:
    """ε-, x₀- and v-networks that agree on the picture get the same min-SNR loss."""
    timesteps = torch.tensor([1, 50, 300, 700, 999])
    losses = []
    for prediction in ("epsilon", "sample", "v_prediction"):
        table = schedule(prediction)
        wide = Schedule(table.alpha_T.double(), table.sigma_T.double(), table.prediction)
        sample = batch(timesteps)
        sample = Noised(
            sample.clean_BCHW.double(), sample.noise_BCHW.double(), timesteps, sample.weight_B, sample.num_instance
        )
        alpha = wide.alpha_T[timesteps].reshape(-1, 1, 1, 1)
        sigma = wide.sigma_T[timesteps].reshape(-1, 1, 1, 1)
        picture = sample.clean_BCHW + 0.1 * torch.randn(
            sample.clean_BCHW.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64
        )
        noise = (noisy(wide, sample) - alpha * picture) / sigma
        forms = {"epsilon": noise, "sample": picture, "v_prediction": alpha * noise - sigma * picture}
        losses.append(sample_errors(wide, forms[prediction], sample, 5.0))
    for other in losses[1:]:
        torch.testing.assert_close(other, losses[0], rtol=2e-3, atol=1e-6, check_dtype=False)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_finite_where_the_sample_is_pure_noise(prediction: Prediction) -> None:
    table = schedule(prediction, zero_terminal=True)
    assert float(snr(table, torch.tensor([999]))) == 0.0
    weight = snr_weight(table, EDGES, 5.0)
    assert torch.isfinite(weight).all()
    assert float(weight[-1]) == (1.0 if prediction == "epsilon" else 0.0)
    assert torch.isfinite(loss(table, torch.zeros((4, *SHAPE)), batch(EDGES), 5.0))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample", "flow"])
def test_perfect_predictions_cost_nothing(prediction: Prediction) -> None:
    table, sample = schedule(prediction), batch(EDGES)
    assert float(loss(table, target(table, sample), sample, 5.0)) == 0.0


def test_masks_take_the_mean_of_what_they_leave() -> None:
    values = torch.arange(2 * 4 * 3 * 3, dtype=torch.float32).reshape(2, *SHAPE)
    mask = torch.zeros((2, 1, 3, 3))
    mask[0, 0, 1, 1] = 1.0
    mask[1, 0, 0, :2] = 0.5
    found = masked_mean(values, mask)
    assert float(found[0]) == pytest.approx(float(values[0, :, 1, 1].mean()))
    assert float(found[1]) == pytest.approx(float(values[1, :, 0, :2].mean()))
    torch.testing.assert_close(masked_mean(values, torch.ones((2, 1, 3, 3))), masked_mean(values, None))
    assert float(masked_mean(values, torch.zeros((2, 1, 3, 3))).abs().max()) == 0.0


def test_order_does_not_matter_and_weight_zero_is_absence() -> None:
    table, sample = schedule("epsilon"), batch(torch.tensor([3, 400, 900, 17]), instances=2, weight=0.7)
    prediction = torch.randn((4, *SHAPE), generator=torch.Generator().manual_seed(2))
    whole = loss(table, prediction, sample, 5.0)
    order = torch.tensor([1, 0, 3, 2])
    turned = Noised(
        sample.clean_BCHW[order], sample.noise_BCHW[order], sample.timestep_B[order], sample.weight_B[order], 2
    )
    torch.testing.assert_close(loss(table, prediction[order], turned, 5.0), whole, rtol=1e-6, atol=0)
    absent = Noised(sample.clean_BCHW[:2], sample.noise_BCHW[:2], sample.timestep_B[:2], sample.weight_B[:2], 2)
    silent = Noised(sample.clean_BCHW, sample.noise_BCHW, sample.timestep_B, torch.tensor([1.0, 1.0, 0.0, 0.0]), 2)
    alone = loss(table, prediction[:2], absent, 5.0)
    torch.testing.assert_close(loss(table, prediction, silent, 5.0), alone, rtol=1e-6, atol=0)


def test_tables_are_read_never_written() -> None:
    table, sample = schedule("v_prediction"), batch(EDGES)
    before = (table.alpha_T.clone(), table.sigma_T.clone())
    noisy(table, sample).add_(1)
    target(table, sample).mul_(0)
    snr(table, EDGES).mul_(0)
    assert torch.equal(table.alpha_T, before[0])
    assert torch.equal(table.sigma_T, before[1])


def test_batches_that_do_not_fit_together_are_refused() -> None:
    sample = batch(EDGES)
    with pytest.raises(ValueError, match="batch of 4 with 3 timesteps"):
        Noised(sample.clean_BCHW, sample.noise_BCHW, EDGES[:3], sample.weight_B, 4)
    with pytest.raises(ValueError, match="num_instance is 0"):
        Noised(sample.clean_BCHW, sample.noise_BCHW, EDGES, sample.weight_B, 0)
