"""The sample photos that ship are what the recipe draws."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from boothlab.assets import asset
from pretraining import samples


def test_shipped_photos_come_from_the_recipe() -> None:
    for take in (0, 1, 6, 10):
        shot = samples.PHOTOS[take]
        data = samples.encoded(samples.photo(samples.SUBJECTS["tomo"], take, shot), shot, take)
        shipped = asset("samples", "tomo", "photos", f"IMG_{take + 1:04d}.{shot.kind}")
        with Image.open(io.BytesIO(data)) as drawn, Image.open(shipped) as found:
            assert drawn.getexif().get(samples.ORIENTATION) == found.getexif().get(samples.ORIENTATION)
            difference = np.abs(np.asarray(drawn.convert("RGB"), int) - np.asarray(found.convert("RGB"), int))
        assert difference.mean() < 0.5, f"{shipped.name} is another picture"


def test_every_part_has_its_number_of_photos() -> None:
    assert (len(samples.PHOTOS), len(samples.MORE)) == (13, 18)
    assert {shot.fault for shot in samples.PHOTOS} >= {"blurred", "duplicate", "two people", "turned", "dark"}
