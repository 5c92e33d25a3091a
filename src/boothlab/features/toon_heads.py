"""Where are heads? A detector for pictures drawn like the built-in model's: box, five points, yaw, score.

Separate from the photo detectors because it is our own small network, with our own weights.
Shapes: pictures (B, 3, 128, 128) in -1..1; maps (B, 16, 16, 16): score, 4 box sides, 10 point offsets, yaw.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from boothlab.features.toon_identity import Residual, to_input

SIDE = 128
STRIDE = 8
CHANNELS = 16
UNIT = 32.0
"""Network outputs for lengths are in units of so many pixels."""
YAW_UNIT = 30.0
"""The yaw output is in units of so many degrees."""
OVERLAP = 0.4
"""Of two boxes that overlap more than this (IoU), the better scored stays."""


@dataclass(frozen=True, slots=True)
class ToonHead:
    """One head: box (x0, y0, x1, y1) and points (left eye, right eye, nose, left and right mouth corner) in pixels.

    Left is the picture's left. ``yaw_degrees`` is positive when the face looks to the picture's right.
    """

    box: tuple[float, float, float, float]
    points: tuple[tuple[float, float], ...]
    yaw_degrees: float
    score: float


class HeadDetector(nn.Module):
    """A fully convolutional network with one prediction per 8 x 8 pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 5, 2, 2)
        self.down = nn.Sequential(Residual(width, 2 * width, 2), Residual(2 * width, 4 * width, 2))
        self.wide = nn.Sequential(Residual(4 * width, 6 * width, 2), Residual(6 * width, 6 * width, 1))
        self.joined = Residual(10 * width, 4 * width, 1)
        self.out = nn.Conv2d(4 * width, CHANNELS, 1)

    def forward(self, pictures_B3HW: Tensor) -> Tensor:
        """(B, 3, H, W) in -1..1 -> (B, 16, H / 8, W / 8)."""
        fine = self.down(torch.relu(self.stem(pictures_B3HW)))
        coarse = nn.functional.interpolate(self.wide(fine), size=fine.shape[-2:], mode="nearest")
        maps: Tensor = self.out(self.joined(torch.cat([fine, coarse], 1)))
        return maps

    @torch.no_grad()
    def detect(self, picture: NDArray[np.uint8], threshold: float = 0.5) -> list[ToonHead]:
        """All heads of a picture (H, W, 3) uint8, best score first."""
        square, scale = letterbox(picture)
        maps = self(to_input(square[None]))[0].numpy()
        return [_scaled(head, 1 / scale) for head in decode(maps, threshold)]


def letterbox(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Fit into 128 x 128 from the upper left corner, edge pixels repeated; with the scale that was used."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
    padding = ((0, SIDE - size[1]), (0, SIDE - size[0]), (0, 0))
    return np.pad(small, padding, mode="edge"), scale


def decode(maps: NDArray[np.float32], threshold: float) -> list[ToonHead]:
    """Maps (16, h, w) -> heads above ``threshold`` in pixels of the network's input, overlaps removed."""
    scores = 1 / (1 + np.exp(-maps[0]))
    kept: list[ToonHead] = []
    for position in np.argsort(-scores, axis=None):
        row, column = divmod(int(position), scores.shape[1])
        if scores[row, column] < threshold:
            break
        x, y = (column + 0.5) * STRIDE, (row + 0.5) * STRIDE
        values = maps[:, row, column] * UNIT
        box = (x - values[1], y - values[2], x + values[3], y + values[4])
        if any(overlap(box, head.box) > OVERLAP for head in kept):
            continue
        points = tuple((float(x + values[5 + 2 * i]), float(y + values[6 + 2 * i])) for i in range(5))
        x0, y0, x1, y1 = (float(side) for side in box)
        yaw = float(maps[15, row, column]) * YAW_UNIT
        kept.append(ToonHead((x0, y0, x1, y1), points, yaw, float(scores[row, column])))
    return kept


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum(max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0) for box in (a, b))
    return float(shared / (areas - shared)) if areas > shared else 0.0


def _scaled(head: ToonHead, factor: float) -> ToonHead:
    x0, y0, x1, y1 = (side * factor for side in head.box)
    points = tuple((x * factor, y * factor) for x, y in head.points)
    return ToonHead((x0, y0, x1, y1), points, head.yaw_degrees, head.score)


def load(path: Path) -> HeadDetector:
    """Read the detector from safetensors (its width from the stem's shape), as float32 in evaluation mode."""
    from safetensors.torch import load_file

    tensors = {name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()}
    detector = HeadDetector(width=len(tensors["stem.bias"]))
    detector.load_state_dict(tensors)
    return detector.eval()
