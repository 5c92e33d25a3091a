"""Scale to the size of the base model, once, with an antialiased filter."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image
from pydantic import Field

from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.steps.step import Step


class Resize(Step):
    """Scale to the model's size; says when that means enlarging."""

    kind: Literal["resize"] = "resize"
    largest_enlargement: float = Field(4.0, ge=1.0)
    """A photo that would have to be enlarged more than so many times is set aside."""

    def apply(self, photo: Photo, size: int) -> Photo | Rejected:
        """Lanczos in both directions (PIL widens the filter when it shrinks, so nothing aliases)."""
        width, height = photo.size
        scale = size / min(width, height)
        if scale > self.largest_enlargement:
            whole = photo.seen.get("size", [width, height])
            cropped = width < whole[0] or height < whole[1]
            told = f"its crop of {width}×{height} px" if cropped else f"{whole[0]}×{whole[1]} px"
            reason = (
                f"is too small: {told} would have to be enlarged {scale:.1f} times to {size} px, "
                f"the limit is {self.largest_enlargement:g}"
            )
            other = "another photo or another photos.framing" if cropped else "a larger original"
            hint = f"Use {other}, or raise largest_enlargement of the resize step."
            return Rejected(photo.name, "too-small", reason, hint, photo.source_hash, photo.trail, photo.seen)
        target = (size, size)
        pixels = np.asarray(Image.fromarray(photo.pixels).resize(target, Image.Resampling.LANCZOS))
        mask = photo.mask
        if mask is not None:
            mask = np.asarray(Image.fromarray(mask).resize(target, Image.Resampling.BOX))
        moved = (size / width, 0.0, 0.0, 0.0, size / height, 0.0)
        numbers = {"from_size": [width, height], "size": size, "scale": round(scale, 4)}
        return photo.after(self.kind, pixels, mask, moved, **numbers)
