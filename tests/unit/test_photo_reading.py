"""Reading photos: traps D1 (EXIF), D2 (modes), D3 (order and litter) and everything a folder may hold."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from boothlab.errors import PhotoError
from boothlab.photos import read as reading
from boothlab.photos.folder import list_folder
from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.read import UNDO, find_photos, read_photo

ENDINGS = {
    "JPEG": (".jpg", {"quality": 98, "subsampling": 0}),
    "PNG": (".png", {}),
    "WEBP": (".webp", {"lossless": True}),
    "TIFF": (".tif", {}),
    "AVIF": (".avif", {"quality": 95}),
}


def four_colours() -> np.ndarray:
    """(48, 32, 3): a quarter of each colour, so that all eight orientations differ."""
    pixels = np.zeros((48, 32, 3), np.uint8)
    pixels[:16, :24], pixels[:16, 24:] = (250, 20, 20), (20, 250, 20)
    pixels[16:, :24], pixels[16:, 24:] = (20, 20, 250), (250, 250, 20)
    return pixels


def photo(result: Photo | Rejected) -> Photo:
    assert isinstance(result, Photo), result
    return result


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("kind", ENDINGS)
def test_every_orientation_of_every_format(tmp_path: Path, kind: str, tag: int) -> None:
    upright = four_colours()
    stored = Image.fromarray(upright) if tag == 1 else Image.fromarray(upright).transpose(UNDO[tag])
    ending, options = ENDINGS[kind]
    exif = Image.Exif()
    exif[0x0112] = tag
    path = tmp_path / f"photo{ending}"
    stored.save(path, kind, exif=exif, **options)
    turned = photo(read_photo(path))
    assert turned.pixels.shape == upright.shape
    assert np.abs(turned.pixels.astype(int) - upright).mean() < 8
    assert turned.trail[0].numbers["orientation"] == tag
    left = photo(read_photo(path, "ignore"))
    assert left.pixels.shape == np.asarray(stored).shape
    assert np.abs(left.pixels.astype(int) - np.asarray(stored)).mean() < 8


def test_upright_heic(tmp_path: Path) -> None:
    Image.fromarray(four_colours()).save(tmp_path / "a.heic", quality=95)
    assert np.abs(photo(read_photo(tmp_path / "a.heic")).pixels.astype(int) - four_colours()).mean() < 8


def test_what_lies_under_transparency_does_not_reach_the_model(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:4] = (200, 10, 10, 255)
    pixels[4:] = (0, 250, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    read = photo(read_photo(tmp_path / "a.png"))
    assert (read.pixels[4:] == 255).all()
    assert read.mask is not None
    assert read.mask[0, 0] == 255
    assert read.mask[7, 0] == 0
    assert photo(read_photo(tmp_path / "a.png", alpha="white")).mask is None


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [("I;16", 32896, 128), ("L", 128, 128), ("I", 32896, 128)],
)
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path, mode: str, value: int, expected: int) -> None:
    kind = {"I;16": np.uint16, "L": np.uint8, "I": np.int32}[mode]
    Image.fromarray(np.full((9, 7), value, kind)).save(tmp_path / "a.tif")
    assert np.abs(photo(read_photo(tmp_path / "a.tif")).pixels.astype(int) - expected).max() <= 1


def test_cmyk_palette_grey_and_float(tmp_path: Path) -> None:
    red = Image.new("RGB", (10, 10), (220, 30, 30))
    red.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    red.convert("P").save(tmp_path / "palette.gif")
    Image.fromarray(np.full((6, 6), 0.5, np.float32)).save(tmp_path / "float.tif")
    assert np.abs(photo(read_photo(tmp_path / "cmyk.jpg")).pixels[5, 5].astype(int) - (220, 30, 30)).max() < 12
    assert np.abs(photo(read_photo(tmp_path / "palette.gif")).pixels[5, 5].astype(int) - (220, 30, 30)).max() < 30
    assert photo(read_photo(tmp_path / "float.tif")).pixels[0, 0, 0] == 128


def test_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (10, 10), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert photo(read_photo(tmp_path / "a.gif")).pixels[0, 0].tolist() == [255, 0, 0]


def test_profile_is_converted_to_srgb_and_a_broken_one_is_said(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    Image.new("RGB", (8, 8), (100, 150, 200)).save(tmp_path / "odd.png", icc_profile=lab)
    Image.new("RGB", (8, 8), (100, 150, 200)).save(tmp_path / "broken.png", icc_profile=b"no profile at all")
    assert photo(read_photo(tmp_path / "broken.png")).trail[0].numbers["profile"] == "broken, taken as sRGB"
    assert photo(read_photo(tmp_path / "broken.png")).pixels[0, 0].tolist() == [100, 150, 200]
    assert isinstance(read_photo(tmp_path / "odd.png"), Photo)


def test_broken_files_become_reasons(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(four_colours()).resize((400, 300)).save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:900])
    (tmp_path / "zero.jpg").write_bytes(b"")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "script.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    (tmp_path / "really-a-jpeg.png").write_bytes(buffer.getvalue())
    codes = {path.name: getattr(read_photo(path), "code", "read") for path in tmp_path.iterdir()}
    assert codes == {
        "cut.jpg": "unreadable",
        "zero.jpg": "empty",
        "text.png": "unreadable",
        "script.jpg": "unreadable",
        "really-a-jpeg.png": "read",
    }


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_PIXELS", 100)
    Image.new("L", (20, 20)).save(tmp_path / "bomb.png")
    result = read_photo(tmp_path / "bomb.png")
    assert isinstance(result, Rejected)
    assert result.code == "too-large"


def test_order_and_litter(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.png", "C.JPG"):
        Image.new("RGB", (9, 9)).save(tmp_path / name)
    for name in ("Thumbs.db", ".DS_Store", "._a.png", "desktop.ini"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "inside").mkdir()
    (tmp_path / "paper.pdf").write_text("x")
    (tmp_path / "no-ending").write_bytes((tmp_path / "b.jpg").read_bytes())
    os.mkfifo(tmp_path / "pipe.jpg")
    listing = list_folder(tmp_path)
    assert [path.name for path in listing.photos] == ["C.JPG", "a.png", "b.jpg", "no-ending"]
    assert {item.name: item.code for item in listing.others} == {
        "inside": "folder",
        "paper.pdf": "no-picture",
        "pipe.jpg": "no-file",
    }
    assert len(listing.ignored) == 5


def test_include_and_exclude(tmp_path: Path) -> None:
    for name in ("IMG_1.jpg", "IMG_2.jpg", "other.jpg"):
        Image.new("RGB", (9, 9)).save(tmp_path / name)
    chosen = list_folder(tmp_path, ["IMG_*"], ["IMG_2.jpg"])
    assert [path.name for path in chosen.photos] == ["IMG_1.jpg"]
    assert [name for name, _ in chosen.ignored] == ["IMG_2.jpg", "other.jpg"]
    with pytest.raises(PhotoError, match="IMG_9"):
        list_folder(tmp_path, ["IMG_9.jpg"])


def test_missing_folder_and_file(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="does not exist"):
        find_photos(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(PhotoError, match="not a folder"):
        find_photos(tmp_path / "file")
