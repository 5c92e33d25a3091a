"""Faces in drawings like the built-in model's: its own head detector and identity encoder."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from boothlab.assets import asset
from boothlab.features.faces import Box, Face
from boothlab.features.pose import pose

HEADS = ("toon", "heads.safetensors")
IDENTITY = ("toon", "identity.safetensors")


class ToonFaces:
    """The reader for drawings."""

    version = "toon-1/hair-1"
    same_person = 0.9

    def missing(self) -> str | None:
        """The built-in model's files may have been left out of an installation."""
        for parts in (HEADS, IDENTITY):
            if not asset(*parts).is_file():
                return f"The built-in model's {'/'.join(parts)} is not in this installation of boothlab."
        return None

    def find(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """The detector's box is the head without most of its hair; the face is taken from the five points."""
        faces = []
        for head in _detector().detect(pixels):
            points = np.asarray(head.points, dtype=np.float32)
            roll, _, pitch = pose(points)
            eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
            x, y = (float(value) for value in (eyes + mouth) / 2)
            half = 0.3 * (head.box[2] - head.box[0] + head.box[3] - head.box[1]) / 2
            box = (x - half, y - half, x + half, y + half)
            faces.append(Face(box, _grown(head.box), points, roll, head.yaw_degrees, pitch, head.score, "toon-heads"))
        return sorted(faces, key=lambda face: face.head[0] - face.head[2])

    def identify(self, pixels: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
        """(128,) of unit length."""
        embedded: NDArray[np.float32] = _encoder().embed([pixels], [_shrunk(face.head)])[0]
        return embedded


HAIR = (0.15, 0.2)
"""Room for hair beside and above the detector's box, in parts of its width and height."""


def _grown(box: Box) -> Box:
    """The whole head with hair, from the detector's box."""
    x0, y0, x1, y1 = box
    beside, above = HAIR[0] * (x1 - x0), HAIR[1] * (y1 - y0)
    return x0 - beside, y0 - above, x1 + beside, y1


def _shrunk(head: Box) -> Box:
    """The detector's box again: the identity encoder was trained on it."""
    x0, y0, x1, y1 = head
    beside, above = (x1 - x0) * HAIR[0] / (1 + 2 * HAIR[0]), (y1 - y0) * HAIR[1] / (1 + HAIR[1])
    return x0 + beside, y0 + above, x1 - beside, y1


@lru_cache(maxsize=1)
def _detector():  # type: ignore[no-untyped-def]  # the types live in a module that imports torch
    from boothlab.features.toon_heads import load

    return load(asset(*HEADS))


@lru_cache(maxsize=1)
def _encoder():  # type: ignore[no-untyped-def]
    from boothlab.features.toon_identity import load

    return load(asset(*IDENTITY))
