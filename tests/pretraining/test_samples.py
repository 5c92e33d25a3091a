"""The sample photos that ship are what the recipe draws."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from boothlab.assets import asset
from boothlab.photos.captions import read_words
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


def test_captions_say_where_and_nothing_about_the_person() -> None:
    for name, number in samples.SUBJECTS.items():
        folder = Path(str(asset("samples", name, "photos")))
        (fate,) = (words := read_words([folder / "captions.csv"], folder.glob("IMG_*"))).fates.values()
        assert fate == "captions of 13 photos"
        first = samples.drawn(number, 0, samples.PHOTOS[0]).words
        assert first["background"] in words.captions["IMG_0001.jpg"]
        assert all(text.startswith("a photo of {it} on a") for text in words.captions.values())
        assert all(text.endswith(" background") for text in words.captions.values())
