"""How different the photos are: what they are worth, what they share, what to shoot next.

What every photo shares, the model binds to the identifier: thirteen photos before one wall teach the wall. Works on
prepared photos, so it judges exactly what the model will see, in milliseconds per photo.

Each aspect gives every photo a vector in which distance 1 is "clearly different". Likeness of two photos in an
aspect is exp(-d²/2); over all aspects it is their weighted mean. The worth of n photos is the exponential of the
entropy of the eigenvalues of the likeness matrix / n: n when all differ in everything, 1 when all are one photo.
Source: the Vendi score, Friedman and Dieng 2023 (arXiv:2210.02410).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boothlab.photos.measures import luma, region, scaled
from boothlab.photos.photo import Photo

Floats = NDArray[np.float64]

BINS = 4
"""Colour histograms have BINS³ cells."""

HISTOGRAM_STEP = 0.35
"""Hellinger distance of two colour histograms that counts as clearly different."""

SHARED = 1.3
"""An aspect that is worth less than so many photos, of four or more, is called shared by all."""

WEIGHTS = {"pose": 0.25, "light": 0.2, "background": 0.25, "clothing": 0.2, "framing": 0.1}
"""Aspects of photos of a person; their weights add up to 1."""

WEIGHTS_OF_THINGS = {"light": 0.3, "colours": 0.35, "layout": 0.35}
"""Aspects of photos without faces."""

ADVICE = {
    "light": "Light: add photos in other light (by a window from either side, outdoors, in the evening).",
    "background": "Background: add photos at other places; now the background is learned as part of the subject.",
    "clothing": "Clothing: change clothes, above all their colour; or they are learned as part of the subject.",
    "framing": "Framing: add photos from another distance.",
    "colours": "Surroundings: add photos with other colours around the subject.",
    "layout": "Viewpoint: add photos from other sides and distances.",
}


@dataclass(frozen=True, slots=True)
class Aspect:
    """``worth``: of 1…n photos in this aspect alone. ``spread`` says it in the aspect's own units."""

    name: str
    worth: float
    spread: str
    shared: bool


