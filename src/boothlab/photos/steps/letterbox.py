"""Pad to a square with white borders that do not count in the loss."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.steps.step import Step

LONGEST = 12_000
"""Longer side in pixels from which a photo is no photo: as a square it would take gigabytes."""


class Letterbox(Step):
    """Pad the shorter side to a square; nothing of the photo is lost."""

    kind: Literal["letterbox"] = "letterbox"
    shade: int = Field(255, ge=0, le=255)
    """Grey level of the borders."""
    masked: bool = True
    """Leave the borders out of the loss, so that the model does not learn to draw them."""

    def apply(self, photo: Photo, size: int) -> Photo | Rejected:
        """Add equal borders (the odd pixel at the far end)."""
        width, height = photo.size
        side = max(width, height)
        if side > LONGEST:
            reason = f"is {width}×{height} pixels; as a square that is more than {LONGEST}×{LONGEST}"
            hint = "Cut it, or frame it otherwise (photos.framing)."
            return Rejected(photo.name, "too-long", reason, hint, photo.source_hash, photo.trail, photo.seen)
        left, top = (side - width) // 2, (side - height) // 2
        window = (slice(top, top + height), slice(left, left + width))
        pixels = np.full((side, side, 3), self.shade, dtype=np.uint8)
        pixels[window] = photo.pixels
        mask = photo.mask
        if mask is not None or (self.masked and width != height):
            border = 0 if self.masked else 255
            padded = np.full((side, side), border, dtype=np.uint8)
            padded[window] = 255 if photo.mask is None else photo.mask
            mask = padded
        moved = (1.0, 0.0, left, 0.0, 1.0, top)
        return photo.after(self.kind, pixels, mask, moved, box=[-left, -top, side - left, side - top])
