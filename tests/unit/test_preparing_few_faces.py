"""Faces among things: they count where heads are asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from boothlab.assets import asset
from boothlab.photos.config import Photos
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
