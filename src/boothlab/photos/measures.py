"""Numbers about a picture: how sharp, how lit, how alike another one. Pure numpy; no thresholds (see screening).

Shapes: pictures (H, W, 3) uint8 sRGB; luma (H, W) float32 in 0–255.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

SHARPNESS_SIDE = 192
"""Longer side at which sharpness is judged: blur that vanishes at this size does not hurt a 512-pixel crop."""

PATCH_SIDE = 24
"""Side of the thumbnails by which near-duplicates are found."""

PATCH_SHIFT = 2
"""Thumbnails are compared at shifts of up to so many of their pixels."""


def region(pixels: Pixels, box: Any) -> Pixels:
    """The part of ``pixels`` inside ``box``, at least one pixel."""
    height, width = pixels.shape[:2]
    x0, y0 = min(max(int(box[0]), 0), width - 1), min(max(int(box[1]), 0), height - 1)
    x1, y1 = min(max(int(np.ceil(box[2])), x0 + 1), width), min(max(int(np.ceil(box[3])), y0 + 1), height)
    return pixels[y0:y1, x0:x1]


def scaled(pixels: Pixels, longest: int) -> Pixels:
    """``pixels`` shrunk to a longer side of ``longest``; smaller pictures as they are."""
    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.BOX))


def luma(pixels: Pixels) -> Floats:
    """Rec. 601 luma."""
    return np.asarray(pixels @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def sharpness(pixels: Pixels) -> float:
    """0 (nothing but blur) to 1 (every edge one pixel wide), whatever the contrast.

    One minus the blur metric of Crete et al. 2007: a picture that changes little when it is blurred again was
    blurred already. Judged at :data:`SHARPNESS_SIDE`; 1 for a picture without any edge, of which blur cannot be said.
    """
    grey = luma(scaled(pixels, SHARPNESS_SIDE))
    lost = []
    for axis in (0, 1):
        if grey.shape[axis] < 12:
            continue
        steps = np.abs(np.diff(grey, axis=axis))
        again = np.abs(np.diff(_averaged(grey, axis), axis=axis))
        total = float(steps.sum())
        if total > 0.05 * steps.size:
            lost.append(float(np.maximum(steps - again, 0).sum()) / total)
    return float(min(lost)) if lost else 1.0


def _averaged(grey: Floats, axis: int, length: int = 9) -> Floats:
    """Running mean over ``length`` pixels along ``axis``, edges repeated."""
    pad = [(0, 0), (0, 0)]
    pad[axis] = (length // 2 + 1, length // 2)
    total = np.cumsum(np.pad(grey, pad, mode="edge"), axis=axis, dtype=np.float64)
    high = np.take(total, range(length, total.shape[axis]), axis=axis)
    low = np.take(total, range(total.shape[axis] - length), axis=axis)
    return np.asarray((high - low) / length, np.float32)


def light(pixels: Pixels) -> dict[str, float]:
    """Luma figures of a picture or a part of it.

    ``mean``; ``dark`` and ``bright``: the luma below which 5 and 95 per cent of the pixels lie; ``clipped``: share
    of pixels with two or three channels above 250 (burnt-out skin loses red and green first, and is seldom pure
    white); ``sideways``: log2 of left against right half; ``warm``: log2 red / blue.
    """
    small = scaled(pixels, 256)
    grey = luma(small)
    dark, bright = (float(value) for value in np.percentile(grey, (5, 95)))
    half = grey.shape[1] // 2
    left, right = (float(part.mean()) if part.size else 0.0 for part in (grey[:, :half], grey[:, -half or None :]))
    red, blue = float(small[..., 0].mean()), float(small[..., 2].mean())
    return {
        "mean": round(float(grey.mean()), 2),
        "dark": round(dark, 2),
        "bright": round(bright, 2),
        "clipped": round(float(((small > 250).sum(axis=2) >= 2).mean()), 4),
        "sideways": round(float(np.log2((left + 4) / (right + 4))), 4),
        "warm": round(float(np.log2((red + 4) / (blue + 4))), 4),
    }


def patch(pixels: Pixels) -> str:
    """A thumbnail as text, for :func:`alikeness`."""
    size = (PATCH_SIDE, PATCH_SIDE)
    small = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.BOX)
    return base64.b64encode(small.tobytes()).decode()


def alikeness(a: str, b: str) -> float:
    """Correlation (-1…1) of two patches, the best over small shifts, as they are or one mirrored.

    Brightness and contrast do not count, colours do.
    """
    return float((_windows(b) @ _inner(a)).max())


def alikenesses(first: Sequence[str], second: Sequence[str]) -> NDArray[np.float64]:
    """(n, m) of :func:`alikeness`, every one of ``first`` with every one of ``second``."""
    inner = np.stack([_inner(text) for text in first], axis=1)
    return np.stack([(_windows(text) @ inner).max(axis=0) for text in second], axis=1)


def _inner(text: str) -> NDArray[np.float64]:
    """(D,): the patch without its edge, centred."""
    edge, side = PATCH_SHIFT, PATCH_SIDE - 2 * PATCH_SHIFT
    return np.asarray(_centred(_patch(text)[None, edge : edge + side, edge : edge + side])[0])


def _windows(text: str) -> NDArray[np.float64]:
    """(N, D): every part of the patch of that size, as it is and mirrored, centred."""
    whole, side = _patch(text), PATCH_SIDE - 2 * PATCH_SHIFT
    both = np.stack([whole, whole[:, ::-1]])
    # (2, 5, 5, 3, side, side) windows: mirrored or not, shift down, shift right.
    windows = np.lib.stride_tricks.sliding_window_view(both, (side, side), axis=(1, 2))
    return _centred(windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, side, side, 3))


def _patch(text: str) -> NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(PATCH_SIDE, PATCH_SIDE, 3).astype(np.float64)


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, …) -> (N, D) with zero mean and unit length (all zeros when flat)."""
    flat = values.reshape(len(values), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9))


def to_text(vector: NDArray[np.floating[Any]]) -> str:
    """A vector as short text (half precision, which moves identity distances by less than 0.001)."""
    return base64.b64encode(vector.astype("<f2").tobytes()).decode()


def from_text(text: str) -> Floats:
    """The vector written by :func:`to_text`."""
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32)
