"""Framing: the head stays inside (trap D9), nothing is guessed (D7), one right resize (D8)."""

from __future__ import annotations

import shlex
from dataclasses import replace

import numpy as np
import pytest

from boothlab.photos.photo import Photo, Rejected, moved_seen
from boothlab.photos.screening import no_face
from boothlab.photos.steps import Head, Letterbox, Resize, Smart, Spotlight, Step

SHAPES = {"3:4": (600, 800), "9:16": (450, 800), "16:9": (800, 450), "1:1": (500, 500)}


def face(x: float, y: float, tall: float) -> dict[str, object]:
    """A face whose head box is centred at (x, y), ``tall`` high."""
    head = [x - 0.38 * tall, y - tall / 2, x + 0.38 * tall, y + tall / 2]
    box = [x - 0.28 * tall, y - 0.2 * tall, x + 0.28 * tall, y + 0.4 * tall]
    points = [[x - 0.14 * tall, y], [x + 0.14 * tall, y], [x, y + 0.15 * tall]]
    points += [[x - 0.1 * tall, y + 0.3 * tall], [x + 0.1 * tall, y + 0.3 * tall]]
    return {"head": head, "box": box, "points": points, "roll": 0.0, "yaw": 0.0, "pitch": 0.0}


def photo(size: tuple[int, int], *faces: dict[str, object]) -> Photo:
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    for item in faces:
        x0, y0, x1, y1 = (max(0, int(v)) for v in item["head"])  # type: ignore[attr-defined]
        pixels[y0:y1, x0:x1] = 200
    seen = {"faces": list(faces), "subject": 0 if faces else None}
    return Photo("ada.jpg", pixels, "0" * 64, seen=seen)


def framed(step: Step, given: Photo) -> Photo:
    result = step.apply(given, 512)
    assert isinstance(result, Photo), result
    return result


