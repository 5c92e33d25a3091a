"""Two subjects in one model: whose photos are whose pictures like?"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from boothlab.assets import asset
from boothlab.evaluation.crossing import crossings
from boothlab.evaluation.lots import Judged, Lot
from boothlab.evaluation.vectors import picture_hash

NAMES = ("mira", "tomo")


def photos(name: str, first: int, count: int) -> tuple[np.ndarray, ...]:
    paths = sorted(asset("samples", name, "more").iterdir())[first : first + count]
    found = []
    for path in paths:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            found.append(np.array(ImageOps.fit(upright, (160, 160), centering=(0.5, 0.4))))
    return tuple(found)


def lot(source: str, role: str, pixels: tuple[np.ndarray, ...]) -> Lot:
    return Lot(source, role, pixels, tuple(picture_hash(image) for image in pixels))


def test_each_is_most_alike_to_its_own_photos_and_a_swap_is_seen() -> None:
    seen = {}
    for name, other in zip(NAMES, NAMES[::-1], strict=True):
        lots = (lot("right", "bare", photos(name, 0, 3)), lot("swapped", "bare", photos(other, 0, 3)))
        lots += (lot("right", "context", photos(other, 0, 3)),)
        seen[name] = Judged(lots, {"originals": lot("originals", "photos", photos(name, 6, 3))})
    found = {(c.snapshot, c.drawn, c.compared): c for c in crossings(seen, "drawings", None)}
    assert len(found) == 2 * 2 * 2, "bare pictures only"
    for name, other in zip(NAMES, NAMES[::-1], strict=True):
        assert found["right", name, name].similarity > 0.6 > 0.3 > found["right", name, other].similarity
        assert found["swapped", name, other].similarity == pytest.approx(found["right", other, other].similarity)
    assert found["right", "mira", "mira"].photos == 3


def test_one_subject_has_nothing_to_cross() -> None:
    one = Judged((lot("right", "bare", photos("mira", 0, 2)),), {"originals": lot("originals", "photos", ())})
    assert crossings({"mira": one}, "drawings", None) == []
