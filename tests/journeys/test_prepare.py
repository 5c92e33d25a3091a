"""A folder straight from a phone becomes a photo set, through the command line and through the API."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from boothlab import api
from boothlab.photos.config import Photos
from boothlab.photos.photoset import read_set


def phone_folder(folder: Path) -> Path:
    """One person's photos with the mess of the source study; the pictures come with other packages."""
    data = pytest.importorskip("skimage.data")
    folder.mkdir()
    image = Image.fromarray(data.astronaut())
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(folder / "IMG_1.jpg", exif=exif, quality=95)
    image.crop((60, 0, 460, 400)).save(folder / "IMG_2.png")
    image.filter(ImageFilter.GaussianBlur(5)).save(folder / "IMG_3.jpg")
    Image.fromarray(data.coffee()).save(folder / "IMG_4.webp")
    Image.fromarray((np.asarray(image) * 0.1).astype(np.uint8)).save(folder / "IMG_5.jpg")
    (folder / "IMG_6.jpg").write_bytes(b"")
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "IMG_1.txt").write_text("in a space suit")
    return folder


def test_prepare(tmp_path: Path) -> None:
    source = phone_folder(tmp_path / "phone")
    command = [sys.executable, "-m", "boothlab", "prepare", str(source), "--out", str(tmp_path / "set")]
    command += ["--size", "256", "--domain", "photographs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "1 photo kept (0 held out), 5 set aside" in done.stdout
    made = read_set(tmp_path / "set")
    assert [(photo.name, photo.size, photo.caption) for photo in made.photos] == [
        ("IMG_1.jpg", (256, 256), "a photo of {it}, in a space suit")
    ]
    assert {item.name: item.code for item in made.rejected} == {
        "IMG_2.png": "duplicate",
        "IMG_3.jpg": "blurred",
        "IMG_4.webp": "no-face",
        "IMG_5.jpg": "dark",
        "IMG_6.jpg": "empty",
    }
    for item in made.rejected:
        assert item.reason in done.stdout
    page = (tmp_path / "set" / "contact-sheet.html").read_text()
    assert all(f"IMG_{number}." in page for number in range(1, 7))
    with Image.open(tmp_path / "set" / "contact-sheet.png") as sheet:
        assert sheet.width > 1000
    tree = json.loads((tmp_path / "set" / "manifest.json").read_text())
    assert [item["name"] for item in tree["other_files"]] == ["IMG_1.txt", "Thumbs.db"]

    through_api = api.prepare(source, tmp_path / "again", Photos(size=256, domain="photographs"))
    assert through_api.content_hash == made.content_hash


def test_keep_and_usage_errors(tmp_path: Path) -> None:
    source = phone_folder(tmp_path / "phone")
    kept = Photos(size=256, domain="photographs", keep=("IMG_3.jpg", "IMG_4.webp"))
    names = [photo.name for photo in api.prepare(source, tmp_path / "set", kept).photos]
    assert names == ["IMG_1.jpg", "IMG_3.jpg", "IMG_4.webp"]
    command = [sys.executable, "-m", "boothlab", "prepare", str(source), "--out", str(source)]
    done = subprocess.run([*command, "--size", "256"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "holds the originals" in done.stderr
