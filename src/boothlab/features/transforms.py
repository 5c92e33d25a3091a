"""Pinned ways to bring pictures to a network's size: the home of every resize before a feature. (Torch-free.)

A metric's resize moves its number (bicubic filters of different libraries differ by 6 FID on the same pictures), so
there is one filter here: Pillow's bicubic, which antialiases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from boothlab.errors import PhotoError
from boothlab.features.feature import Pictures

FILTER = Image.Resampling.BICUBIC


def rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``pixels`` if they are (H, W, 3) of 8 bits. Raises ValueError: other ranges would give plausible numbers."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"a feature wants (H, W, 3) of uint8, not {pixels.shape} of {pixels.dtype}")
    return pixels


def resized(pixels: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """(H, W, 3) → (side, side, 3) in 0–255, each channel in floating point, never rounded.

    What the filter overshoots at sharp edges is cut off. Source: clean-fid's "clean" resize (Parmar et al. 2022,
    arXiv:2104.11222), which cuts it off too.
    """
    planes = np.moveaxis(rgb(pixels).astype(np.float32), 2, 0)
    channels = [np.asarray(Image.fromarray(plane).resize((side, side), FILTER)) for plane in planes]
    return np.stack(channels, axis=-1).clip(0, 255)


def cropped(pixels: NDArray[np.uint8], shortest: int, side: int) -> NDArray[np.uint8]:
    """(H, W, 3) → (side, side, 3): the shorter side to ``shortest`` pixels, then the middle.

    Rounds to 8 bits after the resize, as CLIP's and DINO's own preprocessing does.
    Raises ValueError where ``side`` is larger than ``shortest``.
    """
    if side > shortest:
        raise ValueError(f"a crop of {side} px from a picture of {shortest} px")
    height, width = pixels.shape[:2]
    if height <= width:
        size = (int(shortest * width / height), shortest)
    else:
        size = (shortest, int(shortest * height / width))
    small = np.asarray(Image.fromarray(rgb(pixels)).resize(size, FILTER))
    top, left = (size[1] - side) // 2, (size[0] - side) // 2
    return small[top : top + side, left : left + side]


def standardised(
    pixels: NDArray[np.uint8], mean: tuple[float, ...], deviation: tuple[float, ...]
) -> NDArray[np.float32]:
    """(H, W, 3) in 0–255 → (3, H, W) with 0–1 brought to the given mean and standard deviation per channel."""
    channels = [(pixels[..., c].astype(np.float32) / 255 - mean[c]) / deviation[c] for c in range(3)]
    return np.stack(channels)


def same_size(pictures: Pictures) -> None:
    """Raises PhotoError when the pictures differ in size: the numbers could not be compared."""
    sizes = {rgb(pixels).shape[:2] for pixels in pictures}
    if len(sizes) > 1:
        listed = ", ".join(f"{width}×{height}" for height, width in sorted(sizes))
        raise PhotoError(
            f"The pictures to compare have different sizes ({listed}).",
            "Prepare the photos at the size of the pictures (photos.size).",
        )
