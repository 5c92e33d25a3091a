"""How pictures are made. (Torch-free.)"""

from __future__ import annotations

from pydantic import Field

from boothlab.config.base import Config
from boothlab.models.config import Sampler


class Generation(Config):
    """Sampler settings, the same for class images, evaluation pictures and every run that is compared."""

    sampler: Sampler = "dpm++"
    """DPM-Solver++ of second order (Lu et al. 2022); the same with fresh noise at every step (``dpm++sde``, known to
    many as DPM++ 2M SDE); or DDIM without noise."""
    steps: int = Field(25, ge=1, le=1000)
    """Sampling steps."""
    guidance: float = Field(7.5, ge=1.0, le=50.0)
    """Classifier-free guidance; 1 is none."""
    batch_size: int = Field(4, ge=1, le=64)
    """Pictures made together."""
