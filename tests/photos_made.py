"""Photos made from numbers: seeded, of any size, different from each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw


@dataclass(frozen=True)
class Drawn:
    """A picture in memory, of one colour."""

    shade: int
    prompt: str = "a photo"
    seed: int = 0

    def pixels(self) -> NDArray[np.uint8]:
        return np.full((8, 8, 3), self.shade, np.uint8)


def made_photo(seed: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """A head-like drawing on a coloured ground; (width, height)."""
    random = np.random.default_rng(seed)
    ground, skin, hair = (tuple(int(c) for c in random.integers(0, 256, 3)) for _ in range(3))
    image = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(image)
    width, height = size
    x, y = width / 2 + random.normal(0, width / 20), height / 2 + random.normal(0, height / 20)
    r = min(size) * 0.3
    draw.ellipse((x - r, y - 1.2 * r, x + r, y + 1.2 * r), fill=skin)
    draw.chord((x - r, y - 1.3 * r, x + r, y + 0.7 * r), 180, 360, fill=hair)
    draw.ellipse((x - r / 2, y, x - r / 3, y + r / 6), fill="black")
    draw.ellipse((x + r / 3, y, x + r / 2, y + r / 6), fill="black")
    return image


def photo_folder(folder: Path, count: int, size: tuple[int, int] = (96, 80), first: int = 0) -> Path:
    """``count`` PNG photos in ``folder``, from the seed ``first`` on."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(first, first + count):
        made_photo(index, size).save(folder / f"photo-{index:02d}.png")
    return folder
