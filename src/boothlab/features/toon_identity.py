"""Who is it? A 128-d identity embedding for heads drawn like the built-in model's pictures.

Separate from the photo encoders because it is our own small network, with our own weights.
Shapes: crops (B, 3, 80, 80) in -1..1; embeddings (B, 128), unit length.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

SIDE = 80
"""Pixels per side of the crop that the network sees."""
MARGIN = 1.45
"""Side of the crop in head heights: the whole hair is in, most clothes are out."""
DIMENSIONS = 128

Box = tuple[float, float, float, float]


class Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut; the first may halve the size."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        self.shortcut: nn.Module = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        inner = torch.relu(self.norm1(self.first(x)))
        added: Tensor = self.norm2(self.second(inner)) + self.shortcut(x)
        return torch.relu(added)


class IdentityEncoder(nn.Module):
    """A small residual network whose last map keeps its layout: where things sit is part of who it is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, 2, 1)
        self.blocks = nn.Sequential(
            Residual(width, 2 * width, 2),
            Residual(2 * width, 4 * width, 2),
            Residual(4 * width, 5 * width, 2),
        )
        self.head = nn.Linear(5 * width * (SIDE // 16) ** 2, DIMENSIONS)

    def forward(self, crops_B3HW: Tensor) -> Tensor:
        """(B, 3, 80, 80) in -1..1 -> (B, 128), L2-normalised."""
        features = self.blocks(torch.relu(self.stem(crops_B3HW)))
        embedded: Tensor = self.head(features.flatten(1))
        return nn.functional.normalize(embedded, dim=1)

    @torch.no_grad()
    def embed(self, pictures: Sequence[NDArray[np.uint8]], boxes: Sequence[Box]) -> NDArray[np.float32]:
        """One head per picture: N pictures (H, W, 3) uint8 with N boxes in pixels -> (N, 128) float32."""
        if len(pictures) != len(boxes):
            raise ValueError(f"{len(pictures)} pictures need as many boxes, not {len(boxes)}")
        if not pictures:
            return np.zeros((0, DIMENSIONS), np.float32)
        crops = np.stack([crop(picture, box) for picture, box in zip(pictures, boxes, strict=True)])
        result: NDArray[np.float32] = self(to_input(crops)).numpy()
        return result


def crop(picture: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The square of ``MARGIN`` box sides around a head, edge pixels repeated outside. -> (80, 80, 3) uint8."""
    x0, y0, x1, y1 = box
    reach = MARGIN * max(x1 - x0, y1 - y0) / 2
    middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
    pad = int(np.ceil(max(0.0, reach - middle_x, reach - middle_y, middle_x + reach - picture.shape[1],
                          middle_y + reach - picture.shape[0])))  # fmt: skip
    wide = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    area = (middle_x - reach + pad, middle_y - reach + pad, middle_x + reach + pad, middle_y + reach + pad)
    resized = Image.fromarray(wide).resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=area)
    return np.asarray(resized)


def to_input(crops: NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def load(path: Path) -> IdentityEncoder:
    """Read the encoder from safetensors (its width from the stem's shape), as float32 in evaluation mode."""
    from safetensors.torch import load_file

    tensors = {name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()}
    encoder = IdentityEncoder(width=len(tensors["stem.bias"]))
    encoder.load_state_dict(tensors)
    return encoder.eval()
