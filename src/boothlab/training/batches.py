"""What is trained on at each step: a pure function of (seed, step), so order survives any interruption.

There are no epochs and no running iterator: the k-th photo dealt since step 0 is looked up in the shuffle of
its pass through the photos. Photos and class images are dealt by the same rule from pools of their own.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from boothlab.diffusion.config import Objective
from boothlab.diffusion.objective import Noised
from boothlab.diffusion.timesteps import draw_timestep
from boothlab.models.model import Posterior
from boothlab.seeds import Purpose, derive

Role = Literal["instance", "class"]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A picture ready for training: ``posterior`` (1, C, H, W), ``mask_11HW`` of the latents or None.

    ``id`` names it in messages and tests; ``class_noun`` says which class images go with a photo.
    """

    id: str
    posterior: Posterior
    prompt: str
    class_noun: str
    weight: float = 1.0
    mask_11HW: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """All photos (over all subjects), and the class images by class noun (empty without prior preservation)."""

    instances: tuple[Example, ...]
    classes: Mapping[str, tuple[Example, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Dealt:
    """One example in one slot of one step. ``slot`` numbers the step's photos from 0 over all passes."""

    example: Example
    role: Role
    slot: int


@lru_cache(maxsize=64)
def _shuffle(seed: int, role: str, turn: int, count: int) -> tuple[int, ...]:
    order = list(range(count))
    random.Random(derive(seed, "order", role, turn)).shuffle(order)
    return tuple(order)


def pick(seed: int, role: str, counter: int, count: int) -> int:
    """Index of the ``counter``-th example dealt from ``count``: each one once per turn, shuffled anew each turn."""
    turn, position = divmod(counter, count)
    return _shuffle(seed, role, turn, count)[position]


def deal(pool: Pool, seed: int, step: int, batch_size: int, accumulate: int) -> list[list[Dealt]]:
    """The passes of one optimizer step. Each has ``batch_size`` photos, then as many class images (if any).

    Every pass has the same roles, so the mean over passes is the big batch.
    """
    per_step = batch_size * accumulate
    passes = []
    for number in range(accumulate):
        slots = range(number * batch_size, (number + 1) * batch_size)
        photos = [
            Dealt(
                pool.instances[pick(seed, "instance", step * per_step + k, len(pool.instances))],
                "instance",
                k,
            )
            for k in slots
        ]
        partners = []
        for photo in photos:
            noun = photo.example.class_noun
            if noun in pool.classes:
                candidates = pool.classes[noun]
                index = pick(seed, f"class {noun}", step * per_step + photo.slot, len(candidates))
                partners.append(Dealt(candidates[index], "class", photo.slot))
        passes.append(photos + partners)
    return passes


def _generator(seed: int, purpose: Purpose, step: int, dealt: Dealt) -> torch.Generator:
    return torch.Generator().manual_seed(derive(seed, purpose, step, dealt.role, dealt.slot))


def noise_for(dealt: Dealt, seed: int, step: int, objective: Objective) -> Tensor:
    """(C, H, W) noise of one slot, with its offset if the objective asks for one."""
    mean = dealt.example.posterior.mean_BCHW[0]
    noise = torch.randn(mean.shape, generator=_generator(seed, "noise", step, dealt))
    if objective.offset_noise:
        offset = torch.randn((mean.shape[0], 1, 1), generator=_generator(seed, "offset", step, dealt))
        noise = noise + objective.offset_noise * offset
    return noise


def noised(
    batch: Sequence[Dealt], seed: int, step: int, objective: Objective, timesteps: int, device: torch.device
) -> Noised:
    """Latents drawn from the posteriors, noise, timesteps and weights of one pass, on ``device``."""
    clean, noise, timestep = [], [], []
    for dealt in batch:
        posterior = dealt.example.posterior
        eps = torch.randn(posterior.mean_BCHW.shape, generator=_generator(seed, "posterior", step, dealt)).to(
            posterior.mean_BCHW.device
        )
        clean.append(posterior.draw(eps))
        noise.append(noise_for(dealt, seed, step, objective))
        timestep.append(draw_timestep(objective.timesteps, timesteps, _generator(seed, "timestep", step, dealt)))
    instances = sum(dealt.role == "instance" for dealt in batch)
    return Noised(
        clean_BCHW=torch.cat(clean).to(device),
        noise_BCHW=torch.stack(noise).to(device),
        timestep_B=torch.tensor(timestep, device=device),
        weight_B=torch.tensor(_weights(batch, objective.prior_weight, instances), device=device),
        num_instance=instances,
        mask_B1HW=_masks(batch, device),
    )


def _weights(batch: Sequence[Dealt], prior_weight: float, instances: int) -> list[float]:
    class_images = len(batch) - instances
    share = prior_weight * instances / class_images if class_images else 0.0
    return [dealt.example.weight * (1.0 if dealt.role == "instance" else share) for dealt in batch]


def _masks(batch: Sequence[Dealt], device: torch.device) -> Tensor | None:
    if all(dealt.example.mask_11HW is None for dealt in batch):
        return None
    shape = batch[0].example.posterior.mean_BCHW.shape[-2:]
    masks = [
        torch.ones((1, 1, *shape)) if dealt.example.mask_11HW is None else dealt.example.mask_11HW for dealt in batch
    ]
    return torch.cat(masks).to(device)


def prompts(batch: Sequence[Dealt], seed: int, step: int, dropout: float) -> list[str]:
    """The prompt of each slot; with probability ``dropout`` the empty one."""
    return ["" if dropout and _drop(seed, step, dealt) < dropout else dealt.example.prompt for dealt in batch]


def _drop(seed: int, step: int, dealt: Dealt) -> float:
    return random.Random(derive(seed, "caption", step, dealt.role, dealt.slot)).random()
