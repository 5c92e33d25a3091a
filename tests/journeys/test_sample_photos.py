"""The photos that ship: the mess of a phone's folder, and what the photo doctor makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from boothlab.assets import asset
from boothlab.photos.config import Photos
from boothlab.photos.photoset import read_set
from boothlab.preparing.prepare import prepare

GPS = 0x8825
SUBJECTS = ("mira", "tomo")


@pytest.mark.parametrize("name", SUBJECTS)
def test_there_are_thirteen_and_eighteen_disjoint_ones(name: str) -> None:
    photos = sorted(path for path in asset("samples", name, "photos").iterdir() if path.suffix != ".csv")
    more = sorted(asset("samples", name, "more").iterdir())
    assert (len(photos), len(more)) == (13, 18)
    assert len({path.read_bytes() for path in (*photos, *more)}) == 31
    shapes, orientations = set(), set()
    for path in photos:
        with Image.open(path) as image:
            shapes.add(image.size)
            orientations.add(image.getexif().get(0x0112, 1))
    assert len(shapes) >= 10
    assert orientations == {1, 3, 6, 8}
    assert sum(path.stat().st_size for path in (*photos, *more)) < 700_000


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_doctor_finds_what_was_spoilt(name: str, tmp_path: Path) -> None:
    settings = Photos(domain="drawings", references=asset("samples", name, "more"))
    prepare(asset("samples", name, "photos"), tmp_path / "set", settings, 128)
    found = read_set(tmp_path / "set")
    reasons = {item.name: item.reason.split()[1] for item in found.rejected}
    assert reasons == {"IMG_0004.jpg": "blurred", "IMG_0010.jpg": "nearly", "IMG_0012.jpg": "too"}
    assert (len(found.train), len(found.held_out)) == (10, 18)
    for path in (tmp_path / "set").rglob("*.png"):
        with Image.open(path) as image:
            assert not image.getexif(), f"{path.name} still says where it was taken"
            assert "exif" not in image.info
    with Image.open(asset("samples", name, "photos", "IMG_0002.jpg")) as image:
        assert image.getexif().get_ifd(GPS), "the sample has no place to be stripped"
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    assert "GPS" not in json.dumps(manifest)


def test_a_second_person_is_left_outside_the_frame(tmp_path: Path) -> None:
    prepare(asset("samples", "mira", "photos"), tmp_path / "set", Photos(domain="drawings", held_out=0.0), 128)
    with_two = next(p for p in read_set(tmp_path / "set").photos if p.name.startswith("IMG_0007"))
    assert len(with_two.seen["faces"]) == 2, "the sample shows two people"
    (other,) = [face for k, face in enumerate(with_two.seen["faces"]) if k != with_two.seen["subject"]]
    x0, y0, x1, y1 = other["box"]
    inside = max(0.0, min(x1, 128) - max(x0, 0)) * max(0.0, min(y1, 128) - max(y0, 0))
    assert inside < 0.25 * (x1 - x0) * (y1 - y0)
