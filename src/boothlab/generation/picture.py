"""What is to be drawn, and what was. (Torch-free.)"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from boothlab.errors import RunDamaged


def is_black(pixels: NDArray[np.uint8]) -> bool:
    """Whether a picture is black from edge to edge, as those are whose values were no numbers."""
    return not pixels.any()


@dataclass(frozen=True, slots=True)
class Order:
    """One picture to be made: where it stands in the plan, and what it is made from."""

    name: str
    prompt: str
    seed: int
    negative: str = ""
    """What guidance leads away from; the empty prompt where nothing is said."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture on disk."""

    path: Path
    prompt: str
    seed: int

    def pixels(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8. Raises RunDamaged when the file cannot be read."""
        try:
            with Image.open(self.path) as image:
                return np.array(image.convert("RGB"))
        except OSError as error:
            raise RunDamaged(
                f"Cannot read the picture {self.path}: {error}.", "Delete it and generate again."
            ) from error
