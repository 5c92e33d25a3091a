"""How near a picture is to a photo, seen so that mirroring or cropping does not hide a copy.

The distance is LPIPS (AlexNet) at 64 px between the whole picture and several views of the photo, the smallest of
them: the photo, parts of it around the middle and a little off, and the mirror image of each. Whole pictures, because
head crops are worse: two drawings (or photographs) of one person differ little inside the head. 64 px is where LPIPS
was fitted to people's judgements. Figures: ``scripts/measure_copies.py``; docs/metrics.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from boothlab.features import lpips
from boothlab.features.feature import Pictures, Vectors
from boothlab.features.supplied import demand
from boothlab.features.transforms import FILTER
from boothlab.metrics.distances import squared_distances
from boothlab.metrics.metric import Values

VERSION = "1"

SIDE = 64

SHARES = (0.92, 0.84, 0.76)
"""Sides of the parts that are looked at, as shares of the photo's."""

OFFSETS = ((0.0, 0.0), (-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))
"""Where a part lies: at the middle, or half the way to an edge."""


def views(photo: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The photo, parts of it and all their mirror images, each (64, 64, 3)."""
    height, width = photo.shape[:2]
    places = [(1.0, 0.0, 0.0)] + [(share, x, y) for share in SHARES for x, y in OFFSETS]
    found = []
    for share, x, y in places:
        free_x, free_y = (1 - share) * width / 2, (1 - share) * height / 2
        left, top = free_x * (1 + x / 2), free_y * (1 + y / 2)
        box = (left, top, left + share * width, top + share * height)
        part = np.asarray(Image.fromarray(photo).resize((SIDE, SIDE), FILTER, box=box))
        found += [part, part[:, ::-1]]
    return found


def _embedded(pictures: Pictures) -> Vectors:
    """(N, D) LPIPS vectors of pictures of 64 px, in one batch."""
    import torch

    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    return lpips.embed(batch).numpy()


def copy_distances(pictures: Pictures, photos: Pictures) -> Values:
    """(n, m): LPIPS at 64 px of each picture to the most similar view of each photo. 0 for a copy.

    Pictures and photos may have any sizes. Raises NoWeights.
    """
    demand(lpips.missing())
    distances = np.zeros((len(pictures), len(photos)))
    if len(pictures) == 0 or len(photos) == 0:
        return distances
    whole = [np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), FILTER)) for pixels in pictures]
    rows = _embedded(whole)
    for index, photo in enumerate(photos):
        distances[:, index] = squared_distances(rows, _embedded(views(photo))).min(axis=1)
    return distances
