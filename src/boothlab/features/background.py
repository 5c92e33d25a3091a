"""What surrounds a person: the colours along the picture's upper border, and the background that a prompt asks for.

Nothing is detected: a head and its shoulders leave the upper corners and the upper sides free, so the median colour
of eight places there is the background, in photographs and in drawings. Vectors (N, 24): CIE L*, a*, b* (D65) of the
places, the lightness halved, since a lamp changes it more than the hue.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from boothlab.features.feature import Feature, Pictures, Vectors
from boothlab.features.transforms import rgb

PLACES = (
    (0.00, 0.00, 0.12, 0.15),
    (0.00, 0.15, 0.10, 0.35),
    (0.00, 0.35, 0.08, 0.60),
    (0.12, 0.00, 0.30, 0.06),
    (0.88, 0.00, 1.00, 0.15),
    (0.90, 0.15, 1.00, 0.35),
    (0.92, 0.35, 1.00, 0.60),
    (0.70, 0.00, 0.88, 0.06),
)
"""x0, y0, x1, y1 in shares of the picture: four at the left, then their mirror images at the right."""

LIGHTNESS = 0.5
"""Weight of L* beside a* and b*."""

WORDS = {
    "red": (212, 58, 58),
    "green": (63, 158, 85),
    "yellow": (244, 208, 63),
    "white": (247, 247, 244),
    "pink": (245, 163, 195),
    "blue": (59, 122, 222),
    "orange": (240, 138, 44),
    "gray": (150, 153, 158),
    "navy": (28, 43, 90),
    "lavender": (197, 181, 236),
    "teal": (31, 148, 140),
    "beige": (228, 210, 171),
    "black": (22, 22, 24),
    "purple": (116, 64, 181),
    "brown": (109, 67, 41),
}
"""What people mean by a colour's name, sRGB: toon's palette, and the words it lacks."""

COLOUR = rf"(?:{'|'.join(WORDS)}|grey)"
ASKED = re.compile(rf"\b({COLOUR}\s+and\s+)?({COLOUR})\s+(?:background|backdrop|wall)\b", re.IGNORECASE)


def lab(rgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """(…, 3) sRGB in 0–255 → CIE L*a*b* under D65, L* times :data:`LIGHTNESS`. Source: IEC 61966-2-1; CIE 15:2004."""
    unit = np.asarray(rgb, dtype=np.float64) / 255.0
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    lightness = 116 * root[..., 1] - 16
    return np.stack(
        [LIGHTNESS * lightness, 500 * (root[..., 0] - root[..., 1]), 200 * (root[..., 1] - root[..., 2])], axis=-1
    )


def extract(pictures: Pictures) -> Vectors:
    """(N, 24): the median colour of each place."""
    rows = []
    for pixels in pictures:
        height, width = rgb(pixels).shape[:2]
        medians = []
        for x0, y0, x1, y1 in PLACES:
            left, top = int(x0 * width), int(y0 * height)
            right, bottom = max(left + 1, round(x1 * width)), max(top + 1, round(y1 * height))
            medians.append(np.median(pixels[top:bottom, left:right].reshape(-1, 3), axis=0))
        rows.append(lab(np.stack(medians)).reshape(-1))
    return np.stack(rows)


def asked_for(prompts: Sequence[str]) -> Vectors:
    """(N, 24): the colour that a prompt names before "background", "backdrop" or "wall", at every place; else NaN.

    Of "a red and white background" no one colour can be asked at every place, so that is NaN too.

    >>> asked_for(["a photo of a person with a red background", "a photo of a person"]).shape
    (2, 24)
    """
    rows = np.full((len(prompts), 3 * len(PLACES)), np.nan)
    for index, prompt in enumerate(prompts):
        found = ASKED.search(prompt)
        if found is not None and found.group(1) is None:
            word = found.group(2).lower().replace("grey", "gray")
            rows[index] = np.tile(lab(np.array(WORDS[word])), len(PLACES))
    return rows


BACKGROUND = Feature(
    name="background",
    version="2",
    extract=extract,
    missing=lambda: None,
    source="boothlab 2026; CIE 15:2004 for L*a*b*",
    texts=asked_for,
)
