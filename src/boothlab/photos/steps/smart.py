"""Crop the square where most is going on, with faces inside. Never guesses silently: the trail says what decided."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from boothlab.photos.cut import cut, inside
from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.steps.head import visible_head
from boothlab.photos.steps.step import Step

THUMBNAIL_PX = 96
"""Longer side of the copy on which saliency is judged."""


class Smart(Step):
    """Crop the largest square around what draws the eye; a face that was seen is always inside."""

    kind: Literal["smart"] = "smart"

    def apply(self, photo: Photo, size: int) -> Photo | Rejected:
        """Slide along the longer side. Heads longer than the shorter side get borders that do not count."""
        width, height = photo.size
        side = float(min(width, height))
        along_x = width >= height
        start = _most_salient_start(photo.pixels, along_x)
        if photo.subject is not None:
            head = visible_head(photo)
            low, high = (head[0], head[2]) if along_x else (head[1], head[3])
            side = max(side, float(np.ceil(high - low)) + 1)
            start = min(max(start, high - side), low)
        left, top = (start, 0.0) if along_x else (0.0, start)
        return cut(photo, self.kind, inside(np.floor(left), np.floor(top), np.ceil(side), width, height))


def _most_salient_start(pixels: NDArray[np.uint8], along_x: bool) -> float:
    """Where the square begins on the longer side, in pixels.

    Saliency: luminance edges plus saturation, with a mild preference for the middle (a sixth at the ends).
    """
    height, width = pixels.shape[:2]
    scale = max(height, width) / THUMBNAIL_PX
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX, reducing_gap=2.0), np.float64)
    luma = small @ np.array([0.299, 0.587, 0.114])
    edges = np.abs(np.diff(luma, axis=1, append=luma[:, -1:])) + np.abs(np.diff(luma, axis=0, append=luma[-1:]))
    saliency = edges + 0.3 * (small.max(axis=2) - small.min(axis=2))
    profile = saliency.sum(axis=0 if along_x else 1)
    window = min(size)
    count = len(profile) - window + 1
    sums = np.convolve(profile, np.ones(window), "valid")
    offset = np.abs(np.arange(count) - (count - 1) / 2) / max((count - 1) / 2, 1)
    # A plateau (a plain wall) resolves to its middle, so a mirrored photo is cropped to the mirrored place.
    score = (sums + 1.0) * (1 - offset / 6)
    best = np.flatnonzero(score >= score.max() * (1 - 1e-9))
    share = float(np.mean(best)) / max(count - 1, 1)
    return float(share * abs(width - height))
