"""Settings of photo preparation. (Torch-free.)"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from boothlab.config.base import Config, closed_union
from boothlab.photos.steps import STEPS
from boothlab.photos.steps.center import Center
from boothlab.photos.steps.resize import Resize
from boothlab.photos.steps.step import Step

if TYPE_CHECKING:
    AnyStep = Step
else:
    AnyStep = closed_union(STEPS)


class Photos(Config):
    """How photos become a photo set."""

    orientation: Literal["exif", "ignore"] = "exif"
    """Turn photos upright as their EXIF tag says, or ignore the tag (to reproduce trainers that do)."""
    size: int | None = Field(None, ge=16, le=4096, multiple_of=8)
    """Side of the prepared photos in pixels; left out, the size of the base model."""
    steps: tuple[AnyStep, ...] = (Center(), Resize())
    """What is done to each photo, in this order."""
    minimum: int = Field(1, ge=1)
    """Fewest usable photos per subject; fewer is an error."""
    held_out: float = Field(0.25, ge=0.0, le=0.9)
    """Share of the photos that is never trained on, so that likeness can be measured honestly."""
    split_seed: int = 0
    """Which photos are held out."""

    def needs_size(self) -> bool:
        """Whether the size has still to be taken from the base model."""
        return self.size is None


HELD_OUT_FROM = 8
"""With fewer photos than this none is held out, unless asked: every one of them is needed for training."""

FEWEST_HELD_OUT = 3
"""A train/held-out comparison needs at least so many photos on the held-out side (8 photos: 5/3 → p ≥ 1/56)."""
