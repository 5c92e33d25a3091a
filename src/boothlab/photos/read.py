"""From a file as it came from the camera to upright sRGB pixels, or to the reason why not."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import (  # noqa: F401 - Pillow loads these decoders late, and not at all when FORMATS are named
    AvifImagePlugin,
    Image,
    ImageCms,
    ImageOps,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from pillow_heif import register_heif_opener

from boothlab.files import sha256_bytes, spelled
from boothlab.photos.folder import find_photos, printable
from boothlab.photos.photo import Photo, Rejected, Trace
from boothlab.photos.profiles import high_range, profile_of, to_srgb

__all__ = ["Alpha", "Orientation", "find_photos", "read_photo"]

register_heif_opener()

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF", "BMP", "DIB", "GIF")
"""The only decoders that are tried, whatever a file is called: others may run programs (EPS) or fetch parts."""

MOST_PIXELS = 120_000_000
"""Larger pictures are refused before they are decoded: 120 MP is beyond any phone, and a bomb is far beyond."""

RAW = frozenset(
    [".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".kdc", ".mef", ".mos"]
    + [".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw"]
)
"""Endings of what cameras write before it is a picture."""

ORIENTATION_TAG = 0x0112
SUBFILE_TAG = 0x00FE
DNG_VERSION_TAG = 0xC612

UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientation -> what turns the upright picture back to how the sensor wrote it."""

Orientation = Literal["exif", "ignore"]
Alpha = Literal["mask", "white"]


def read_photo(path: Path, orientation: Orientation = "exif", alpha: Alpha = "mask") -> Photo | Rejected:
    """The photo in ``path``: upright (EXIF), sRGB, alpha composited on white and kept as the mask (or not).

    The file is read once and never written. Whatever is wrong with it becomes a :class:`Rejected`.
    """
    name = printable(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        return Rejected(name, "unreadable", f"cannot be read: {error.strerror}")
    digest = sha256_bytes(data)
    if not data:
        return Rejected(name, "empty", "is empty (0 bytes)", "Copy it from the camera again.", digest)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd EXIF blocks say nothing a user can act on
            return _decode(name, data, digest, orientation, alpha)
    except UnidentifiedImageError:
        if path.suffix.lower() in RAW:
            return _raw(name, digest)
        reason = f"is not a picture, although it is called {spelled(path.suffix.lower()) or name}"
        return Rejected(name, "unreadable", reason, "Open it in a viewer; export it as JPEG.", digest)
    except Image.DecompressionBombError:
        return _too_many_pixels(name, digest)
    except MemoryError:
        return Rejected(name, "too-large", "needs more memory than there is", "Scale it down first.", digest)
    except Exception as error:  # noqa: BLE001 - decoders raise anything on damaged input (struct, index, zlib …)
        detail = f"{type(error).__name__}: {error}".strip(": ")
        return Rejected(name, "unreadable", f"is damaged ({detail})", "Copy it from the camera again.", digest)


def _too_many_pixels(name: str, digest: str) -> Rejected:
    limit = MOST_PIXELS // 1_000_000
    return Rejected(name, "too-large", f"has more than {limit} megapixels", "Scale it down first.", digest)


def _raw(name: str, digest: str) -> Rejected:
    reason = "is camera RAW, or begins with a preview as RAW does; no more than the preview could be read"
    return Rejected(name, "raw", reason, "Export it as JPEG.", digest)


def _is_raw(name: str, opened: Image.Image) -> bool:
    """Whether the picture that Pillow reads of a TIFF, the first, is but a small copy of what the file is about."""
    if not isinstance(opened, TiffImagePlugin.TiffImageFile):
        return False
    kind = opened.tag_v2.get(SUBFILE_TAG)
    reduced = isinstance(kind, int) and bool(kind & 1)
    return reduced or DNG_VERSION_TAG in opened.tag_v2 or Path(name).suffix.lower() in RAW


def _decode(name: str, data: bytes, digest: str, orientation: Orientation, alpha: Alpha) -> Photo | Rejected:
    with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            return _too_many_pixels(name, digest)
        if _is_raw(name, opened):
            return _raw(name, digest)
        curve = high_range(opened)
        if curve is not None:
            reason = f"is in high dynamic range ({curve}), and would be read with wrong colours"
            return Rejected(name, "high-range", reason, "Export it as JPEG.", digest)
        kind = opened.format or "?"
        # An animation is represented by its first frame, a HEIC by the picture that it calls its primary one.
        if opened.format not in ("HEIF", "HEIC"):
            opened.seek(0)
        tag = _orientation(opened)
        opened.load()
        pixels, mask, profile = _pixels(_turned(opened, tag, orientation))
    numbers = {
        "format": kind,
        "orientation": tag,
        "upright": orientation == "exif",
        "bytes": len(data),
        "size": [pixels.shape[1], pixels.shape[0]],
        "profile": profile,
    }
    return Photo(
        name=name,
        pixels=pixels,
        source_hash=digest,
        mask=mask if alpha == "mask" else None,
        trail=(Trace("read", numbers),),
    )


def _orientation(opened: Image.Image) -> int:
    """The tag as the camera wrote it, 1 where there is none or it is nonsense."""
    value = opened.getexif().get(ORIENTATION_TAG, 1)
    if value == 1:
        value = opened.info.get("original_orientation") or 1  # pillow-heif turns by itself and keeps the tag here
    return int(value) if value in UNDO else 1


def _turned(opened: Image.Image, tag: int, orientation: Orientation) -> Image.Image:
    """Upright, or as the sensor wrote it. Some decoders (TIFF, HEIF) have turned the picture already."""
    left = opened.getexif().get(ORIENTATION_TAG, 1)
    already = tag != 1 and left not in UNDO
    if orientation == "exif":
        return opened if already or tag == 1 else ImageOps.exif_transpose(opened)
    return opened.transpose(UNDO[tag]) if already else opened


def _pixels(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, str]:
    """(H, W, 3) sRGB pixels, the alpha as mask (None where there is none or it is opaque), the profile's fate."""
    profile = profile_of(image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = _eight_bits(image)
    alpha: NDArray[np.uint8] | None = None
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        alpha = np.asarray(rgba.getchannel("A"))
        if bool((alpha == 255).all()):
            alpha = None
            image = rgba.convert("RGB")
        else:
            # Whatever colour lies under transparent pixels must not reach the model: composite on white.
            white = Image.new("RGBA", rgba.size, "white")
            image = Image.alpha_composite(white, rgba).convert("RGB")
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
    fate = "none"
    if profile:
        image, fate = to_srgb(image, profile)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB")), alpha, fate


def _eight_bits(image: Image.Image) -> Image.Image:
    """A 16-bit, 32-bit or float grey picture scaled to 0–255 (Pillow's own conversion clips instead)."""
    values = np.asarray(image)
    most = float(values.max(initial=0))
    full = 65535.0 if image.mode.startswith("I;16") or most > 255 else 255.0
    if image.mode == "F" and most <= 1.0:
        full = 1.0
    out = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), 256):  # in strips: a float copy of 120 megapixels would take 1 GB
        strip = np.nan_to_num(values[start : start + 256].astype(np.float64), posinf=full, neginf=0.0)
        out[start : start + 256] = np.clip(strip * (255.0 / full) + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(out)