@pytest.mark.parametrize("step", [Head(), Head(above=0.0, below=0.0), Smart()], ids=["head", "tight", "smart"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("where", [(0.5, 0.4), (0.05, 0.1), (0.97, 0.95), (0.5, 0.02)])
@pytest.mark.parametrize("tall", [0.15, 0.5, 0.95, 1.6])
def test_the_whole_head_stays_inside(step: Step, shape: str, where: tuple[float, float], tall: float) -> None:
    width, height = SHAPES[shape]
    given = photo((width, height), face(where[0] * width, where[1] * height, tall * min(width, height)))
    result = framed(step, given)
    assert result.size[0] == result.size[1]
    counted = np.ones(result.pixels.shape[:2], bool) if result.mask is None else result.mask > 0
    visible = int((given.pixels[..., 0] == 200).sum())
    assert int(((result.pixels[..., 0] == 200) & counted).sum()) == visible


def test_boxes_follow_the_pixels_through_all_steps() -> None:
    given = photo((900, 600), face(700, 200, 180))
    result = framed(Resize(), framed(Head(), given))
    x0, y0, x1, y1 = (round(v) for v in result.seen["faces"][0]["head"])
    assert (result.pixels[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2] > 150).all()
    assert result.size == (512, 512)


def test_mirrored_and_turned_photos_are_framed_alike() -> None:
    left = framed(Head(), photo((900, 600), face(250, 300, 180)))
    right = framed(Head(), photo((900, 600), face(650, 300, 180)))
    a, b = left.trail[-1].numbers["box"], right.trail[-1].numbers["box"]
    assert abs((900 - b[2]) - a[0]) <= 1
    assert a[1] == b[1]


def test_without_a_face_head_says_so_and_never_guesses() -> None:
    result = Head().apply(replace(photo((300, 300)), name="my photo.png"), 64)
    assert isinstance(result, Rejected)
    assert result.code == "no-face"
    assert """--keep 'my photo.png' (photos.keep = ["my photo.png"])""" in result.hint, "train has no --keep"


def test_what_screening_set_aside_can_be_kept_by_a_plan_too() -> None:
    hint = no_face(replace(photo((300, 300)), name="Ada's photo.png")).hint
    assert shlex.split(hint.partition("--keep ")[2].partition(" (")[0]) == ["Ada's photo.png"]
    assert hint.endswith("""(photos.keep = ["Ada's photo.png"])""")


def test_second_person_is_left_outside_or_the_photo_set_aside() -> None:
    apart = framed(Head(), photo((1000, 600), face(300, 250, 200), face(560, 250, 180)))
    x0, _, x1, _ = apart.trail[-1].numbers["box"]
    other = photo((1000, 600), face(560, 250, 180)).seen["faces"][0]["box"]
    assert max(0.0, min(x1, other[2]) - max(x0, other[0])) < 0.1 * (other[2] - other[0]) + 1
    close = Head().apply(photo((1000, 600), face(300, 250, 200), face(390, 250, 190)), 512)
    assert isinstance(close, Rejected)
    assert close.code == "second-person"
    assert isinstance(
        Head(alone=False).apply(photo((1000, 600), face(300, 250, 200), face(390, 250, 190)), 512), Photo
    )


def leaning(size: tuple[int, int], tall: float, roll: float) -> Photo:
    """A photo with an elliptic head in its middle that leans by ``roll``, seen as the readers of faces see it."""
    straight = photo(size, face(size[0] / 2, size[1] / 2, tall))
    cos, sin = float(np.cos(np.radians(roll))), float(np.sin(np.radians(roll)))
    x, y = size[0] / 2, size[1] / 2
    seen = moved_seen(straight.seen, (cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos))
    wide, tall = 0.38 * tall, 0.5 * tall
    reach_x, reach_y = np.hypot(wide * cos, tall * sin), np.hypot(wide * sin, tall * cos)
    head = [float(value) for value in (x - reach_x, y - reach_y, x + reach_x, y + reach_y)]
    return replace(straight, seen={**seen, "faces": [{**seen["faces"][0], "roll": roll, "head": head}]})


def test_level_turns_the_eyes_to_one_height() -> None:
    result = framed(Head(level=True), leaning((800, 800), 250, 20))
    points = result.seen["faces"][0]["points"]
    assert abs(points[0][1] - points[1][1]) < 1
    assert points[0][0] < points[1][0]


@pytest.mark.parametrize("roll", [0, 8, 20, -33, 44, 45, -52, 70, 90])
def test_a_levelled_head_is_as_large_as_one_that_never_leaned(roll: float) -> None:
    """The corners of its leaning box, turned, made the crop larger and so the head up to a quarter smaller."""
    upright, level = (
        framed(Head(), leaning((900, 900), 250, 0)),
        framed(Head(level=True), leaning((900, 900), 250, roll)),
    )
    heads = [np.diff(np.reshape(one.seen["faces"][0]["head"], (2, 2)), axis=0)[0] for one in (upright, level)]
    assert heads[1] == pytest.approx(heads[0], rel=0.02)
    assert level.size[0] == pytest.approx(upright.size[0], rel=0.02)


def test_shrinking_does_not_alias_and_enlarging_has_a_limit() -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    small = framed(Resize(), Photo("a", stripes, "0")).pixels
    assert small.shape == (512, 512, 3)
    tiny = Resize().apply(Photo("a", stripes, "0"), 64)
    assert isinstance(tiny, Photo)
    assert np.abs(tiny.pixels.astype(int) - 127).max() <= 12
    refused = Resize().apply(Photo("a", stripes[:50, :50], "0"), 512)
    assert isinstance(refused, Rejected)
    assert "10.2 times" in refused.reason


def test_letterbox_borders_do_not_count() -> None:
    result = framed(Letterbox(), photo((300, 200), face(150, 100, 100)))
    assert result.mask is not None
    assert (result.mask[:50] == 0).all()
    assert (result.mask[50:250] == 255).all()
    assert result.seen["faces"][0]["head"][1] == 100.0


def test_a_spotlight_counts_the_head_fully_and_the_rest_by_its_part() -> None:
    given = photo((200, 160), face(90, 80, 60))
    result = framed(Spotlight(outside=0.2, margin=0.1), given)
    assert result.mask is not None
    assert np.array_equal(result.pixels, given.pixels)
    left, top, right, bottom = result.trail[-1].numbers["box"]
    assert (left, top, right, bottom) == (90 - 23 - 6, 80 - 30 - 6, 90 + 23 + 6, 80 + 30 + 6)
    assert (result.mask[top:bottom, left:right] == 255).all()
    assert sorted(np.unique(result.mask).tolist()) == [51, 255]
    assert int((result.mask == 255).sum()) == (right - left) * (bottom - top)


def test_a_spotlight_keeps_out_what_was_out_and_counts_all_of_a_photo_without_a_face() -> None:
    given = photo((100, 100), face(50, 50, 40))
    out = np.full((100, 100), 255, np.uint8)
    out[:, :50] = 0
    result = framed(Spotlight(outside=0.5), replace(given, mask=out))
    assert result.mask is not None
    assert (result.mask[:, :50] == 0).all()
    assert sorted(np.unique(result.mask[:, 50:]).tolist()) == [128, 255]
    assert framed(Spotlight(), photo((100, 100))).mask is None


def test_a_spotlight_at_the_edge_stays_inside_the_photo() -> None:
    result = framed(Spotlight(outside=0.0, margin=0.5), photo((100, 80), face(5, 5, 60)))
    assert result.mask is not None
    assert result.trail[-1].numbers["box"][:2] == [0, 0]
    assert 0 < int((result.mask == 255).sum()) < 100 * 80
