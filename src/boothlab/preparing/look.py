"""Look at a photo: faces, who they are, sharpness, light. Fills ``seen``; decides nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from boothlab.features.faces import Box, Face, FaceReader
from boothlab.photos.measures import light, patch, region, sharpness, to_text
from boothlab.photos.photo import Photo, Pixels

MOST_FACES = 8
"""More faces are not measured: such a photo is a crowd, not a portrait."""

MOST_IDENTITIES = 3
"""The largest faces are told apart; each takes about 0.09 s."""

SMALLEST_IDENTITY_PX = 24
"""Below this side of a face its identity is noise."""

PICTURE_SIDE = 1024
"""The whole picture is judged on a copy shrunk by a whole number to a longer side just above this."""


def look(photo: Photo, reader: FaceReader | None) -> Photo:
    """``photo`` with everything that is seen in it; without a reader nobody looks for faces."""
    thin, factor = smaller(photo)
    faces = [_enlarged(face, factor) for face in reader.find(thin)[:MOST_FACES]] if reader is not None else []
    found = [_described(photo, face, reader if index < MOST_IDENTITIES else None) for index, face in enumerate(faces)]
    seen: dict[str, Any] = {
        "size": list(photo.size),
        "sharpness": round(sharpness(thin), 4),
        "light": light(thin),
        "patch": patch(thin),
        "faces": found,
        "subject": 0 if found else None,
    }
    return replace(photo, seen=seen)


def smaller(photo: Photo) -> tuple[Pixels, int]:
    """The photo's pixels shrunk by a whole number, and that number: faces and light are found just as well there."""
    factor = max(1, max(photo.size) // PICTURE_SIDE)
    if factor == 1:
        return photo.pixels, 1
    return np.asarray(Image.fromarray(photo.pixels).reduce(factor)), factor


def _enlarged(face: Face, factor: int) -> Face:
    def larger(box: Box) -> Box:
        return box[0] * factor, box[1] * factor, box[2] * factor, box[3] * factor

    return replace(face, box=larger(face.box), head=larger(face.head), points=face.points * np.float32(factor))


def _described(photo: Photo, face: Face, reader: FaceReader | None) -> dict[str, Any]:
    side = face.box[2] - face.box[0]
    inside = region(photo.pixels, face.box)
    identity = None
    if reader is not None and side >= SMALLEST_IDENTITY_PX:
        identity = to_text(reader.identify(photo.pixels, face))
    return {
        "box": [round(value, 2) for value in face.box],
        "head": [round(value, 2) for value in face.head],
        "points": [[round(float(x), 2), round(float(y), 2)] for x, y in face.points],
        "roll": round(face.roll, 1),
        "yaw": round(face.yaw, 1),
        "pitch": round(face.pitch, 1),
        "score": round(face.score, 4),
        "detector": face.detector,
        "pixels": round(side),
        "sharpness": round(sharpness(inside), 4),
        "light": light(inside),
        "patch": patch(region(photo.pixels, face.head)),
        "identity": identity,
    }
