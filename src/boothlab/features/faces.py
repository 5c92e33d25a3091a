"""The seam between pictures and faces: what a face is, and what a reader of faces must be able to do.

Photographs and drawings need different eyes (HOG finds 15 of 64 drawn heads); everything above this file only
knows :class:`Face` and :class:`FaceReader`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels."""

Domain = Literal["photographs", "drawings"]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face. ``box`` is brow to chin, ``head`` the whole head with hair; both may leave the picture.

    ``points`` (5, 2): the eye at the left of the picture, the other eye, nose tip, mouth corners likewise.
    ``roll``, ``yaw``, ``pitch`` in degrees (see :mod:`boothlab.features.pose`); ``score`` in 0–1, of ``detector``.
    """

    box: Box
    head: Box
    points: NDArray[np.float32]
    roll: float
    yaw: float
    pitch: float
    score: float
    detector: str


class FaceReader(Protocol):
    """Finds faces and tells people apart.

    ``version`` changes whenever the numbers would. Two faces are one person where the L2 distance of their
    identities is at most ``same_person``.
    """

    version: str
    same_person: float

    def missing(self) -> str | None:
        """None when it works here, else one sentence: what is not there and how to get it."""

    def find(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """All faces of a picture (H, W, 3), the largest first."""

    def identify(self, pixels: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
        """Identity (D,) of one face that :meth:`find` found in the same picture."""


def reader_for(domain: Domain) -> FaceReader:
    """The reader for photographs or for drawings."""
    if domain == "drawings":
        from boothlab.features.faces_toon import ToonFaces

        return ToonFaces()
    from boothlab.features.faces_photo import PhotoFaces

    return PhotoFaces()


def overlap(a: Box, b: Box) -> float:
    """Intersection of two boxes as a share of the smaller one.

    >>> overlap((0, 0, 10, 10), (5, 0, 25, 10))
    0.5
    """
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return max(width, 0.0) * max(height, 0.0) / smaller if smaller > 0 else 0.0
