"""How pictures are made. (Torch-free.)"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from boothlab.config.base import Config


class Generation(Config):
    """Sampler settings, the same for class images, evaluation pictures and every run that is compared."""

    sampler: Literal["dpm++", "ddim"] = "dpm++"
    """DPM-Solver++ of second order, or DDIM."""
    steps: int = Field(25, ge=1, le=1000)
    """Sampling steps."""
    guidance: float = Field(7.5, ge=1.0, le=50.0)
    """Classifier-free guidance; 1 is none."""
    batch_size: int = Field(4, ge=1, le=64)
    """Pictures made together."""