@dataclass(frozen=True, slots=True)
class Variety:
    """Of ``photos`` training photos. ``next`` are sentences for the photographer, the most useful first."""

    photos: int
    worth: float
    aspects: tuple[Aspect, ...]
    next: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The figure in words, rounded down to whole photos."""
        if self.photos < 2:
            return f"{self.photos} training photo{'' if self.photos == 1 else 's'}: nothing to compare."
        different = max(1, round(self.worth))
        ones = "one alone" if different == 1 else f"{different} quite different ones"
        return f"Your {self.photos} training photos are as varied as {ones}."

    @property
    def shared(self) -> tuple[str, ...]:
        """Aspects that do not vary and that the model will glue to the identifier."""
        return tuple(aspect.name for aspect in self.aspects if aspect.shared)

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "photos": self.photos,
            "worth": self.worth,
            "says": self.sentence,
            "shared": list(self.shared),
            "aspects": {
                aspect.name: {"worth": aspect.worth, "spread": aspect.spread, "shared": aspect.shared}
                for aspect in self.aspects
            },
            "next": list(self.next),
        }


def variety(photos: Sequence[Photo], people: bool) -> Variety:
    """Judge prepared photos of one subject; ``people``: by their faces, where there are some."""
    people = people and bool(photos) and all(photo.subject is not None for photo in photos)
    weights = WEIGHTS if people else WEIGHTS_OF_THINGS
    if not photos:
        return Variety(0, 0.0, (), ())
    described = [_described(photo, people) for photo in photos]
    whole = np.zeros((len(photos), len(photos)))
    aspects = []
    for name, weight in weights.items():
        table = np.stack([item[name] for item in described])
        squared = ((table[:, None] - table[None]) ** 2).sum(axis=2)
        likeness = np.exp(-squared / 2)
        whole += weight * likeness
        worth = effective_number(likeness)
        by_design = name == "framing" and all(any(t.step == "head" for t in photo.trail) for photo in photos)
        shared = len(photos) >= 4 and worth < SHARED and not by_design
        aspects.append(Aspect(name, round(worth, 2), _spread(name, photos, table), shared))
    return Variety(len(photos), round(effective_number(whole), 2), tuple(aspects), _advice(photos, aspects))


def effective_number(likeness: Floats) -> float:
    """exp(entropy) of the eigenvalues of ``likeness`` (n, n; ones on the diagonal) divided by n. 1…n.

    >>> round(effective_number(np.eye(5)), 6), round(effective_number(np.ones((5, 5))), 6)
    (5.0, 1.0)
    """
    values = np.linalg.eigvalsh(likeness / len(likeness))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def _described(photo: Photo, people: bool) -> dict[str, Floats]:
    if not people:
        light = photo.seen.get("light") or {"mean": float(luma(photo.pixels).mean()), "sideways": 0.0, "warm": 0.0}
        small = scaled(photo.pixels, 16).astype(np.float64)
        flat = (small - small.mean()) / max(float(small.std()), 1e-6)
        return {
            "light": _light(light),
            "colours": _histogram(photo.pixels.reshape(-1, 3)) / HISTOGRAM_STEP,
            # Two unrelated pictures have correlation 0, that is a distance of √2; 0.6 of it is clearly different.
            "layout": flat.ravel() / np.sqrt(flat.size) / 0.6,
        }
    subject = photo.subject
    assert subject is not None
    width, height = photo.size
    x0, y0, x1, y1 = subject["head"]
    tall, middle = max(y1 - y0, 1.0), (x0 + x1) / 2
    reach = 0.9 * tall
    around = np.ones((height, width), dtype=bool)
    rows, columns = np.ogrid[:height, :width]
    around &= ~((columns >= x0) & (columns <= x1) & (rows >= y0) & (rows <= y1))
    around &= ~((columns >= middle - reach) & (columns <= middle + reach) & (rows > y1 - 0.15 * tall))
    if photo.mask is not None:
        around &= photo.mask > 0
    below = region(photo.pixels, (middle - 0.5 * tall, y1, middle + 0.5 * tall, y1 + 0.8 * tall))
    return {
        "pose": np.array([subject["yaw"] / 20, subject["pitch"] / 20, subject["roll"] / 15]),
        "light": _light(subject["light"]),
        "background": _histogram(photo.pixels[around]) / HISTOGRAM_STEP,
        "clothing": _histogram(below.reshape(-1, 3)) / HISTOGRAM_STEP,
        "framing": np.array([np.log2(tall / height) / 0.4, (middle / width - 0.5) / 0.15, (y0 / height) / 0.15]),
    }


def _light(light: dict[str, float]) -> Floats:
    """Half a stop of brightness, of side light or of warmth is a clear difference."""
    return np.array([np.log2((light["mean"] + 4) / 128) / 0.5, light["sideways"] / 0.5, light["warm"] / 0.5])


def _histogram(colours: NDArray[np.uint8]) -> Floats:
    """Square roots of the shares of BINS³ colours / √2, so that plain distance is the Hellinger distance (0–1)."""
    cells = (colours.reshape(-1, 3).astype(np.int64) * BINS) >> 8
    counts = np.bincount(cells @ np.array([BINS * BINS, BINS, 1]), minlength=BINS**3).astype(np.float64)
    return np.asarray(np.sqrt(counts / max(float(counts.sum()), 1.0)) / np.sqrt(2))


def _spread(name: str, photos: Sequence[Photo], table: Floats) -> str:
    if name == "pose":
        yaws = [photo.subject["yaw"] for photo in photos if photo.subject is not None]
        pitches = [photo.subject["pitch"] for photo in photos if photo.subject is not None]
        return f"turned {min(yaws):.0f}…{max(yaws):.0f}°, nodding {min(pitches):.0f}…{max(pitches):.0f}°"
    if name == "light":
        stops = float(np.ptp(table[:, 0])) * 0.5
        return f"{stops:.1f} stops of brightness, side light over {float(np.ptp(table[:, 1])) * 0.5:.1f} stops"
    if name == "framing":
        shares = [100 * 2 ** (row[0] * 0.4) for row in table]
        return f"head {min(shares):.0f}–{max(shares):.0f} % of the height"
    middle = table.mean(axis=0)
    unit = 0.6 if name == "layout" else HISTOGRAM_STEP
    return f"distance from the average {float(np.sqrt(((table - middle) ** 2).sum(axis=1)).mean()) * unit:.2f}"


def _advice(photos: Sequence[Photo], aspects: Sequence[Aspect]) -> tuple[str, ...]:
    """The aspects in which the photos are worth less than half their number, the poorest first."""
    poor = sorted((aspect for aspect in aspects if aspect.worth < 0.5 * len(photos)), key=lambda a: a.worth)
    lines = []
    for aspect in poor:
        if aspect.name == "pose":
            lines.append(_pose_advice([photo.subject["yaw"] for photo in photos if photo.subject is not None]))
        elif aspect.name != "framing" or aspect.shared:
            lines.append(ADVICE[aspect.name])
    return tuple(lines[:3])


def _pose_advice(yaws: Sequence[float]) -> str:
    low, high = min(yaws), max(yaws)
    if high < 12 and low > -12:
        return f"Pose: all look straight ahead ({low:.0f}…{high:.0f}°); add some with the head turned to either side."
    if low > -12:
        return "Pose: nobody looks to the picture's left; add some with the head turned that way, and up and down."
    if high < 12:
        return "Pose: nobody looks to the picture's right; add some with the head turned that way, and up and down."
    return "Pose: add some looking up, down, and with the head leaning."
