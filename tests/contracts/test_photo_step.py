"""What every photo step promises. A new line in ``photos/steps/__init__.py`` is all it takes to be tested here."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from boothlab.photos.photo import Photo, Rejected, Trace
from boothlab.photos.steps import STEPS
from boothlab.photos.steps.step import Step
from photos_made import made_photo

SIZE = 64


@pytest.fixture(params=STEPS, ids=lambda kind: str(kind.model_fields["kind"].default))
def step(request: pytest.FixtureRequest) -> Step:
    """Every step with its defaults."""
    kind: type[Step] = request.param
    return kind()


def face_in(width: int, height: int) -> dict[str, object]:
    """What looking at a photo finds: one face in the middle, a third of the shorter side high."""
    x, y, r = width / 2, height / 2, min(width, height) / 6
    points = [[x - r / 2, y - r / 3], [x + r / 2, y - r / 3], [x, y], [x - r / 3, y + r / 2], [x + r / 3, y + r / 2]]
    face = {"box": [x - r, y - r, x + r, y + r], "head": [x - r, y - 1.5 * r, x + r, y + r], "points": points}
    return {"faces": [{**face, "roll": 0.0, "yaw": 0.0, "score": 1.0}], "subject": 0}


def photo_of(pixels: np.ndarray, mask: np.ndarray | None = None, faces: bool = True) -> Photo:
    """A photo that nobody can write to."""
    pixels.setflags(write=False)
    if mask is not None:
        mask.setflags(write=False)
    trail = (Trace("read", {"format": "PNG"}),)
    seen = face_in(pixels.shape[1], pixels.shape[0]) if faces else {}
    return Photo("ada.png", pixels, "0" * 64, mask, "a caption", trail, seen)


def colours(width: int, height: int) -> np.ndarray:
    return np.asarray(made_photo(1, (width, height))).copy()


def masked(width: int, height: int) -> Photo:
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height - height // 4, width // 4 : width - width // 4] = 255
    return photo_of(colours(width, height), mask)


def grey(width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(colours(width, height)).convert("L").convert("RGB")).copy()


CASES = {
    "landscape": lambda: photo_of(colours(120, 80)),
    "portrait": lambda: photo_of(colours(81, 120)),
    "square": lambda: photo_of(colours(64, 64)),
    "1x1": lambda: photo_of(np.full((1, 1, 3), 7, np.uint8)),
    "1x500": lambda: photo_of(np.full((500, 1, 3), 7, np.uint8)),
    "20MP": lambda: photo_of(np.resize(colours(200, 100), (4000, 5000, 3))),
    "grey": lambda: photo_of(grey(100, 90)),
    "masked": lambda: masked(120, 80),
    "nobody in it": lambda: photo_of(colours(120, 80), faces=False),
    "nothing left of the mask": lambda: photo_of(colours(90, 70), np.zeros((70, 90), np.uint8)),
}


@pytest.mark.parametrize("case", CASES)
def test_survives_or_says_why_not(step: Step, case: str) -> None:
    photo = CASES[case]()
    before, mask_before = photo.pixels.copy(), None if photo.mask is None else photo.mask.copy()
    result = step.apply(photo, SIZE)
    np.testing.assert_array_equal(photo.pixels, before)
    if mask_before is not None:
        np.testing.assert_array_equal(photo.mask, mask_before)
    assert len(photo.trail) == 1
    if isinstance(result, Rejected):
        assert result.name == photo.name
        assert result.source_hash == photo.source_hash
        assert result.trail == photo.trail
        assert result.code
        assert result.code == result.code.lower().replace(" ", "-")
        assert len(result.reason) > 10
        assert result.hint, "what is set aside comes with a remedy"
        return
    check_photo(step, photo, result)


def check_photo(step: Step, photo: Photo, result: Photo) -> None:
    assert result.pixels.dtype == np.uint8
    assert result.pixels.shape[2] == 3
    assert min(result.size) >= 1
    if photo.mask is not None:
        assert result.mask is not None, "a mask must not get lost"
    if result.mask is not None:
        assert result.mask.shape == result.pixels.shape[:2]
        assert result.mask.dtype == np.uint8
    assert result.trail[:-1] == photo.trail
    assert result.trail[-1].step == step.kind
    assert result.trail[-1].numbers, "the trail says what was done, in numbers"
    assert (result.name, result.source_hash, result.caption) == (photo.name, photo.source_hash, photo.caption)
    if not step.moves:
        np.testing.assert_array_equal(result.pixels, photo.pixels, "it comes behind the resize, so it must not cut")


@pytest.mark.parametrize("case", ["landscape", "masked", "grey"])
def test_is_a_pure_function(step: Step, case: str) -> None:
    first, second = step.apply(CASES[case](), SIZE), step.apply(CASES[case](), SIZE)
    assert isinstance(first, Photo) == isinstance(second, Photo)
    if isinstance(first, Photo) and isinstance(second, Photo):
        np.testing.assert_array_equal(first.pixels, second.pixels)
        assert first.trail == second.trail
        assert (first.mask is None) == (second.mask is None)
        if first.mask is not None:
            np.testing.assert_array_equal(first.mask, second.mask)


def test_mask_and_pixels_move_together(step: Step) -> None:
    """A picture that is its own mask stays its own mask, wherever the step puts it."""
    mask = np.zeros((90, 120), np.uint8)
    mask[20:70, 40:100] = 255
    result = step.apply(photo_of(np.repeat(mask[..., None], 3, axis=2).copy(), mask), SIZE)
    assert isinstance(result, Photo)
    assert result.mask is not None
    counted = result.mask >= 250
    inner = result.pixels[..., 0][counted].astype(float)
    assert counted.any()
    assert np.mean(inner > 200) > 0.9


def test_grey_stays_grey(step: Step) -> None:
    result = step.apply(CASES["grey"](), SIZE)
    assert isinstance(result, Photo)
    assert (np.ptp(result.pixels.astype(int), axis=2) <= 1).all()


def test_trail_is_plain_json(step: Step) -> None:
    import json

    result = step.apply(CASES["masked"](), SIZE)
    assert isinstance(result, Photo)
    numbers = result.trail[-1].numbers
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers


def test_can_be_written_in_a_plan(step: Step) -> None:
    from boothlab.config.load import validate
    from boothlab.photos.config import Photos

    tree = step.model_dump(mode="json")
    assert validate(Photos, {"steps": [tree]}, "plan").steps == (step,)
    assert type(step).__doc__
