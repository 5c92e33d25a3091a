"""Prior preservation without images: the base model's own prediction is the target of the class half.

The photos' noisy latents are shown a second time under the class prompt, and the tuned model is held to what the
frozen one predicts there. It needs no class images, but a frozen copy of the denoiser (and text encoders) in memory.
Source: the idea stands in several trainers as "prior prediction" or "output preservation"; it is self-distillation.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from boothlab.diffusion import objective
from boothlab.diffusion.objective import Noised
from boothlab.models.model import Conditioning, Model
from boothlab.training.kept import Kept


class FrozenPrior:
    """A copy of a base model that stays as it was. The autoencoder and tokenizers are shared, not copied."""

    def __init__(self, model: Model, kept: Kept | None = None) -> None:
        shared = [model.parts()["autoencoder"], *model.tokenizers().values()]
        self._model = copy.deepcopy(model, {id(part): part for part in shared})
        for role, module in self._model.parts().items():
            if role != "autoencoder":
                module.requires_grad_(False)
                module.eval()
        self._kept = kept
        self._texts: dict[str, Conditioning] = {}

    @torch.no_grad()
    def predict(self, sample: Noised, prompts: Sequence[str]) -> Tensor:
        """(B − num_instance, C, H, W): what the frozen model predicts for the class half under ``prompts``."""
        for prompt in prompts:
            if prompt not in self._texts:
                kept = self._kept
                found = self._model.encode_text([prompt]) if kept is None else kept.text(self._model, prompt)
                self._texts[prompt] = found
        noisy = objective.noisy(self._model.schedule, sample)[sample.num_instance :]
        text = Conditioning.stack([self._texts[prompt] for prompt in prompts])
        return self._model.predict(noisy, sample.timestep_B[sample.num_instance :], text)
