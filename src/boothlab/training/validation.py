"""The overfitting curve: the loss at fixed noise and timesteps, on photos trained on and on photos held out.

A training loss is noise: each step draws other timesteps. Here every photo is looked at with the same noise at the
same timesteps each time, so that the curve moves only when the weights do. A gap that opens between held-out and
training photos, against the gap that the base model has, is what overfitting looks like from inside.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from boothlab.diffusion import objective
from boothlab.diffusion.objective import Noised
from boothlab.models.model import Conditioning, Model
from boothlab.seeds import derive
from boothlab.training.batches import Example

NOISE_SEED = 0
"""The same noise for every run, so that curves of different runs can be laid over each other."""


def timestep_grid(count: int, total: int) -> list[int]:
    """``count`` timesteps in the middles of equal parts of [0, ``total``)."""
    return [int((index + 0.5) * total / count) for index in range(count)]


@torch.no_grad()
def fixed_loss(model: Model, examples: Sequence[Example], texts: Sequence[Conditioning], timesteps: int) -> float:
    """Mean squared error over ``examples`` × ``timesteps``, unweighted; posterior means, fixed noise."""
    total = 0.0
    grid = timestep_grid(timesteps, len(model.schedule))
    for example, text in zip(examples, texts, strict=True):
        mean = example.posterior.mean_BCHW.to(model.device)
        noise = torch.stack([_noise(example, index, mean.shape[1:]) for index in range(len(grid))])
        sample = Noised(
            clean_BCHW=mean.expand(len(grid), -1, -1, -1),
            noise_BCHW=noise.to(model.device),
            timestep_B=torch.tensor(grid, device=model.device),
            weight_B=torch.ones(len(grid), device=model.device),
            num_instance=len(grid),
            mask_B1HW=None
            if example.mask_11HW is None
            else example.mask_11HW.to(model.device).expand(len(grid), -1, -1, -1),
        )
        prediction = model.predict(
            objective.noisy(model.schedule, sample), sample.timestep_B, Conditioning.stack([text] * len(grid))
        )
        total += float(objective.loss(model.schedule, prediction, sample))
    return total / len(examples)


def _noise(example: Example, index: int, shape: torch.Size) -> torch.Tensor:
    generator = torch.Generator().manual_seed(derive(NOISE_SEED, "validation", example.id, index))
    return torch.randn(shape, generator=generator)


def worsened_for(history: Sequence[float]) -> int:
    """How many looks ago the lowest value was seen."""
    return len(history) - 1 - min(range(len(history)), key=lambda index: history[index]) if history else 0
