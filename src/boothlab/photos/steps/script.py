"""Resize and centre crop as diffusers' training scripts do it, for comparisons step by step."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from boothlab.photos.photo import Photo
from boothlab.photos.steps.step import Step


class Script(Step):
    """Scale the shorter side to the model's size, bilinear, then crop the middle, as diffusers' script does."""

    kind: Literal["script"] = "script"

    def apply(self, photo: Photo, size: int) -> Photo:
        """As torchvision's ``Resize(size, BILINEAR)`` and ``CenterCrop(size)`` treat PIL pictures, pixel for pixel.

        The longer side is rounded down; an odd rest of the crop is rounded half to even.
        """
        width, height = photo.size
        shorter = min(width, height)
        scaled = (size * width // shorter, size * height // shorter)
        left, top = (round((side - size) / 2) for side in scaled)
        window = (slice(top, top + size), slice(left, left + size))
        pixels = np.asarray(Image.fromarray(photo.pixels).resize(scaled, Image.Resampling.BILINEAR))[window]
        mask = photo.mask
        if mask is not None:
            mask = np.asarray(Image.fromarray(mask).resize(scaled, Image.Resampling.BOX))[window]
        moved = (scaled[0] / width, 0.0, -left, 0.0, scaled[1] / height, -top)
        return photo.after(self.kind, pixels, mask, moved, scaled_to=list(scaled), left=left, top=top)
