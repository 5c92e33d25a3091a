"""How much of the picture and how much noise is in a sample at each timestep.

Every schedule is a pair of tables: x_t = α_t·x + σ_t·ε. Variance-preserving schedules have α² + σ² = 1; the
straight path of flow matching has α = 1 − σ. Nothing else in boothlab knows where the numbers come from.

Shape suffixes: B batch, T timesteps, C channels, H height, W width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Prediction = Literal["epsilon", "v_prediction", "sample", "flow"]
"""What the network predicts: the noise ε, the velocity α·ε − σ·x, the picture x, or the flow ε − x."""


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """``alpha_T`` and ``sigma_T`` are (T,) float32 in [0, 1]; index 0 is the least noisy timestep."""

    alpha_T: Tensor
    sigma_T: Tensor
    prediction: Prediction

    def __len__(self) -> int:
        return len(self.alpha_T)


def variance_preserving(betas_T: Tensor, prediction: Prediction) -> Schedule:
    """The DDPM schedule of ``betas_T``: α² = Π(1 − β), σ² = 1 − α². Source: Ho et al. 2020 (arXiv:2006.11239).

    Parity: diffusers ``DDPMScheduler.alphas_cumprod`` (float32 product), exact.
    """
    cumulative_T = torch.cumprod(1.0 - betas_T.to(torch.float32), dim=0)
    return Schedule(cumulative_T.sqrt(), (1.0 - cumulative_T).sqrt(), prediction)


def scaled_linear_betas(start: float, end: float, steps: int) -> Tensor:
    """(T,) betas whose square roots are equally spaced, as in Stable Diffusion (0.00085 … 0.012, 1000)."""
    return torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float32) ** 2


def linear_betas(start: float, end: float, steps: int) -> Tensor:
    """(T,) equally spaced betas, as in DDPM."""
    return torch.linspace(start, end, steps, dtype=torch.float32)


def zero_terminal_snr(betas_T: Tensor) -> Tensor:
    """``betas_T`` rescaled so that the last timestep is pure noise and the first one stays as it was.

    Source: Lin et al. 2023 (arXiv:2305.08891), algorithm 1; parity: diffusers ``rescale_zero_terminal_snr``.
    """
    root_T = torch.cumprod(1.0 - betas_T, dim=0).sqrt()
    first, last = root_T[0].clone(), root_T[-1].clone()
    root_T = (root_T - last) * (first / (first - last))
    cumulative_T = root_T**2
    alphas_T = torch.cat([cumulative_T[:1], cumulative_T[1:] / cumulative_T[:-1]])
    return 1.0 - alphas_T


def straight_path(steps: int, shift: float = 1.0) -> Schedule:
    """The flow-matching path: σ runs from 1/T to 1, ``shift`` > 1 moves it towards noise, α = 1 − σ.

    Source: Esser et al. 2024 (arXiv:2403.03206), eq. 23 for the shift.
    """
    sigma_T = torch.arange(1, steps + 1, dtype=torch.float32) / steps
    sigma_T = shift * sigma_T / (1.0 + (shift - 1.0) * sigma_T)
    return Schedule(1.0 - sigma_T, sigma_T, "flow")


def resolution_shift(latent_height: int, latent_width: int, patch: int = 2) -> float:
    """The ``shift`` of :func:`straight_path` for pictures of so many latents, ≥ 1.

    More tokens need more noise to hide as much. ln(shift) goes in a line from 0.5 at 256 tokens (a picture of 256
    pixels) to 1.15 at 4096 (1024 pixels); a token is ``patch`` × ``patch`` latents. Source: Esser et al. 2024
    (arXiv:2403.03206), sec. 5.3.2, with the constants of the Flux models; parity: diffusers ``calculate_shift``.
    """
    tokens = (latent_height // patch) * (latent_width // patch)
    return math.exp(0.5 + (1.15 - 0.5) * (tokens - 256) / (4096 - 256))


def at(table_T: Tensor, timestep_B: Tensor, like_BCHW: Tensor) -> Tensor:
    """(B, 1, 1, 1) values of ``table_T`` at ``timestep_B``, on the device and in the dtype of ``like_BCHW``."""
    picked_B = table_T.to(timestep_B.device)[timestep_B].to(like_BCHW)
    return picked_B.reshape(-1, *([1] * (like_BCHW.ndim - 1)))


def add_noise(schedule: Schedule, clean_BCHW: Tensor, noise_BCHW: Tensor, timestep_B: Tensor) -> Tensor:
    """x_t = α_t·x + σ_t·ε. The tables are read, never written."""
    alpha = at(schedule.alpha_T, timestep_B, clean_BCHW)
    sigma = at(schedule.sigma_T, timestep_B, clean_BCHW)
    return alpha * clean_BCHW + sigma * noise_BCHW


def snr(schedule: Schedule, timestep_B: Tensor) -> Tensor:
    """Signal-to-noise ratio α²/σ² at each timestep, (B,) → (B,); 0 where the sample is pure noise.

    Source: Hang et al. 2023 (arXiv:2303.09556); parity: diffusers ``compute_snr``, rtol 1e-6.
    """
    alpha_B = schedule.alpha_T.to(timestep_B.device)[timestep_B]
    sigma_B = schedule.sigma_T.to(timestep_B.device)[timestep_B]
    return (alpha_B / sigma_B) ** 2
