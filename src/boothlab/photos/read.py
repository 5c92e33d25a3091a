"""From a file as it came from the camera to upright sRGB pixels, or to the reason why not."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from pillow_heif import register_heif_opener

from boothlab.errors import PhotoError
from boothlab.files import sha256_bytes
from boothlab.photos.photo import Photo, Rejected, Trace

register_heif_opener()

SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".heic",
        ".heif",
        ".avif",
        ".tif",
        ".tiff",
        ".bmp",
        ".gif",
    ]
)

LITTER = frozenset({"thumbs.db", "desktop.ini", ".ds_store", ".ipynb_checkpoints", "__macosx"})
"""Names that operating systems and notebooks leave behind; never worth a message."""

MOST_PIXELS = 120_000_000
"""Larger pictures are refused before they are decoded: 120 MP is beyond any phone, and a bomb is far beyond."""

Orientation = Literal["exif", "ignore"]


def find_photos(folder: Path) -> tuple[list[Path], list[Rejected]]:
    """The picture files directly inside ``folder`` in name order, and the files that are no pictures.

    Raises PhotoError when the folder is missing, no folder, or not readable.
    """
    if not folder.exists():
        raise PhotoError(f"The photo folder {folder} does not exist.", "Give the folder that holds the photos.")
    if not folder.is_dir():
        raise PhotoError(f"{folder} is a file, not a folder.", "Give the folder that holds the photos.")
    try:
        entries = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise PhotoError(f"Cannot list {folder}: {error.strerror}.") from error
    photos: list[Path] = []
    others: list[Rejected] = []
    for path in entries:
        if path.name.lower() in LITTER or path.name.startswith("."):
            continue
        if path.is_dir():
            reason = "is a folder; photos are taken from one folder, not from those inside it"
            others.append(Rejected(path.name, "folder", reason))
        elif path.suffix.lower() in SUFFIXES:
            photos.append(path)
        elif path.suffix.lower() not in (".txt", ".csv", ".json", ".toml"):
            reason = f"has the ending {path.suffix or '(none)'}, which is no picture format known here"
            others.append(Rejected(path.name, "no-picture", reason))
    return photos, others


def read_photo(path: Path, orientation: Orientation = "exif") -> Photo | Rejected:
    """The photo in ``path``: upright (EXIF), sRGB, alpha composited on white and kept as the mask.

    The file is read once and never written. Whatever is wrong with it becomes a :class:`Rejected`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        return Rejected(path.name, "unreadable", f"cannot be read: {error.strerror}")
    digest = sha256_bytes(data)
    if not data:
        return Rejected(path.name, "empty", "is empty (0 bytes)", "Copy it from the camera again.", digest)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd EXIF blocks say nothing a user can act on
            return _decode(path.name, data, digest, orientation)
    except UnidentifiedImageError:
        reason = f"is not a picture, although it is called {path.suffix.lower()}"
        return Rejected(path.name, "unreadable", reason, "Open it in a viewer; export it as JPEG.", digest)
    except Image.DecompressionBombError:
        return _too_many_pixels(path.name, digest)
    except MemoryError:
        return Rejected(path.name, "too-large", "needs more memory than there is", "", digest)
    except Exception as error:  # noqa: BLE001 - decoders raise anything on damaged input (struct, index, zlib …)
        detail = f"{type(error).__name__}: {error}".strip(": ")
        return Rejected(path.name, "unreadable", f"is damaged ({detail})", "Copy it again.", digest)


def _too_many_pixels(name: str, digest: str) -> Rejected:
    limit = MOST_PIXELS // 1_000_000
    return Rejected(name, "too-large", f"has more than {limit} megapixels", "Scale it down first.", digest)


def _decode(name: str, data: bytes, digest: str, orientation: Orientation) -> Photo | Rejected:
    with Image.open(io.BytesIO(data)) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            return _too_many_pixels(name, digest)
        kind = opened.format or "?"
        # An animation is represented by its first frame.
        opened.seek(0)
        opened.load()
        tag = int(opened.getexif().get(0x0112, 1) or 1)
        image = ImageOps.exif_transpose(opened) if orientation == "exif" else opened.copy()
    profile = image.info.get("icc_profile")
    pixels, mask = _to_srgb(image, profile)
    trace = Trace("read", {"format": kind, "orientation": tag, "upright": orientation == "exif", "bytes": len(data)})
    return Photo(name=name, pixels=pixels, source_hash=digest, mask=mask, trail=(trace,))


def _to_srgb(image: Image.Image, profile: bytes | None) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """(H, W, 3) sRGB pixels and the alpha as mask (None where there is none or it is opaque)."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = _eight_bits(image)
    alpha: NDArray[np.uint8] | None = None
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        alpha = np.asarray(rgba.getchannel("A"))
        if bool((alpha == 255).all()):
            alpha = None
            image = rgba.convert("RGB")
        else:
            # Whatever colour lies under transparent pixels must not reach the model: composite on white.
            white = Image.new("RGBA", rgba.size, "white")
            image = Image.alpha_composite(white, rgba).convert("RGB")
    if profile:
        image = _apply_profile(image, profile)
    return np.array(image.convert("RGB"), dtype=np.uint8), alpha


def _eight_bits(image: Image.Image) -> Image.Image:
    """A 16-bit, 32-bit or float grey picture scaled to 0–255 (Pillow's own conversion clips instead)."""
    values = np.asarray(image, dtype=np.float64)
    full = 65535.0 if image.mode.startswith("I;16") or values.max(initial=0) > 255 else 255.0
    if image.mode == "F" and values.max(initial=0) <= 1.0:
        full = 1.0
    return Image.fromarray(np.clip(values * (255.0 / full) + 0.5, 0, 255).astype(np.uint8), "L")


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """``image`` in sRGB; unchanged where the embedded profile is broken or of another colour space."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode not in ("RGB", "CMYK", "L"):
            image = image.convert("RGB")
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return image if converted is None else converted
