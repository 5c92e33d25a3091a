"""The only home of the loss: target, weight, masked mean, prior preservation.

The paper (Ruiz et al. 2023, eq. 2) minimises, with x̂ the network's estimate of the picture,

    E[ w_t ‖x̂(α_t x + σ_t ε, c) − x‖² ]  +  λ E[ w_t' ‖x̂(α_t' x_pr + σ_t' ε', c_pr) − x_pr‖² ].

A network that predicts ε, v or the flow instead gives the same loss up to a factor that depends on t alone
(:func:`picture_factor`); plain mean squared error on ε is the choice w_t = SNR_t. Class images need no second
formula: they come in the same batch with their own weight.

Shape suffixes: B batch, C channels, H height, W width (of latents).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from boothlab.diffusion.schedule import Schedule, add_noise, at, snr


@dataclass(frozen=True, slots=True, eq=False)
class Noised:
    """A batch with noise in it. All tensors are float32 on one device.

    ``prior_BCHW`` is what the samples after the first ``num_instance`` should predict, where a frozen model says it
    (prior preservation without images); None where it follows from noise and picture, as for photos.

    ``weight_B`` carries the subject's weight for photos and λ·n_photos/n_class for class images, so that dividing
    by ``num_instance`` gives mean(photos) + λ·mean(class images). ``mask_B1HW`` is 0…1, or None for "all counts".
    """

    clean_BCHW: Tensor
    noise_BCHW: Tensor
    timestep_B: Tensor
    weight_B: Tensor
    num_instance: int
    mask_B1HW: Tensor | None = None
    prior_BCHW: Tensor | None = None

    def __post_init__(self) -> None:
        batch = len(self.clean_BCHW)
        if len(self.timestep_B) != batch or len(self.weight_B) != batch:
            raise ValueError(
                f"batch of {batch} with {len(self.timestep_B)} timesteps and {len(self.weight_B)} weights"
            )
        if not 1 <= self.num_instance <= batch:
            raise ValueError(f"num_instance is {self.num_instance} in a batch of {batch}")


def noisy(schedule: Schedule, sample: Noised) -> Tensor:
    """What the network sees: (B, C, H, W)."""
    return add_noise(schedule, sample.clean_BCHW, sample.noise_BCHW, sample.timestep_B)


def target(schedule: Schedule, sample: Noised) -> Tensor:
    """What the network should predict: (B, C, H, W).

    For the class half a frozen model's prediction takes the place of the target where there is one.
    """
    own = _own_target(schedule, sample)
    if sample.prior_BCHW is None:
        return own
    return torch.cat([own[: sample.num_instance], sample.prior_BCHW.to(own)])


def _own_target(schedule: Schedule, sample: Noised) -> Tensor:
    """The target that follows from the picture and the noise.

    Parity: diffusers ``DDPMScheduler.get_velocity`` for v-prediction, exact.
    """
    clean, noise = sample.clean_BCHW, sample.noise_BCHW
    if schedule.prediction == "epsilon":
        return noise
    if schedule.prediction == "sample":
        return clean
    if schedule.prediction == "flow":
        return noise - clean
    alpha = at(schedule.alpha_T, sample.timestep_B, clean)
    sigma = at(schedule.sigma_T, sample.timestep_B, clean)
    return alpha * noise - sigma * clean


def picture_factor(schedule: Schedule, timestep_B: Tensor) -> Tensor:
    """The factor f_t with ‖x̂ − x‖² = f_t·‖prediction − target‖², (B,).

    ε: σ²/α² = 1/SNR (infinite at zero SNR); v and flow: σ²; picture: 1. For v it equals 1/(SNR + 1).
    """
    sigma_B = schedule.sigma_T.to(timestep_B.device)[timestep_B]
    if schedule.prediction == "epsilon":
        return 1.0 / snr(schedule, timestep_B)
    if schedule.prediction == "sample":
        return torch.ones_like(sigma_B)
    return sigma_B**2


def snr_weight(schedule: Schedule, timestep_B: Tensor, gamma: float | None) -> Tensor:
    """Min-SNR-γ weight of each sample, (B,), all ones without γ.

    In terms of the picture the weight is min(SNR, γ), whatever the network predicts; so it is
    min(SNR, γ)/SNR for ε, min(SNR, γ)/(SNR + 1) for v. Finite at zero terminal SNR, where the ε form has the
    limit 1. Source: Hang et al. 2023 (arXiv:2303.09556), eq. 7–8; parity: diffusers' DreamBooth script, exact.
    """
    if gamma is None:
        return torch.ones(len(timestep_B), device=timestep_B.device)
    ratio_B = snr(schedule, timestep_B)
    if schedule.prediction == "epsilon":
        return (torch.full_like(ratio_B, gamma) / ratio_B).clamp(max=1.0)  # scalar / tensor would round twice
    capped_B = ratio_B.clamp(max=gamma)
    if schedule.prediction == "v_prediction":
        return capped_B / (ratio_B + 1.0)  # times σ² is the same number, but another last bit than the reference's
    return capped_B * picture_factor(schedule, timestep_B)


def sample_errors(schedule: Schedule, prediction_BCHW: Tensor, sample: Noised, gamma: float | None) -> Tensor:
    """Error of each sample, (B,): mean over what the mask leaves, × its min-SNR weight.

    Class images are SNR-weighted by their own timesteps, like photos, so that λ keeps its meaning under γ.
    """
    squared = (prediction_BCHW.float() - target(schedule, sample).float()) ** 2
    return masked_mean(squared, sample.mask_B1HW) * snr_weight(schedule, sample.timestep_B, gamma)


def masked_mean(values_BCHW: Tensor, mask_B1HW: Tensor | None) -> Tensor:
    """Mean of each sample over the area its mask leaves, (B,); 0 where it leaves nothing."""
    if mask_B1HW is None:
        return values_BCHW.mean(dim=(1, 2, 3))
    area_B = mask_B1HW.sum(dim=(1, 2, 3)) * values_BCHW.shape[1]
    return (values_BCHW * mask_B1HW).sum(dim=(1, 2, 3)) / area_B.clamp(min=1e-8)


def reduce(error_B: Tensor, sample: Noised) -> Tensor:
    """mean(photos) + λ·mean(class images), a scalar."""
    return (error_B * sample.weight_B).sum() / sample.num_instance


def loss(schedule: Schedule, prediction_BCHW: Tensor, sample: Noised, gamma: float | None = None) -> Tensor:
    """The loss of one batch, a scalar: :func:`reduce` of :func:`sample_errors`."""
    return reduce(sample_errors(schedule, prediction_BCHW, sample, gamma), sample)
