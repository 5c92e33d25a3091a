"""The step that stands for diffusers' script gives the pixels of torchvision's transforms."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from boothlab.photos.photo import Photo
from boothlab.photos.steps import Script
from photos_made import made_photo

transforms = pytest.importorskip("torchvision.transforms")

SIZES = [(64, 64), (96, 80), (80, 97), (63, 64), (640, 427), (427, 641), (50, 41), (33, 200), (131, 65)]


def noisy(size: tuple[int, int]) -> Image.Image:
    """A drawing with noise on it: every filter and every shift by a pixel shows."""
    random = np.random.default_rng(size[0] * 1000 + size[1])
    drawn = np.asarray(made_photo(2, size)).astype(int)
    return Image.fromarray(np.clip(drawn + random.integers(-60, 61, drawn.shape), 0, 255).astype(np.uint8))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("side", [64, 32, 56])
def test_pixels_are_those_of_torchvision(size: tuple[int, int], side: int) -> None:
    bilinear = transforms.InterpolationMode.BILINEAR
    theirs = transforms.Compose([transforms.Resize(side, interpolation=bilinear), transforms.CenterCrop(side)])
    image = noisy(size)
    ours = Script().apply(Photo("a.png", np.asarray(image), "0" * 64), side)
    np.testing.assert_array_equal(ours.pixels, np.asarray(theirs(image)))


def test_what_was_seen_moves_with_the_pixels() -> None:
    pixels = np.zeros((120, 80, 3), np.uint8)
    pixels[50:70, 30:50] = 255
    face = {"box": [30.0, 50.0, 50.0, 70.0], "head": [30.0, 50.0, 50.0, 70.0], "points": [[40.0, 60.0]]}
    photo = Photo("a.png", pixels, "0" * 64, seen={"faces": [face], "subject": 0})
    found = Script().apply(photo, 40)
    rows, columns = np.nonzero(found.pixels[..., 0] > 127)
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert found.seen["faces"][0]["box"] == pytest.approx(box, abs=0.01)
