"""The contract of a base model: four verbs, and its parts by role.

Strategies, training and generation know a model only through this protocol; each family in ``families/`` answers
it. So strategies × families costs n + m files, not n × m.

Shape suffixes: B batch, C latent channels, H and W latent height and width, L prompt length, D text width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from boothlab.diffusion.schedule import Schedule


@dataclass(frozen=True, slots=True, eq=False)
class Conditioning:
    """What the backbone is told about the text. ``pooled_BP`` is None for families that have no use for it."""

    states_BLD: Tensor
    pooled_BP: Tensor | None = None

    @staticmethod
    def stack(parts: Sequence[Conditioning]) -> Conditioning:
        """One batch of several."""
        pooled = [part.pooled_BP for part in parts if part.pooled_BP is not None]
        return Conditioning(torch.cat([p.states_BLD for p in parts]), torch.cat(pooled) if pooled else None)

    def each(self) -> list[Conditioning]:
        """Its prompts as batches of one."""
        pooled = self.pooled_BP
        ones = [slice(k, k + 1) for k in range(len(self.states_BLD))]
        return [Conditioning(self.states_BLD[one], None if pooled is None else pooled[one]) for one in ones]


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """The autoencoder's belief about a picture's latents, already scaled as the backbone wants them."""

    mean_BCHW: Tensor
    std_BCHW: Tensor

    def draw(self, noise_BCHW: Tensor) -> Tensor:
        """mean + std·noise."""
        return self.mean_BCHW + self.std_BCHW * noise_BCHW


class Model(Protocol):
    """A text-to-image diffusion model in parts."""

    name: str
    """As the plan calls it."""
    size: int
    """Side of its pictures in pixels."""
    schedule: Schedule
    device: torch.device

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one picture's latents."""

    def encode_text(self, prompts: Sequence[str]) -> Conditioning:
        """Prompts as the backbone wants them; differentiable where a text encoder is being trained."""

    def encode_image(self, pixels_B3HW: Tensor) -> Posterior:
        """Pictures in [−1, 1] → posterior of their latents, contiguous. No gradient.

        Contiguous, because latents read from a cache are, and kernels round differently on another memory order.
        """

    def decode(self, latents_BCHW: Tensor) -> Tensor:
        """Latents → (B, 3, 8H, 8W) in [−1, 1], clamped. No gradient."""

    def predict(self, noisy_BCHW: Tensor, timestep_B: Tensor, text: Conditioning) -> Tensor:
        """The backbone's output, (B, C, H, W)."""

    def parts(self) -> dict[str, nn.Module]:
        """Every module by role: ``backbone``, ``text_encoder`` …, ``autoencoder``."""

    def backbone(self) -> nn.Module:
        """The denoiser."""

    def text_encoders(self) -> dict[str, nn.Module]:
        """Text encoders by role name."""

    def tokenizers(self) -> dict[str, Any]:
        """Tokenizers by the role name of their text encoder."""

    def adapter_targets(self) -> dict[str, tuple[str, ...]]:
        """Role → names (suffixes) of the linear layers that adapters customarily change there."""

    def release(self, role: str) -> None:
        """Give the memory of a part back that is not needed any more; using it afterwards fails."""

    def checkpoint_gradients(self) -> None:
        """Save memory in training: compute activations again in the backward pass instead of keeping them."""

    def scheduler_config(self) -> dict[str, Any]:
        """The diffusers scheduler config that its pictures are made with."""


def freeze(model: Model) -> None:
    """Make nothing trainable and everything ``eval``; a strategy opens what it moves."""
    for module in model.parts().values():
        module.requires_grad_(False)
        module.eval()
