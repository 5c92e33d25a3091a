"""Prior preservation without images: the base model's own prediction is the target of the class half.

Photos are dealt a second time as if they were class images, with noise, timesteps and class prompts of their own, and
the tuned model is held to what the frozen one predicts there, where a photo's mask counts. It needs no class images,
but a frozen copy of the denoiser (and text encoders) in memory.
Source: the idea stands in several trainers as "prior prediction" or "output preservation"; it is self-distillation.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

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
    def predict(self, sample: Noised, prompts: Sequence[str], moves: Callable[[str], bool]) -> Tensor:
        """(B − num_instance, C, H, W): what the frozen model predicts for the class half under ``prompts``.

        To be called inside the autocast of the tuned model's pass, so that equal weights are rounded alike. Prompts
        that the tuned model encodes in every pass, of which ``moves`` says so, are encoded inside it too.
        """
        for prompt in prompts:
            if prompt not in self._texts:
                self._texts[prompt] = self._encoded(prompt, moves(prompt))
        noisy = objective.noisy(self._model.schedule, sample)[sample.num_instance :]
        text = Conditioning.stack([self._texts[prompt] for prompt in prompts])
        return self._model.predict(noisy, sample.timestep_B[sample.num_instance :], text).float()

    def _encoded(self, prompt: str, moves: bool) -> Conditioning:
        if moves:
            return self._model.encode_text([prompt])
        # In full precision, as those of the tuned model and of other trainings.
        with torch.autocast(self._model.device.type, enabled=False):
            return self._model.encode_text([prompt]) if self._kept is None else self._kept.text(self._model, prompt)
