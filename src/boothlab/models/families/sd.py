"""Stable Diffusion 1.x and 2.x, and everything of that make (the built-in ``toon`` among them)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from boothlab.diffusion.schedule import (
    Prediction,
    Schedule,
    linear_betas,
    scaled_linear_betas,
    variance_preserving,
    zero_terminal_snr,
)
from boothlab.errors import NoWeights
from boothlab.models.costs import DECODED_ALONE_FROM
from boothlab.models.families.sd_config import schedule_objections
from boothlab.models.model import Conditioning, Posterior


@dataclass(slots=True, eq=False)
class StableDiffusion:
    """One text encoder, a KL autoencoder and a UNet; implements :class:`boothlab.models.model.Model`."""

    name: str
    size: int
    schedule: Schedule
    device: torch.device
    tokenizer: Any
    text_encoder: nn.Module
    autoencoder: nn.Module
    unet: nn.Module
    scheduler: dict[str, Any]

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one picture's latents."""
        config = cast(Any, self.unet).config
        side = self.size // 2 ** (len(cast(Any, self.autoencoder).config.block_out_channels) - 1)
        return int(config.in_channels), side, side

    def encode_text(self, prompts: Sequence[str]) -> Conditioning:
        """Final hidden states after the final layer norm, prompts padded and cut to the tokenizer's length.

        Parity: diffusers ``StableDiffusionPipeline.encode_prompt`` without clip-skip, exact.
        """
        ids_BL = self.tokenizer(
            list(prompts),
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        return Conditioning(self.text_encoder(ids_BL.to(self.device))[0])

    @torch.no_grad()
    def encode_image(self, pixels_B3HW: Tensor) -> Posterior:
        """Pictures in [−1, 1] → scaled posterior."""
        vae = cast(Any, self.autoencoder)
        found = vae.encode(pixels_B3HW.to(self.device, vae.dtype)).latent_dist
        scale = vae.config.scaling_factor
        # Rows in plain order: latents read from a cache are, and another order would change a sum's last bits.
        return Posterior((found.mean.float() * scale).contiguous(), (found.std.float() * scale).contiguous())

    @torch.no_grad()
    def decode(self, latents_BCHW: Tensor) -> Tensor:
        """Scaled latents → pictures in [−1, 1]."""
        vae = cast(Any, self.autoencoder)
        scaled = latents_BCHW.to(self.device, vae.dtype) / vae.config.scaling_factor
        # A large picture fills whatever computes it; eight at once would take gigabytes and no less time.
        apart = self.size >= DECODED_ALONE_FROM
        parts = [vae.decode(one[None]).sample for one in scaled] if apart else [vae.decode(scaled).sample]
        return torch.cat(parts).float().clamp(-1, 1)

    def predict(self, noisy_BCHW: Tensor, timestep_B: Tensor, text: Conditioning) -> Tensor:
        """The UNet's output."""
        return cast(Tensor, self.unet(noisy_BCHW, timestep_B, text.states_BLD, return_dict=False)[0])

    def parts(self) -> dict[str, nn.Module]:
        """Every module by role."""
        return {"backbone": self.unet, "text_encoder": self.text_encoder, "autoencoder": self.autoencoder}

    def backbone(self) -> nn.Module:
        """The UNet."""
        return self.unet

    def text_encoders(self) -> dict[str, nn.Module]:
        """The one text encoder."""
        return {"text_encoder": self.text_encoder}

    def tokenizers(self) -> dict[str, Any]:
        """The one tokenizer."""
        return {"text_encoder": self.tokenizer}

    def adapter_targets(self) -> dict[str, tuple[str, ...]]:
        """The attention projections, as diffusers' LoRA scripts take them."""
        return {
            "backbone": ("to_k", "to_q", "to_v", "to_out.0"),
            "text_encoder": ("q_proj", "k_proj", "v_proj", "out_proj"),
        }

    def release(self, role: str) -> None:
        """Put an empty module in the place of the autoencoder or the text encoder."""
        if role not in ("autoencoder", "text_encoder"):
            raise ValueError(f"cannot release {role!r}")
        setattr(self, role, nn.Module())

    def checkpoint_gradients(self) -> None:
        """Switch gradient checkpointing on in the UNet, and in the text encoder where it is trained."""
        cast(Any, self.unet).enable_gradient_checkpointing()
        if any(parameter.requires_grad for parameter in self.text_encoder.parameters()):
            cast(Any, self.text_encoder).gradient_checkpointing_enable()
            # transformers does it in layers that are in training alone, which they are not where one word moves. What
            # is in them stays as it was: the dropout of their attention, if a base model has any, stays off.
            for module in self.text_encoder.modules():
                module.training = module.training or getattr(module, "gradient_checkpointing", False) is True

    def scheduler_config(self) -> dict[str, Any]:
        """The scheduler's config as it came with the weights."""
        return dict(self.scheduler)


def schedule_from(config: dict[str, Any]) -> Schedule:
    """The noise schedule that a diffusers scheduler config describes. Raises NoWeights for unknown kinds."""
    unknown = list(schedule_objections(config))
    if unknown:
        raise NoWeights(f"The base model cannot be used: {'; '.join(unknown)}.")
    steps = int(config.get("num_train_timesteps", 1000))
    start, end = float(config.get("beta_start", 0.0001)), float(config.get("beta_end", 0.02))
    kind = config.get("beta_schedule", "linear")
    betas = (scaled_linear_betas if kind == "scaled_linear" else linear_betas)(start, end, steps)
    if config.get("rescale_betas_zero_snr"):
        betas = zero_terminal_snr(betas)
    return variance_preserving(betas, cast(Prediction, config.get("prediction_type", "epsilon")))
