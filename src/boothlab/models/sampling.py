"""From prompts and seeds to pictures: one source of noise per picture, so that equal seeds give equal pictures.

A picture depends on its own seed, its prompt, the sampler and the weights; not on its neighbours in the batch,
up to the last bits that batched arithmetic leaves open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boothlab.models.config import Sampler, Spacing, scheduler_settings
from boothlab.models.model import Conditioning, Model


def noise_sources(seeds: Sequence[int]) -> list[torch.Generator]:
    """One generator per seed, on the CPU, so that noise is equal on every device."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def initial_latents(model: Model, sources: Sequence[torch.Generator]) -> Tensor:
    """(B, C, H, W) standard normal noise, each picture's from its own source, as the stock pipeline draws it."""
    return torch.stack([torch.randn(model.latent_shape, generator=source) for source in sources]).to(model.device)


def make_scheduler(name: Sampler, config: dict[str, Any], spacing: Spacing | None = None) -> Any:
    """A diffusers scheduler with the base model's noise schedule, and its timestep spacing where none is given."""
    import diffusers

    kind, settings = scheduler_settings(name, spacing)
    return getattr(diffusers, kind).from_config(config, **settings)


@torch.no_grad()
def sample(
    model: Model,
    prompts: Sequence[str],
    seeds: Sequence[int],
    sampler: Sampler,
    steps: int,
    guidance: float,
    spacing: Spacing | None = None,
    negatives: Sequence[str] = (),
) -> NDArray[np.uint8]:
    """(B, H, W, 3) uint8 pictures, one per (prompt, seed), made in one batch with classifier-free guidance.

    Guidance leads away from what is drawn of ``negatives``, one per prompt; left out, of the empty prompt.
    """
    if len(prompts) != len(seeds):
        raise ValueError(f"{len(prompts)} prompts for {len(seeds)} seeds")
    if negatives and len(negatives) != len(prompts):
        raise ValueError(f"{len(negatives)} negative prompts for {len(prompts)} prompts")
    scheduler = make_scheduler(sampler, model.scheduler_config(), spacing)
    scheduler.set_timesteps(steps, device=model.device)
    guided = guidance != 1.0
    text = model.encode_text([*((negatives or [""] * len(prompts)) if guided else []), *prompts])
    sources = noise_sources(seeds)
    latents = initial_latents(model, sources) * scheduler.init_noise_sigma
    fresh = {"generator": sources} if sampler == "dpm++sde" else {}
    for timestep in scheduler.timesteps:
        noise = _predict(model, scheduler, latents, timestep, text, guidance if guided else None)
        latents = scheduler.step(noise, timestep, latents, **fresh, return_dict=False)[0]
    return to_uint8(model.decode(latents))


def _predict(
    model: Model,
    scheduler: Any,
    latents: Tensor,
    timestep: Tensor,
    text: Conditioning,
    guidance: float | None,
) -> Tensor:
    copies = 1 if guidance is None else 2
    scaled = scheduler.scale_model_input(torch.cat([latents] * copies), timestep)
    timesteps = timestep.to(model.device).expand(len(scaled))
    predicted = model.predict(scaled, timesteps, text)
    if guidance is None:
        return predicted
    without, with_text = predicted.chunk(2)
    return without + guidance * (with_text - without)


def to_uint8(pixels_B3HW: Tensor) -> NDArray[np.uint8]:
    """[−1, 1] → (B, H, W, 3) uint8, rounded as diffusers' image processor does.

    A picture with values that are no numbers is black from edge to edge, by which whoever shows it knows and says so.
    """
    scaled_B3HW = (pixels_B3HW.float() / 2 + 0.5).clamp(0, 1)
    whole_B = torch.isfinite(scaled_B3HW).all(dim=(1, 2, 3), keepdim=True)
    scaled = torch.where(whole_B, scaled_B3HW, 0.0).permute(0, 2, 3, 1).cpu().numpy()
    return np.asarray((scaled * 255).round(), dtype=np.uint8)


def from_uint8(pixels_BHW3: NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) uint8 → (B, 3, H, W) float32 in [−1, 1]."""
    tensor = torch.from_numpy(np.array(pixels_BHW3)).permute(0, 3, 1, 2).float()
    return tensor / 127.5 - 1.0
