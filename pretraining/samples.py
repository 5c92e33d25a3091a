"""Command `samples`: the 'photos' of the reserved demo subjects, in the mess in which photos come off a phone.

Per subject a folder ``photos`` of 13 to train on, with every fault that spoilt the source study's sets, and a folder
``more`` of 18 others without faults. Separate because these pictures ship; no training ever sees their identities.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from pretraining import atomic, captions, draw, identities, scenes
from pretraining.randomness import stream

SUBJECTS = {"mira": 11, "tomo": 20}
"""Name of the sample set -> number in the reserved stream ``demo``."""

Fault = Literal["blurred", "duplicate", "two people", "turned", "tiny", "dark"]
ORIENTATION, GPS = 0x0112, 0x8825
UNTURN = {
    1: None,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientation -> what a camera held that way did to the upright picture before storing it."""
SQUARE, PORTRAIT, TALL, WIDE, LANDSCAPE = (1, 1), (3, 4), (9, 16), (16, 9), (4, 3)
QUALITY = {"jpg": 88, "webp": 85}


@dataclass(frozen=True)
class Shot:
    """One file: longer side in pixels, shape (width : height), EXIF orientation, kind of file, and its fault."""

    side: int
    shape: tuple[int, int] = SQUARE
    orientation: int = 1
    kind: str = "jpg"
    fault: Fault | None = None


PHOTOS = (
    Shot(400),
    Shot(420, PORTRAIT, orientation=6),
    Shot(440, WIDE),
    Shot(360, fault="blurred"),
    Shot(300, kind="png"),
    Shot(400, TALL, orientation=8),
    Shot(360, fault="two people"),
    Shot(340, fault="turned"),
    Shot(380, LANDSCAPE, orientation=3),
    Shot(320, fault="duplicate"),
    Shot(380, PORTRAIT, kind="webp"),
    Shot(360, fault="dark"),
    Shot(60, fault="tiny"),
)
"""Number 10 is number 1 again, smaller and compressed once more."""
MORE = tuple(
    Shot(side, shape, orientation)
    for side, shape, orientation in zip(
        (400, 320, 288, 360, 340, 300) * 3,
        (SQUARE, PORTRAIT, SQUARE, LANDSCAPE, TALL, SQUARE, SQUARE, WIDE, PORTRAIT) * 2,
        (1, 1, 1, 6, 1, 1, 1, 1, 8, 1, 1, 3, 1, 1, 1, 1, 6, 1),
        strict=True,
    )
)


def scene(identity: identities.Identity, shot: Shot, rng: np.random.Generator) -> scenes.Scene:
    """An undisturbed scene, framed so that the picture's shape holds the whole head, with the shot's fault."""
    made = scenes.of(identity, rng, clean=True)
    width, height = shot.shape
    room = min(width, height) / max(width, height)
    frame = replace(made.framing, scale=min(made.framing.scale, 1.08 * room if room < 1 else 1.3))
    turn = made.turn
    if shot.fault == "turned":
        turn = 34.0 if made.framing.flip else -34.0
    companion = 10 if shot.fault == "two people" else None
    if companion is not None:
        frame = replace(frame, scale=0.82, dx=-0.1)
    return replace(made, framing=frame, turn=turn, companion=companion)


def drawn(number: int, take: int, shot: Shot) -> draw.Drawing:
    """Take ``take`` of a demo subject, square and whole."""
    identity = identities.of("demo", number)
    rng = stream(identities.SEED, f"samples/{number}", take)
    return draw.draw(identity, scene(identity, shot, rng), shot.side, rng)


def photo(number: int, take: int, shot: Shot) -> Image.Image:
    """Take ``take`` of a demo subject, upright: drawn square, cut to the shot's shape around the head."""
    drawing = drawn(number, take, shot)
    picture = Image.fromarray(drawing.pixels).crop(window(drawing, shot))
    if shot.fault == "blurred":
        picture = picture.filter(ImageFilter.GaussianBlur(0.022 * shot.side))
    if shot.fault == "dark":
        picture = picture.point([round(0.13 * value) for value in range(256)] * 3)
    return picture


