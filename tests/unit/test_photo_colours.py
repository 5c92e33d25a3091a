"""What a file says of its colours is followed, whatever that is called and wherever it stands."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.read import read_photo

COLOUR = (230, 90, 60)
IN_P3 = (249, 77, 45)
"""What :data:`COLOUR` is in sRGB, when it was said in the primaries of Display P3."""

IN_2020 = (255, 35, 45)

WIDE = {
    "P3": ((0.51512, 0.24119, -0.00105), (0.29198, 0.69224, 0.04188), (0.1571, 0.06657, 0.78407)),
    "2020": ((0.67348, 0.27904, -0.00193), (0.16567, 0.67534, 0.02998), (0.12505, 0.04561, 0.79685)),
}
"""Red, green and blue as XYZ under D50."""


def profile(name: str, primaries: str | None = None) -> bytes:
    """The profile of sRGB under another name, and with other primaries where asked."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (count,) = struct.unpack(">I", plain[128:132])
    entries = [struct.unpack(">4sII", plain[132 + 12 * k : 144 + 12 * k]) for k in range(count)]
    tags = {tag: plain[at : at + length] for tag, at, length in entries}
    text = name.encode("utf-16-be")
    tags[b"desc"] = b"mluc" + struct.pack(">III4sII", 0, 1, 12, b"enUS", len(text), 28) + text
    for tag, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), WIDE[primaries] if primaries else (), strict=False):
        tags[tag] = b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in xyz))
    table, body = b"", b""
    for tag, data in tags.items():
        table += struct.pack(">4sII", tag, 132 + 12 * len(tags) + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    whole = plain[4:128] + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", 4 + len(whole)) + whole


def read(path: Path) -> tuple[np.ndarray, str]:
    found = read_photo(path)
    assert isinstance(found, Photo), found
    return found.pixels, found.trail[0].numbers["profile"]


@pytest.mark.parametrize(
    ("name", "primaries", "expected", "fate"),
    [
        ("Display P3", "P3", IN_P3, "converted from Display P3"),
        ("sRGB Transfer with DCI-P3 Gamut", "P3", IN_P3, "converted from sRGB Transfer with DCI-P3 Gamut"),
        (
            "sRGB Transfer with Rec-BT-2020 Gamut",
            "2020",
            IN_2020,
            "converted from sRGB Transfer with Rec-BT-2020 Gamut",
        ),
        ("sRGB of Ann Smith", "P3", IN_P3, "converted to sRGB"),
        ("sRGB", None, COLOUR, "sRGB"),
        ("sRGB IEC61966-2.1", None, COLOUR, "sRGB"),
    ],
)
def test_a_profile_is_srgb_by_its_colours_and_not_by_the_beginning_of_its_name(
    name: str, primaries: str | None, expected: tuple[int, int, int], fate: str, tmp_path: Path
) -> None:
    """Photos of Android's wide gamut kept their numbers, and lost their colours."""
    Image.new("RGB", (9, 7), COLOUR).save(tmp_path / "a.png", icc_profile=profile(name, primaries))
    pixels, said = read(tmp_path / "a.png")
    assert np.abs(pixels.astype(int) - expected).max() <= 1
    assert said == fate


def test_photos_in_srgb_keep_every_bit(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png", icc_profile=profile("sRGB IEC61966-2.1"))
    assert np.array_equal(read(tmp_path / "a.png")[0], noise)


def heic(path: Path, mode: str = "RGB", **numbers: int) -> Path:
    Image.new("RGB", (64, 64), COLOUR).convert(mode).save(path, "HEIF", quality=95, **numbers)
    return path


@pytest.mark.parametrize(
    ("primaries", "curve", "expected", "fate"),
    [
        (12, 13, IN_P3, "converted from Display P3"),
        (12, 1, IN_P3, "converted from Display P3"),
        (9, 13, IN_2020, "converted from Rec. 2020"),
        (11, 13, (243, 77, 46), "converted from DCI-P3"),
        (1, 13, COLOUR, "none"),
        (2, 2, COLOUR, "none"),
    ],
)
def test_a_heic_without_a_profile_is_read_by_the_primaries_it_tells(
    primaries: int, curve: int, expected: tuple[int, int, int], fate: str, tmp_path: Path
) -> None:
    """It kept its numbers, and lost its colours."""
    told = {"color_primaries": primaries, "transfer_characteristics": curve}
    pixels, said = read(heic(tmp_path / "a.heic", **told))
    assert np.abs(pixels.astype(int) - expected).max() <= 2
    assert said == fate
    assert read(heic(tmp_path / "grey.heic", "L", **told))[1] == "none"


def test_a_profile_is_followed_before_numbers(tmp_path: Path) -> None:
    numbers = {"color_primaries": 9, "transfer_characteristics": 16}
    image = Image.new("RGB", (64, 64), COLOUR)
    image.save(tmp_path / "a.heic", "HEIF", quality=95, icc_profile=profile("Display P3", "P3"), **numbers)
    pixels, said = read(tmp_path / "a.heic")
    assert np.abs(pixels.astype(int) - IN_P3).max() <= 2
    assert said == "converted from Display P3"


@pytest.mark.parametrize(("curve", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_set_aside(curve: int, name: str, tmp_path: Path) -> None:
    found = read_photo(heic(tmp_path / "a.hif", color_primaries=9, transfer_characteristics=curve))
    assert isinstance(found, Rejected)
    assert found.code == "high-range"
    assert f"in high dynamic range ({name})" in found.reason
