"""Which files are photos by what is in them, and which only look so."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from boothlab.errors import PhotoError
from boothlab.photos.config import Photos, Screen
from boothlab.photos.folder import list_folder
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


def saved(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    made_photo(0).save(buffer, kind, **options)
    return buffer.getvalue()


def with_brand(brand: bytes) -> bytes:
    data = saved("HEIF", quality=95)
    return data[:8] + brand + data[12:]


KINDS = {
    "bmp": lambda: saved("BMP"),
    "big-tiff": lambda: saved("TIFF", big_tiff=True),
    "avis": lambda: saved("AVIF", save_all=True, append_images=[made_photo(1)]),
    "webp": lambda: saved("WEBP"),
    **{brand: lambda brand=brand: with_brand(brand.encode()) for brand in ("heic", "heix", "heim", "heis")},
    **{brand: lambda brand=brand: with_brand(brand.encode()) for brand in ("hevc", "hevx", "mif1", "msf1")},
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_be_read_is_known_by_its_content(kind: str, tmp_path: Path) -> None:
    (tmp_path / "photo.dat").write_bytes(KINDS[kind]())
    assert [path.name for path in list_folder(tmp_path).photos] == ["photo.dat"]
    found = read_photo(tmp_path / "photo.dat")
    assert isinstance(found, Photo)
    assert np.abs(found.pixels.astype(int) - np.asarray(made_photo(0))).mean() < 8


def test_what_only_begins_like_a_picture_is_none(tmp_path: Path) -> None:
    texts = {"a.dat": b"BMW and other makes of cars, by year", "b.dat": b"RIFF\1\2\3\4WAVEfmt ", "c.dat": b"MM\0x"}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
    assert [item.name for item in list_folder(tmp_path).others] == list(texts)


def test_large_photos_are_told_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos of 90 to 120 megapixels wrote Pillow's warning of decompression bombs to the screen."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    for k in range(4):
        (tmp_path / "photos").mkdir(exist_ok=True)
        made_photo(k, (400, 300)).save(tmp_path / "photos" / f"{k}.png")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        made = prepare(tmp_path / "photos", tmp_path / "set", Photos(domain="drawings", framing="center"), 64)
        assert list(warnings.filters) == before
    assert len(made.photos) == 4
    assert [str(one.message) for one in told] == []
