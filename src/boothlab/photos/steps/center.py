"""Crop the largest centred square."""

from __future__ import annotations

from typing import Literal

from boothlab.photos.cut import cut
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
        return cut(photo, self.kind, (left, top, side))
