"""From the colours that a file says it has to sRGB."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageCms

KNOWN_PROFILES = (
    *("Display P3", "Adobe RGB (1998)", "ProPhoto RGB", "ROMM RGB", "DCI-P3", "Rec. 2020", "Rec. ITU-R BT.2020"),
    *("sRGB Transfer with DCI-P3 Gamut", "sRGB Transfer with Rec-BT-2020 Gamut"),
    *(
        "Apple RGB",
        "Generic RGB",
        "Color LCD",
        "Dot Gain",
        "Gray Gamma",
        "U.S. Web Coated",
        "Coated FOGRA39",
        "ISO Coated",
    ),
)
"""Colour spaces whose names say nothing of anybody."""

PRIMARIES: Mapping[int, tuple[str, tuple[float, ...]]] = {
    9: ("Rec. 2020", (0.67348, 0.27904, -0.00193, 0.16567, 0.67534, 0.02998, 0.12505, 0.04561, 0.79685)),
    11: ("DCI-P3", (0.48616, 0.22668, -0.0008, 0.32385, 0.71033, 0.04324, 0.15419, 0.06298, 0.78247)),
    12: ("Display P3", (0.51512, 0.24119, -0.00105, 0.29198, 0.69224, 0.04188, 0.1571, 0.06657, 0.78407)),
}
"""Number of wider primaries (ITU-T H.273) → their name, and red, green and blue as XYZ under D50."""

HIGH_RANGE = {16: "PQ", 18: "HLG"}
"""Number of a curve for high dynamic range (ITU-T H.273) → its name."""

MOST_ROUNDING = 4
"""Levels of 255 by which profiles of sRGB itself differ: curves are tables there, and numbers are rounded."""

PROBE = Image.fromarray(np.mgrid[0:256:51, 0:256:51, 0:256:51].reshape(3, 36, 6).transpose(1, 2, 0).astype(np.uint8))
"""Six levels of each colour, by which a profile is compared with sRGB."""


def profile_of(image: Image.Image) -> bytes | None:
    """The profile in a picture, or one made of the numbers by which a HEIC without any tells of wider primaries."""
    own: bytes | None = image.info.get("icc_profile")
    wider = PRIMARIES.get(_told(image).get("color_primaries", 0))
    return own if own or wider is None or image.mode in ("L", "LA") else _made(*wider)


def high_range(image: Image.Image) -> str | None:
    """The curve for high dynamic range by which a HEIC without a profile is to be shown; None where there is none."""
    told = None if image.info.get("icc_profile") else _told(image).get("transfer_characteristics")
    return HIGH_RANGE.get(told or 0)


def _told(image: Image.Image) -> dict[str, Any]:
    return image.info.get("nclx_profile") or {}


def _made(name: str, colorants: tuple[float, ...]) -> bytes:
    """The profile of sRGB with other primaries. Curves stay: decoders take those for video as this one too."""
    built_in = ImageCms.createProfile("sRGB")
    data = ImageCms.ImageCmsProfile(built_in).tobytes()
    data = data.replace("sRGB built-in".encode("utf-16-be"), name.ljust(13).encode("utf-16-be"))
    made = bytearray(data)
    for k in range(int.from_bytes(data[128:132], "big")):
        tag, at, _ = struct.unpack_from(">4sII", data, 132 + 12 * k)
        if tag in (b"rXYZ", b"gXYZ", b"bXYZ"):
            first = 3 * b"rgb".index(tag[:1])
            struct.pack_into(">3i", made, at + 8, *(round(value * 65536) for value in colorants[first : first + 3]))
    return bytes(made)


def to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    """``image`` in sRGB and what happened; unchanged where the profile is broken or of another colour space."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        described = ImageCms.getProfileDescription(source).strip()
        if described.startswith("sRGB") and _is_srgb(source):
            return image, "sRGB"
        if image.mode not in ("RGB", "CMYK", "L"):
            image = image.convert("RGB")
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, "broken, taken as sRGB"
    if converted is None:
        return image, "broken, taken as sRGB"
    # Profiles are named by whoever calibrated the screen, often after himself.
    known = next((name for name in KNOWN_PROFILES if described.lower().startswith(name.lower())), None)
    return converted, "converted to sRGB" if known is None else f"converted from {known}"


def _is_srgb(source: ImageCms.ImageCmsProfile) -> bool:
    """Whether colours mean the same in a profile of that name: wider ones of Android are called so by their curve.

    One of tables, which say how to print or show sRGB, is taken at its name.
    """
    if not source.profile.is_matrix_shaper:
        return True
    shown = ImageCms.profileToProfile(PROBE, source, ImageCms.createProfile("sRGB"), outputMode="RGB") or PROBE
    return int(np.abs(np.asarray(shown, int) - np.asarray(PROBE, int)).max()) <= MOST_ROUNDING
