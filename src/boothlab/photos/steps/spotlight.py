"""Let the loss count the subject's head, and the rest of the photo only a little: masked training."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.steps.head import visible_head
from boothlab.photos.steps.step import Step


class Spotlight(Step):
    """Count the head fully and everything else by a part, so that walls and clothes are not learned with the face.

    A photo without a face counts as a whole. What was masked out before stays out.
    """

    kind: Literal["spotlight"] = "spotlight"
    moves: ClassVar[bool] = False
    outside: float = Field(0.1, ge=0.0, le=1.0)
    """Weight of what is outside, where the head has 1."""
    margin: float = Field(0.1, ge=0.0, le=2.0)
    """How far beyond the head's box the loss still counts fully, as a part of the box's height."""

    def apply(self, photo: Photo, size: int) -> Photo | Rejected:
        """The same pixels with a mask: 255 in the head's box and its margin, 255 · ``outside`` elsewhere."""
        if photo.subject is None:
            return photo.after(self.kind, photo.pixels, photo.mask, box=[0, 0, *photo.size])
        width, height = photo.size
        x0, y0, x1, y1 = visible_head(photo)
        room = self.margin * (y1 - y0)
        left, top = max(0, int(np.floor(x0 - room))), max(0, int(np.floor(y0 - room)))
        right, bottom = min(width, int(np.ceil(x1 + room))), min(height, int(np.ceil(y1 + room)))
        weight = np.full((height, width), self.outside)
        weight[top:bottom, left:right] = 1.0
        before = np.full((height, width), 255.0) if photo.mask is None else photo.mask.astype(np.float64)
        mask = np.rint(before * weight).astype(np.uint8)
        return photo.after(self.kind, photo.pixels, mask, box=[left, top, right, bottom], outside=self.outside)
