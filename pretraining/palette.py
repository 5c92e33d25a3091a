"""Named colours of the drawings and how one is varied: the words that captions may use for a colour.

Separate because drawings, captions, judges and the gates' prompts must agree on the same names.
"""

from __future__ import annotations

import colorsys

import numpy as np

BACKGROUNDS = {
    "red": "#d43a3a",
    "green": "#3f9e55",
    "yellow": "#f4d03f",
    "white": "#f7f7f4",
    "pink": "#f5a3c3",
    "blue": "#3b7ade",
    "orange": "#f08a2c",
    "gray": "#96999e",
    "navy": "#1c2b5a",
    "lavender": "#c5b5ec",
    "teal": "#1f948c",
    "beige": "#e4d2ab",
}
HAIR = {
    "black": "#1c191b",
    "brown": "#6d4329",
    "blond": "#e3c06a",
    "red": "#b8331d",
    "gray": "#98989b",
    "white": "#eeeeea",
    "pink": "#f07fb2",
    "blue": "#3c6fd6",
    "green": "#3c9b4b",
    "purple": "#7b46b8",
}
CLOTHES = {
    "red": "#cf2f36",
    "blue": "#2f64cc",
    "green": "#2f8f4b",
    "yellow": "#f0c92f",
    "black": "#1d1d21",
    "white": "#f1f1ee",
    "orange": "#ee7d22",
    "purple": "#7440b5",
    "pink": "#f080b0",
    "gray": "#85888e",
}
SKIN = {"pale": "#fbdcc8", "light": "#f0bf9f", "tan": "#c98d64", "brown": "#945a3c", "dark": "#5d3627"}
BODIES = {
    "red": "#e2484d",
    "green": "#55b663",
    "yellow": "#f6d44b",
    "blue": "#4c8ae8",
    "orange": "#f5963c",
    "purple": "#9462d1",
    "pink": "#f596bf",
    "gray": "#a2a6ab",
    "white": "#f3f3ef",
    "teal": "#35b0a5",
}
BLOOMS = {"red": "#e2484d", "yellow": "#f6d44b", "pink": "#f596bf", "white": "#f3f3ef", "purple": "#a673dd"}
LEAVES = "#3dae5b"


def to_rgb(color: str) -> tuple[float, float, float]:
    """``#rrggbb`` -> three floats in 0..1."""
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))  # type: ignore[return-value]


def to_hex(rgb: tuple[float, float, float]) -> str:
    """Three floats in 0..1 (clipped) -> ``#rrggbb``."""
    return "#" + "".join(f"{round(255 * min(max(value, 0.0), 1.0)):02x}" for value in rgb)


def jitter(color: str, rng: np.random.Generator, amount: float = 1.0) -> str:
    """The same named colour as another lamp or camera sees it: small moves in hue, saturation, value."""
    hue, saturation, value = colorsys.rgb_to_hsv(*to_rgb(color))
    hue = (hue + amount * rng.uniform(-0.012, 0.012)) % 1.0
    saturation = saturation * (1 + amount * rng.uniform(-0.10, 0.10))
    value = value * (1 + amount * rng.uniform(-0.06, 0.06))
    return to_hex(colorsys.hsv_to_rgb(hue, min(saturation, 1.0), min(value, 1.0)))


def unnamed_color(rng: np.random.Generator) -> str:
    """A hair colour that no palette word means: hues between the named ones at middling saturation.

    Source of the bands (degrees): coral 8-16, olive 58-75, mint 155-172, turquoise 180-195,
    lilac 295-312. The nearest of ``HAIR`` is 14 or more away in CIE Lab, but for coral, which comes as near as 8 to
    brown and to red. Shipped drawings are made with these bands.
    """
    low, high = ((8, 16), (58, 75), (155, 172), (180, 195), (295, 312))[int(rng.integers(5))]
    hue = rng.uniform(low, high) / 360
    return to_hex(colorsys.hsv_to_rgb(hue, rng.uniform(0.40, 0.75), rng.uniform(0.55, 0.92)))