def window(drawing: draw.Drawing, shot: Shot) -> tuple[int, int, int, int]:
    """The cut of the shot's shape around the head: as near to the head's middle as the picture's edges let it be.

    Monsters and plants have no head; theirs is around the picture's middle.
    """
    width, height = (round(shot.side * part / max(shot.shape)) for part in shot.shape)
    if not drawing.heads:
        left, top = (shot.side - width) // 2, (shot.side - height) // 2
        return left, top, left + width, top + height
    x0, y0, x1, y1 = drawing.heads[0].box
    left = min(max(0, round((x0 + x1) / 2 - width / 2)), shot.side - width)
    # Hair stands above the box: the head's middle goes a little below the cut's.
    top = min(max(0, round((y0 + y1) / 2 - 0.52 * height)), shot.side - height)
    return left, top, left + width, top + height


def encoded(picture: Image.Image, shot: Shot, take: int) -> bytes:
    """The file: turned as the camera was held, with the EXIF tag that says so and, in JPEGs, a made-up place."""
    stored = picture if (turn := UNTURN[shot.orientation]) is None else picture.transpose(turn)
    buffer = io.BytesIO()
    if shot.kind == "png":
        stored.save(buffer, "PNG", optimize=True)
        return buffer.getvalue()
    exif = Image.Exif()
    if shot.orientation != 1:
        exif[ORIENTATION] = shot.orientation
    exif.get_ifd(GPS).update({1: "N", 2: (0.0, float(take), 0.0), 3: "W", 4: (0.0, 0.0, 30.0)})
    name = {"jpg": "JPEG", "webp": "WEBP"}[shot.kind]
    stored.save(buffer, name, quality=QUALITY[shot.kind], exif=exif)
    return buffer.getvalue()


def write(folder: Path) -> list[Path]:
    """Write ``<folder>/<name>/photos/IMG_0001.jpg`` and so on, and ``<folder>/<name>/more``."""
    written = []
    for name, number in SUBJECTS.items():
        for part, first, shots in (("photos", 0, PHOTOS), ("more", len(PHOTOS), MORE)):
            written += _write_part(folder / name / part, number, first, shots)
        told = [caption(drawn(number, *_shown(take, shot))) for take, shot in enumerate(PHOTOS)]
        written.append(write_captions(folder / name / "photos", PHOTOS, told))
    return written


def _shown(take: int, shot: Shot) -> tuple[int, Shot]:
    """What a file shows: its own take, or once more the first."""
    return (0, PHOTOS[0]) if shot.fault == "duplicate" else (take, shot)


def caption(drawing: draw.Drawing) -> str:
    """What whoever took the photo would say of it: where, and nothing about the person."""
    return f"a photo of {{it}} {captions.background_words(drawing.words)}"


def write_captions(folder: Path, shots: Sequence[Shot], told: Sequence[str]) -> Path:
    """``captions.csv`` for photos numbered from 1, as `boothlab prepare` reads it."""
    rows = "".join(
        f"{file_name(take, shot)},{text}\n" for take, (shot, text) in enumerate(zip(shots, told, strict=True))
    )
    atomic.write(folder / "captions.csv", lambda target: target.write_text(f"file,caption\n{rows}", "utf-8"))
    return folder / "captions.csv"


def file_name(take: int, shot: Shot) -> str:
    """A photo's name, as a camera counts."""
    return f"IMG_{take + 1:04d}.{shot.kind}"


def _write_part(folder: Path, number: int, first: int, shots: Sequence[Shot]) -> list[Path]:
    paths = []
    for index, shot in enumerate(shots):
        take = first + index
        if shot.fault == "duplicate":
            original = photo(number, first, shots[0])
            picture = original.resize((shot.side, shot.side), Image.Resampling.LANCZOS)
        else:
            picture = photo(number, take, shot)
        paths.append(write_photo(folder, picture, shot, take))
    return paths


def write_photo(folder: Path, picture: Image.Image, shot: Shot, take: int) -> Path:
    """Write one file, named as a camera does."""
    path, data = folder / file_name(take, shot), encoded(picture, shot, take)
    atomic.write(path, lambda target: target.write_bytes(data))
    return path
