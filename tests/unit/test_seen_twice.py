"""What is held out is not trained on, in no version, whatever is screened and whatever is to be kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from boothlab.errors import PhotoError
from boothlab.photos.config import Photos, Screen
from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.photoset import PhotoSet
from boothlab.photos.read import read_photo
from boothlab.photos.screening import choose_subjects, duplicates
from boothlab.preparing import prepare as room
from boothlab.preparing.prepare import looks_for_faces, prepare
from photos_made import photo_folder


def settings(**changes: Any) -> Photos:
    own = {"domain": "drawings", "screen": Screen(faces="ignored", enabled=False), "framing": "letterbox"}
    return Photos(**{**own, **changes})


def made(folder: Path, **changes: Any) -> PhotoSet:
    return prepare(folder / "photos", folder / "set", settings(**changes), 64)


def content(found: PhotoSet) -> tuple[set[str], set[str]]:
    return {photo.source_hash for photo in found.train}, {photo.source_hash for photo in found.held_out}


@pytest.mark.parametrize("seed", range(6))
def test_copies_of_a_photo_are_held_out_together(tmp_path: Path, seed: int) -> None:
    """With screening off nothing is set aside: one of two equal files was held out, and the other trained on."""
    photo_folder(tmp_path / "photos", 9, size=(72, 64))
    for name in sorted(path.name for path in (tmp_path / "photos").iterdir())[:4]:
        shutil.copy(tmp_path / "photos" / name, tmp_path / "photos" / f"copy-{name}")
    found = made(tmp_path, split_seed=seed)
    train, held = content(found)
    assert len(found.photos) == 13
    assert not train & held
    assert len(held) == 3, "of nine pictures"


@pytest.mark.parametrize("screen", [Screen(faces="ignored"), Screen(faces="ignored", enabled=False)])
@pytest.mark.parametrize("keep", [(), ("photo-00.png",)])
def test_a_photo_that_is_a_reference_too_is_never_trained_on(
    tmp_path: Path, screen: Screen, keep: tuple[str, ...]
) -> None:
    photo_folder(tmp_path / "photos", 6, size=(72, 64))
    (tmp_path / "more").mkdir()
    shutil.copy(tmp_path / "photos" / "photo-00.png", tmp_path / "more" / "other-name.png")
    found = made(tmp_path, references=tmp_path / "more", screen=screen, keep=keep)
    train, held = content(found)
    assert len(held) == 1
    assert not train & held
    (aside,) = [one for one in found.rejected if one.name == "photo-00.png"]
    assert "is nearly the same as references/other-name.png, which is held out" in aside.reason


def test_too_few_pictures_hold_none_out_however_many_copies_there_are(tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 4, size=(72, 64))
    for name in sorted(path.name for path in (tmp_path / "photos").iterdir()):
        for copy in "abc":
            shutil.copy(tmp_path / "photos" / name, tmp_path / "photos" / f"{copy}-{name}")
    assert made(tmp_path).held_out == ()


def seen(name: str, pixels: int, sharpness: float, patch: str, **more: Any) -> Photo:
    face = {"pixels": pixels, "sharpness": sharpness, "patch": patch, **more}
    facts = {"subject": 0, "faces": [face], "size": [512, 512], "sharpness": sharpness, "patch": patch}
    return Photo(name=name, pixels=np.zeros((8, 8, 3), np.uint8), source_hash=name, seen=facts)


def test_a_pixel_more_of_face_does_not_beat_a_sharper_photo(tmp_path: Path) -> None:
    """A soft copy won by 427 against 426 pixels of detected face."""
    patch = read_patch(tmp_path)
    soft, sharp = seen("soft", 427, 0.51, patch), seen("sharp", 426, 0.65, patch)
    (aside,) = duplicates([soft, sharp], 0.97, frozenset())
    assert aside.name == "soft"
    assert "sharper (0.65 against 0.51)" in aside.reason
    large = seen("large", 600, 0.51, patch)
    (aside,) = duplicates([large, sharp], 0.97, frozenset())
    assert aside.name == "sharp"
    assert "larger (600 against 426 px)" in aside.reason


def read_patch(folder: Path) -> str:
    """What the photo doctor keeps of a picture to compare it by."""
    photo_folder(folder / "photos", 1, size=(72, 64))
    found = prepare(folder / "photos", folder / "set", settings(), 64)
    return str(found.photos[0].seen["patch"])


def test_the_right_face_is_tried_where_the_largest_is_at_fault() -> None:
    """A friend in front who looks away set the whole photo aside."""
    from boothlab.photos.measures import to_text

    def face(x: float) -> dict[str, Any]:
        return {"identity": to_text(np.array([x, 0.0], np.float32))}

    def of(name: str, *faces: float) -> dict[str, Any]:
        return {"name": name, "source_hash": name, "seen": {"subject": 0, "faces": [face(x) for x in faces]}}

    pixels = np.zeros((8, 8, 3), np.uint8)
    alone = [Photo(pixels=pixels, **of(f"alone-{k}", 0.0)) for k in range(4)]
    group = of("group", 5.0, 0.1)
    aside = Rejected(
        group["name"], "turned", "has the face turned too far", "", group["source_hash"], (), group["seen"]
    )
    assert choose_subjects([*alone, aside], 1.0) == {"group": 1}
    others = [Rejected(f"r{k}", "dark", "", "", f"r{k}", (), of("x", 9.0)["seen"]) for k in range(9)]
    assert choose_subjects([*alone, aside, *others], 1.0) == {"group": 1}, (
        "who is set aside is compared with by nobody"
    )


def test_without_a_reader_of_faces_it_is_another_preparation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set that was prepared while the reader was missing was served for good."""
    own = Photos(domain="drawings")
    with_faces = looks_for_faces(own)
    assert with_faces
    assert looks_for_faces(settings()) == ""
    reader = type(room.reader_for("drawings"))
    monkeypatch.setattr(reader, "missing", lambda self: "its weights are not here")
    assert looks_for_faces(own) == ""


def test_resize_does_not_squash(tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 3, size=(72, 64))
    with pytest.raises(PhotoError, match="72×64 pixels, which it would squash"):
        made(tmp_path, framing="auto", steps=({"kind": "resize"},))
    assert made(tmp_path, framing="auto", steps=({"kind": "letterbox"}, {"kind": "resize"})).photos[0].size == (
        64,
        64,
    )


def test_a_profile_is_named_only_where_its_name_is_nobodys(tmp_path: Path) -> None:
    """Whoever calibrates a screen often calls the profile after himself."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    named = plain.replace("sRGB built-in".encode("utf-16-be"), "Ann Smith Mac".encode("utf-16-be"))
    assert named != plain
    Image.new("RGB", (16, 16), (200, 40, 40)).save(tmp_path / "a.png", icc_profile=named)
    photo = read_photo(tmp_path / "a.png")
    assert isinstance(photo, Photo)
    assert "Ann" not in str(photo.trail)
    assert "converted to sRGB" in str(photo.trail)
