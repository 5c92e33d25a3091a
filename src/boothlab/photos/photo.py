"""One photo on its way into a photo set, and the reasons why another one is not."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(H, W, 3) sRGB, 0–255."""

Affine = tuple[float, float, float, float, float, float]
"""Where a pixel goes: x' = a x + b y + c, y' = d x + e y + f."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One thing that was done to a photo, with its numbers, e.g. ``("center", {"box": [0, 20, 300, 320]})``."""

    step: str
    numbers: dict[str, Any] = field(default_factory=dict)


REFERENCES = "references/"
"""Beginning of the names of photos that were given to be held out."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photo at some stage of its preparation. Frozen: a step returns a new one.

    ``pixels`` is (H, W, 3) uint8 sRGB and is never written to. ``mask`` is None or (H, W) uint8: 255 where the
    loss counts, 0 where it does not. ``source_hash`` is the SHA-256 of the file as it came. ``seen`` holds what
    looking at the photo found: ``"faces"`` is a list of ``{"box", "head", "points", …}`` in coordinates of the
    current pixels, ``"subject"`` the index of the face that is learned (or None); the rest are plain measures.
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
    def is_reference(self) -> bool:
        """Whether it came from `photos.references`, and not from the photos to train on."""
        return self.name.startswith(REFERENCES)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, as PIL counts."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def subject(self) -> dict[str, Any] | None:
        """The face that is learned, as it was seen; None when there is none or nobody looked."""
        index = self.seen.get("subject")
        return None if index is None else dict(self.seen["faces"][index])

    @property
    def others(self) -> list[dict[str, Any]]:
        """All faces but the subject's."""
        chosen = self.seen.get("subject")
        return [face for index, face in enumerate(self.seen.get("faces", ())) if index != chosen]

    def after(
        self,
        step: str,
        pixels: Pixels,
        mask: NDArray[np.uint8] | None,
        moved: Affine = (1, 0, 0, 0, 1, 0),
        **numbers: Any,
    ) -> Photo:
        """The photo with new pixels and mask and one more line in its trail.

        ``moved`` says where the pixels went, so that what was seen stays on the same things.
        """
        trail = (*self.trail, Trace(step, numbers))
        return replace(self, pixels=pixels, mask=mask, trail=trail, seen=moved_seen(self.seen, moved))


def moved_seen(seen: dict[str, Any], affine: Affine) -> dict[str, Any]:
    """``seen`` with the boxes and points of its faces moved; a turned box becomes the upright box around it."""
    if affine == (1, 0, 0, 0, 1, 0) or "faces" not in seen:
        return seen
    faces = []
    for face in seen["faces"]:
        moved = dict(face)
        for key in ("box", "head"):
            x0, y0, x1, y1 = face[key]
            corners = _moved([(x0, y0), (x1, y0), (x0, y1), (x1, y1)], affine)
            low, high = corners.min(axis=0), corners.max(axis=0)
            moved[key] = [round(float(value), 2) for value in (*low, *high)]
        moved["points"] = [[round(float(x), 2), round(float(y), 2)] for x, y in _moved(face["points"], affine)]
        faces.append(moved)
    return {**seen, "faces": faces}


def _moved(points: Any, affine: Affine) -> NDArray[np.float64]:
    a, b, c, d, e, f = affine
    table = np.asarray(points, dtype=np.float64)
    return np.stack([a * table[:, 0] + b * table[:, 1] + c, d * table[:, 0] + e * table[:, 1] + f], axis=1)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A photo that is set aside: which, why (with the value and the limit), and what would help.

    ``code`` is the stable name of the reason ("unreadable", "too-small" …). A value, not an exception: one bad
    photo must not stop the others. ``seen`` is what had been seen by then.
    """

    name: str
    code: str
    reason: str
    hint: str = ""
    source_hash: str = ""
    trail: tuple[Trace, ...] = ()
    seen: dict[str, Any] = field(default_factory=dict)


def to_keep(name: str) -> str:
    """How a photo that was set aside is used all the same: the option of `prepare`, and what a plan says, because
    `train` has no such option. Names have spaces and quotes."""
    return f"--keep {shlex.quote(name)} (photos.keep = [{json.dumps(name, ensure_ascii=False)}])"
