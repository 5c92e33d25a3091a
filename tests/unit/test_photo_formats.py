"""Which files are photos by what is in them, and which only look so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import TiffImagePlugin

from boothlab.errors import PhotoError
from boothlab.photos.config import Photos, Screen
from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.read import read_photo
from boothlab.preparing.prepare import prepare
from photos_made import made_photo

SUBFILE, DNG_VERSION = 0x00FE, 0xC612


def tiff(path: Path, seed: int = 0, subfile: int | None = None, dng: bool = False) -> Path:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if subfile is not None:
        tags[SUBFILE] = subfile
    if dng:
        tags.tagtype[DNG_VERSION] = 1
        tags[DNG_VERSION] = b"\1\4\0\0"
    made_photo(seed).save(path, "TIFF", tiffinfo=tags)
    return path


def test_camera_raw_is_set_aside_and_not_trained_on_as_its_preview(tmp_path: Path) -> None:
    """Five DNGs were five photos of 256 pixels."""
    (tmp_path / "photos").mkdir()
    for k in range(5):
        tiff(tmp_path / "photos" / f"IMG_{k}.DNG", k, subfile=1, dng=True)
    settings = Photos(domain="drawings", screen=Screen(enabled=False))
    with pytest.raises(PhotoError, match=r"no usable photo; at least 1 is needed\.\n  - IMG_0\.DNG is camera RAW"):
        prepare(tmp_path / "photos", tmp_path / "set", settings, 64)


@pytest.mark.parametrize(
    ("name", "subfile", "dng", "raw"),
    [
        ("a.tif", None, True, True),
        ("a.tif", 1, False, True),
        ("a.tif", 3, False, True),
        ("a.NEF", None, False, True),
        ("a.tif", 0, False, False),
        ("a.tif", 2, False, False),
        ("a.tif", None, False, False),
    ],
)
def test_a_tiff_is_raw_by_its_tags_or_its_ending(
    name: str, subfile: int | None, dng: bool, raw: bool, tmp_path: Path
) -> None:
    found = read_photo(tiff(tmp_path / name, 0, subfile, dng))
    if raw:
        assert isinstance(found, Rejected)
        assert (found.code, found.hint) == ("raw", "Export it as JPEG.")
        assert found.source_hash
    else:
        assert isinstance(found, Photo)
        assert np.array_equal(found.pixels, np.asarray(made_photo(0)))


def test_raw_that_nobody_knows_is_raw_and_a_jpeg_of_that_name_a_photo(tmp_path: Path) -> None:
    (tmp_path / "a.cr2").write_bytes(b"II*\0\x10\0\0\0CR\2\0")
    assert read_photo(tmp_path / "a.cr2").code == "raw"  # type: ignore[union-attr]
    made_photo(0).save(tmp_path / "b.dng", "JPEG")
    assert isinstance(read_photo(tmp_path / "b.dng"), Photo)
