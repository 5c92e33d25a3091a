"""Faces among things count where heads are asked for; what is too small counts as what was seen in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from boothlab.assets import asset
from boothlab.photos.config import Photos
from boothlab.photos.photo import Rejected
from boothlab.photos.steps import Head, Resize, Step
from boothlab.preparing.prepare import prepare

SIZE = 64


def one_face_and_three_things(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(asset("samples", "tomo", "photos") / "IMG_0001.jpg", folder / "face.jpg")
    for k in range(3):
        blocks = np.random.default_rng(k).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((160, 120), Image.Resampling.NEAREST).save(folder / f"thing-{k}.png")
    return folder


@pytest.mark.parametrize("settings", [{"framing": "head"}, {"steps": (Head(), Resize())}])
def test_a_face_among_things_is_framed_where_heads_are_asked_for(
    settings: dict[str, str | tuple[Step, ...]], tmp_path: Path
) -> None:
    """It was said to have no face."""
    folder = one_face_and_three_things(tmp_path / "photos")
    made = prepare(folder, tmp_path / "set", Photos.model_validate({"domain": "drawings", **settings}), SIZE)
    assert [photo.name for photo in made.photos] == ["face.jpg"]
    assert [trace.step for trace in made.photos[0].trail] == ["read", "look", "head", "resize"]
    assert {item.name: item.code for item in made.rejected} == {f"thing-{k}.png": "no-face" for k in range(3)}
    assert all("has no face" in item.reason for item in made.rejected)


def test_a_face_among_things_is_a_thing_where_nobody_asks_for_heads(tmp_path: Path) -> None:
    folder = one_face_and_three_things(tmp_path / "photos")
    made = prepare(folder, tmp_path / "set", Photos(domain="drawings"), SIZE)
    assert [photo.name for photo in made.photos] == ["face.jpg", "thing-0.png", "thing-1.png", "thing-2.png"]
    assert made.photos[0].subject is None


def too_small(tmp_path: Path, name: str, image: Image.Image, framing: str) -> Rejected:
    folder = one_face_and_three_things(tmp_path / "photos")
    image.save(folder / name)
    settings = Photos.model_validate({"domain": "drawings", "framing": framing, "screen": {"enabled": False}})
    (found,) = [item for item in prepare(folder, tmp_path / "set", settings, 128).rejected if item.name == name]
    assert found.code == "too-small"
    return found


def test_a_crop_that_is_too_small_is_not_called_the_photo(tmp_path: Path) -> None:
    strip = np.random.default_rng(0).integers(0, 256, (5, 900, 3), dtype=np.uint8)
    found = too_small(tmp_path, "strip.png", Image.fromarray(strip), "smart")
    assert found.reason.startswith("is too small: its crop of 5×5 px would have to be enlarged 25.6 times to 128 px")
    assert found.hint.startswith("Use another photo or another photos.framing, or raise")
    assert found.seen["size"] == [900, 5], "others compare it with what they have"


def test_a_photo_that_is_too_small_is_told_by_its_own_size(tmp_path: Path) -> None:
    found = too_small(tmp_path, "dot.png", Image.new("RGB", (20, 9), "red"), "letterbox")
    assert found.reason.startswith("is too small: 20×9 px would have to be enlarged 6.4 times to 128 px")
    assert found.hint.startswith("Use a larger original, or raise")
