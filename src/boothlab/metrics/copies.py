"""How near a picture is to a photo, seen so that mirroring or cropping does not hide a copy.

Two steps. First the part of the photo, or of its mirror image, that the picture fits best: by plain squared
differences at 24 px, over a fine grid of places and sizes. Then LPIPS (AlexNet) at 64 px between the picture and that
part. LPIPS alone over a coarse grid misses crops: a part that lies two pixels off is no copy to it. Whole pictures,
because head crops are worse: two drawings (or photographs) of one person differ little inside the head. 64 px is
where LPIPS was fitted to people's judgements. Figures: ``python -m pretraining.measure_copies``; docs/metrics.md.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from boothlab.features import lpips
from boothlab.features.feature import Pictures, Vectors
from boothlab.features.supplied import demand
from boothlab.features.transforms import FILTER
from boothlab.metrics.distances import squared_distances
from boothlab.metrics.metric import Values

VERSION = "2"

SIDE = 64

FITTED = 24
"""Pixels per side at which parts are fitted."""

SHARES = (0.96, 0.92, 0.88, 0.84, 0.80, 0.76, 0.72)
"""Sides of the parts that are looked at, as shares of the photo's."""

OFFSETS = (-0.5, -0.25, 0.0, 0.25, 0.5)
"""Where a part lies, across and down: at the middle, or up to half the way to an edge."""

PLACES = ((1.0, 0.0, 0.0), *((share, x, y) for share in SHARES for x in OFFSETS for y in OFFSETS))
"""(share, offset across, offset down) of every part, the whole photo first."""


def _part(photo: NDArray[np.uint8], place: int, side: int) -> NDArray[np.uint8]:
    """(side, side, 3): part number ``place``; numbers from ``len(PLACES)`` on are the mirror images."""
    height, width = photo.shape[:2]
    share, x, y = PLACES[place % len(PLACES)]
    left, top = (1 - share) * width / 2 * (1 + x), (1 - share) * height / 2 * (1 + y)
    box = (left, top, left + share * width, top + share * height)
    part = np.asarray(Image.fromarray(photo).resize((side, side), FILTER, box=box))
    return part[:, ::-1] if place >= len(PLACES) else part


@lru_cache(maxsize=64)
def _parts(pixels: bytes) -> Vectors:
    """(2 · places, 1728): all parts of a photo of ``4 · FITTED`` px, then their mirror images, for fitting."""
    photo = np.frombuffer(pixels, dtype=np.uint8).reshape(4 * FITTED, 4 * FITTED, 3)
    parts = np.stack([_part(photo, place, FITTED) for place in range(len(PLACES))])
    return np.concatenate([parts, parts[:, :, ::-1]]).reshape(2 * len(PLACES), -1).astype(np.float32)


def _fitting(pictures: Pictures, photo: NDArray[np.uint8]) -> NDArray[np.intp]:
    """(n,): for each picture the number of the photo's part that it differs least from, pixel by pixel."""
    small = Image.fromarray(photo).resize((4 * FITTED, 4 * FITTED), FILTER)
    rows = np.stack([np.asarray(Image.fromarray(pixels).resize((FITTED, FITTED), FILTER)) for pixels in pictures])
    flat = rows.reshape(len(rows), -1).astype(np.float32)
    return np.asarray(squared_distances(flat, _parts(small.tobytes())).argmin(axis=1))


def _embedded(pictures: Pictures) -> Vectors:
    """(N, D) LPIPS vectors of pictures of 64 px, in one batch."""
    import torch

    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    return lpips.embed(batch).numpy()


def copy_distances(pictures: Pictures, photos: Pictures) -> Values:
    """(n, m): LPIPS at 64 px of each picture to the part of each photo that it fits best. 0 for a copy.

    The whole photo and its mirror image are always looked at too. Pictures and photos may have any sizes. Raises
    NoWeights.
    """
    demand(lpips.missing())
    distances = np.zeros((len(pictures), len(photos)))
    if len(pictures) == 0 or len(photos) == 0:
        return distances
    rows = _embedded([np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), FILTER)) for pixels in pictures])
    for index, photo in enumerate(photos):
        fitting = _fitting(pictures, photo)
        places = sorted({0, len(PLACES), *fitting.tolist()})
        found = squared_distances(rows, _embedded([_part(photo, place, SIDE) for place in places]))
        own = found[np.arange(len(rows)), np.searchsorted(places, fitting)]
        whole = found[:, [places.index(0), places.index(len(PLACES))]].min(axis=1)
        distances[:, index] = np.minimum(own, whole)
    return distances
