"""Crop the largest centred square."""

from __future__ import annotations

from typing import Literal

from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.steps.step import Step


class Center(Step):
    """Crop the largest square around the middle."""

    kind: Literal["center"] = "center"

    def apply(self, photo: Photo, size: int) -> Photo | Rejected:
        """Cut what is longer than the shorter side, equally at both ends (the odd pixel at the far end)."""
        width, height = photo.size
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        window = (slice(top, top + side), slice(left, left + side))
        mask = None if photo.mask is None else photo.mask[window]
        box = [left, top, left + side, top + side]
        return photo.after(self.kind, photo.pixels[window], mask, box=box)
