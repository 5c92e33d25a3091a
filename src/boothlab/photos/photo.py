"""One photo on its way into a photo set, and the reasons why another one is not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(H, W, 3) sRGB, 0–255."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One thing that was done to a photo, with its numbers, e.g. ``("center", {"box": [0, 20, 300, 320]})``."""

    step: str
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photo at some stage of its preparation. Frozen: a step returns a new one.

    ``pixels`` is (H, W, 3) uint8 sRGB and is never written to. ``mask`` is None or (H, W) uint8: 255 where the
    loss counts, 0 where it does not. ``source_hash`` is the SHA-256 of the file as it came. ``seen`` holds what
    looking at the photo found (boxes, landmarks, sharpness …), in coordinates of the current pixels.
    """

    name: str
    pixels: Pixels
    source_hash: str
    mask: NDArray[np.uint8] | None = None
    caption: str | None = None
    trail: tuple[Trace, ...] = ()
    seen: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        height, width, channels = self.pixels.shape
        if channels != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(f"pixels must be (H, W, 3) uint8, not {self.pixels.shape} {self.pixels.dtype}")
        if self.mask is not None and self.mask.shape != (height, width):
            raise ValueError(f"mask is {self.mask.shape}, pixels are {(height, width)}")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, as PIL counts."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def after(self, step: str, pixels: Pixels, mask: NDArray[np.uint8] | None, **numbers: Any) -> Photo:
        """The photo with new pixels and mask and one more line in its trail."""
        trail = (*self.trail, Trace(step, numbers))
        return replace(self, pixels=pixels, mask=mask, trail=trail)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A photo that is set aside: which, why (with the value and the limit), and what would help.

    ``code`` is the stable name of the reason ("unreadable", "too-small" …). A value, not an exception: one bad
    photo must not stop the others.
    """

    name: str
    code: str
    reason: str
    hint: str = ""
    source_hash: str = ""
    trail: tuple[Trace, ...] = ()
