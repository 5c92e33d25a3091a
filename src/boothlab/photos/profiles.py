"""From the colours that a file says it has to sRGB."""

from __future__ import annotations

import io

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

MOST_ROUNDING = 4
"""Levels of 255 by which profiles of sRGB itself differ: curves are tables there, and numbers are rounded."""

PROBE = Image.fromarray(np.mgrid[0:256:51, 0:256:51, 0:256:51].reshape(3, 36, 6).transpose(1, 2, 0).astype(np.uint8))
"""Six levels of each colour, by which a profile is compared with sRGB."""


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
