"""Faces in real photographs that packages bring along: found, framed alike however the file came."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from boothlab.features import mtcnn
from boothlab.features.faces import reader_for
from boothlab.features.pose import MODEL_MM, pose
from boothlab.photos.config import Photos
from boothlab.photos.photo import Photo
from boothlab.photos.read import UNDO
from boothlab.photos.steps import Head
from boothlab.preparing.look import look
from boothlab.preparing.prepare import prepare


def astronaut() -> Image.Image:
    data = pytest.importorskip("skimage.data")
    return Image.fromarray(data.astronaut())


def hopper() -> Image.Image:
    matplotlib = pytest.importorskip("matplotlib")
    with Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg") as image:
        return image.convert("RGB")


PICTURES = {"astronaut": astronaut, "hopper": hopper}


def seen(image: Image.Image) -> Photo:
    return look(Photo("a.jpg", np.array(image), "0"), reader_for("photographs"))


def crop(image: Image.Image) -> list[int]:
    result = Head().apply(seen(image), 512)
    assert isinstance(result, Photo), result
    return [int(value) for value in result.trail[-1].numbers["box"]]


@pytest.mark.parametrize("name", PICTURES)
def test_one_face_each_and_the_same_person_mirrored(name: str) -> None:
    image = PICTURES[name]()
    reader = reader_for("photographs")
    pixels, mirrored = np.array(image), np.array(image)[:, ::-1].copy()
    (face,), (other,) = reader.find(pixels), reader.find(mirrored)
    assert abs(face.yaw + other.yaw) < 2
    assert abs(face.roll + other.roll) < 2
    assert np.linalg.norm(reader.identify(pixels, face) - reader.identify(mirrored, other)) < 0.4


def test_two_people_are_two() -> None:
    reader = reader_for("photographs")
    first, second = np.array(astronaut()), np.array(hopper())
    distance = reader.identify(first, reader.find(first)[0]) - reader.identify(second, reader.find(second)[0])
    assert np.linalg.norm(distance) > reader.same_person


@pytest.mark.parametrize("name", PICTURES)
def test_encoding_and_mirroring_hardly_move_the_crop(name: str) -> None:
    image = PICTURES[name]()
    x0, y0, x1, y1 = crop(image)
    side = x1 - x0
    for quality in (90, 60, 30):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        again = crop(Image.open(buffer).convert("RGB"))
        assert max(abs(a - b) for a, b in zip(again, (x0, y0, x1, y1), strict=True)) <= 0.02 * side
    left, top, right, bottom = crop(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    moved = (image.width - right, top, image.width - left, bottom)
    assert max(abs(a - b) for a, b in zip(moved, (x0, y0, x1, y1), strict=True)) <= 0.05 * side


def test_exif_rotation_does_not_move_the_crop(tmp_path: Path) -> None:
    image = astronaut()
    boxes, pixels = set(), []
    for tag in (1, 3, 6, 8):
        source = tmp_path / f"in-{tag}"
        source.mkdir()
        exif = Image.Exif()
        exif[0x0112] = tag
        stored = image if tag == 1 else image.transpose(UNDO[tag])
        stored.save(source / "a.png", exif=exif)
        made = prepare(source, tmp_path / f"set-{tag}", Photos(), 256)
        boxes.add(tuple(next(t.numbers["box"] for t in made.photos[0].trail if t.step == "head")))
        pixels.append(made.photos[0].pixels)
    assert len(boxes) == 1
    assert all(np.array_equal(pixels[0], other) for other in pixels[1:])


@pytest.mark.parametrize("shape", [(3, 4), (9, 16), (16, 9)])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_the_head_is_inside_for_every_shape_and_place(shape: tuple[int, int], place: float) -> None:
    image = astronaut().crop((140, 0, 310, 200))  # head and shoulders, 170 x 200 px
    width, height = (600 * shape[0] // max(shape), 600 * shape[1] // max(shape))
    whole = Image.new("RGB", (max(width, 200), max(height, 220)), (120, 130, 140))
    whole.paste(image, (round(place * (whole.width - 170)), round(place * (whole.height - 200))))
    photo = seen(whole)
    assert photo.subject is not None
    x0, y0, x1, y1 = crop(whole)
    head = photo.subject["head"]
    assert x0 <= max(head[0], 0)
    assert y0 <= max(head[1], 0)
    assert x1 >= min(head[2], whole.width)
    assert y1 >= min(head[3], whole.height)


def test_leaning_heads_are_found_and_their_roll_is_right() -> None:
    image = astronaut()
    upright = seen(image).subject
    for angle in (-30, 30):
        leaning = seen(image.rotate(-angle, Image.Resampling.BICUBIC, center=(223, 110))).subject
        assert upright is not None
        assert leaning is not None
        assert abs(leaning["roll"] - upright["roll"] - angle) < 6


def test_pose_of_the_model_itself() -> None:
    yaw, roll = np.radians(35), np.radians(-20)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    lean = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    points = (MODEL_MM @ (lean @ turn).T)[:, :2] * 2.5 + 300
    assert np.allclose(pose(points), (-20, 35, 0), atol=0.1)


def test_nothing_in_pictures_without_faces() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    assert reader_for("photographs").find(noise) == []
    assert reader_for("photographs").find(np.full((1, 1, 3), 9, np.uint8)) == []
    assert len(mtcnn.suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5)) == 0
