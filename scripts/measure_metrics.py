"""Seconds that every feature and metric takes for 20 pictures against 18 photos.

    python scripts/measure_metrics.py            photographs of 512 px (made ones, with a face where scikit-image is)
    python scripts/measure_metrics.py drawings   drawings of 128 px

Start-up (reading weights, one picture) is told apart. Features whose weights are not here are left out and named.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from boothlab.assets import asset
from boothlab.features.faces import Domain
from boothlab.features.feature import Feature, Vectors
from boothlab.metrics import METRICS
from boothlab.metrics.copies import copy_distances
from boothlab.metrics.metric import Metric, feature_of

PICTURES, PHOTOS = 20, 18
PROMPT = "a photo of a person with a {} background"
COLORS = ("red", "blue", "green", "yellow", "white")


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def portraits(count: int, side: int = 512) -> list[np.ndarray]:
    """One photograph of a person, each time in another light."""
    from skimage.data import astronaut

    photo = Image.fromarray(astronaut()).resize((side, side), Image.Resampling.BICUBIC)
    return [np.clip(np.asarray(photo) * (0.7 + 0.03 * k), 0, 255).astype(np.uint8) for k in range(count)]


def drawings(count: int, side: int = 128) -> list[np.ndarray]:
    """Sample drawings, repeated as often as need be."""
    files = sorted(asset("samples", "mira").rglob("*.jpg"))
    images = [Image.open(files[k % len(files)]).convert("RGB") for k in range(count)]
    return [np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)) for image in images]


def vectors_of(feature: Feature, pictures: list[np.ndarray]) -> tuple[float, float, Vectors, Vectors]:
    """Seconds to start and to describe everything; the vectors of pictures and of photos."""
    starting = timed(lambda: feature.extract(pictures[:1]))
    started = time.perf_counter()
    rows = feature.extract(pictures)
    return starting, time.perf_counter() - started, rows[:PICTURES], rows[PICTURES:]


def main(domain: Domain) -> None:
    """Measure and print."""
    pictures = (drawings if domain == "drawings" else portraits)(PICTURES + PHOTOS)
    prompts = [PROMPT.format(COLORS[k % len(COLORS)]) for k in range(PICTURES)]
    found: dict[str, tuple[Vectors, Vectors]] = {}
    total = starts = 0.0
    for feature in {feature_of(metric, domain).name: feature_of(metric, domain) for metric in METRICS}.values():
        if feature.missing() is not None:
            print(f"{feature.name:<22} not here")
            continue
        starting, seconds, generated, photos = vectors_of(feature, pictures)
        found[feature.name] = (generated, photos)
        starts, total = starts + starting, total + seconds
        print(f"{feature.name:<22} {seconds:7.2f} s for {len(pictures)}, start {starting:.2f} s")
    for metric in METRICS:
        feature = feature_of(metric, domain)
        if feature.name not in found:
            continue
        generated, photos = found[feature.name]
        if metric.references == ("prompt",):
            photos = feature.texts(prompts) if feature.texts else photos
        elif metric.references == ("base",):
            photos = generated
        elif metric.references == ("none",):
            photos = photos[:0]
        work = metric.values if isinstance(metric, Metric) else metric.value
        seconds = timed(lambda work=work, rows=(generated, photos): work(*rows))
        total += seconds
        if seconds > 0.05:
            print(f"{metric.name:<22} {seconds:7.2f} s")
    seconds = timed(lambda: copy_distances(pictures[:PICTURES], pictures[PICTURES:]))
    total += seconds
    print(f"{'copy_distances':<22} {seconds:7.2f} s")
    print(f"all: {total:.1f} s, start {starts:.1f} s")


if __name__ == "__main__":
    main("drawings" if "drawings" in sys.argv[1:] else "photographs")
