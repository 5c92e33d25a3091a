"""How pictures are made. (Torch-free.)"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from boothlab.config.base import Config
from boothlab.models.config import Sampler, Spacing, lays_out, most_steps


class Generation(Config):
    """Sampler settings, the same for class images, evaluation pictures and every run that is compared."""

    sampler: Sampler = "dpm++"
    """DPM-Solver++ of second order (Lu et al. 2022); the same with fresh noise at every step (``dpm++sde``, known to
    many as DPM++ 2M SDE); or DDIM without noise."""
    steps: int = Field(25, ge=1, le=998)
    """Sampling steps. Of more than 998 over the usual 1,000 timesteps, samplers put two at one or one beyond all."""
    spacing: Spacing | None = None
    """Timestep spacing; left out, the base model's own (the sampler's where it names none). With few steps
    ``trailing``, which begins at the noisiest timestep, does as well as ``leading`` with more (Lin et al. 2024)."""
    guidance: float = Field(7.5, ge=1.0, le=50.0)
    """Classifier-free guidance; 1 is none."""
    batch_size: int = Field(4, ge=1, le=64)
    """Pictures made together."""

    @model_validator(mode="after")
    def _trailing_divides(self) -> Generation:
        # A base model's own spacing, and another number of timesteps, are looked at when the plan is resolved.
        if not lays_out(self.steps, self.spacing):
            raise ValueError(
                f"steps = {self.steps} cannot be laid out with spacing {self.spacing}: diffusers' rounding makes one "
                f"more of them, below timestep 0. Take {most_steps(self.steps, self.spacing)}, or another spacing"
            )
        return self

    def as_made(self) -> dict[str, Any]:
        """What a picture depends on, as its sidecar says it; no spacing is not said, as before there was one."""
        return self.model_dump(mode="json", exclude={"spacing"} if self.spacing is None else None)
