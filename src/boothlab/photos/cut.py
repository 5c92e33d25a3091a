"""Cutting a square out of a photo: the arithmetic that all framing steps share."""

from __future__ import annotations

import numpy as np

from boothlab.photos.photo import Photo

Square = tuple[int, int, int]
"""left, top, side in pixels; may leave the photo."""


def inside(left: float, top: float, side: float, width: int, height: int) -> Square:
    """The square moved by as little as possible so that no part of it leaves the photo unnecessarily.

    Along an axis on which the square is longer than the photo, the photo is centred in it.
    """
    whole = max(1, round(side))
    x, y = round(left), round(top)
    x = (width - whole) // 2 if whole > width else min(max(x, 0), width - whole)
    y = (height - whole) // 2 if whole > height else min(max(y, 0), height - whole)
    return x, y, whole


def cut(photo: Photo, kind: str, square: Square, shade: int = 255) -> Photo:
    """The photo's pixels inside ``square``; what lies outside the photo becomes ``shade`` and does not count."""
    left, top, side = square
    width, height = photo.size
    moved = (1.0, 0.0, -left, 0.0, 1.0, -top)
    box = [left, top, left + side, top + side]
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        window = (slice(top, top + side), slice(left, left + side))
        mask = None if photo.mask is None else photo.mask[window]
        return photo.after(kind, photo.pixels[window], mask, moved, box=box)
    pixels = np.full((side, side, 3), shade, dtype=np.uint8)
    new_mask = np.zeros((side, side), dtype=np.uint8)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    there = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    here = (slice(y0, y1), slice(x0, x1))
    pixels[there] = photo.pixels[here]
    new_mask[there] = 255 if photo.mask is None else photo.mask[here]
    added = 1 - (x1 - x0) * (y1 - y0) / side**2
    return photo.after(kind, pixels, new_mask, moved, box=box, border=round(added, 4))
