"""From a folder to a set: every file accounted for, screens with reasons, captions, references, memory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from boothlab.errors import PhotoError
from boothlab.photos.captions import read_words, template
from boothlab.photos.config import Photos, Screen
from boothlab.photos.measures import to_text
from boothlab.photos.photo import Photo
from boothlab.photos.photoset import read_set
from boothlab.photos.screening import choose_subjects, strangers
from boothlab.photos.variety import effective_number, variety
from boothlab.preparing import develop
from boothlab.preparing.prepare import prepare
from photos_made import made_photo

SIZE = 64


def scene(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A sharp picture like no other: coloured blocks."""
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(size, Image.Resampling.NEAREST)


def folder_of(path: Path, count: int, first: int = 0) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for index in range(first, first + count):
        scene(index).save(path / f"photo-{index:02d}.png")
    return path


def manifest(path: Path) -> dict:
    return json.loads((path / "manifest.json").read_text())


def files_of(path: Path) -> dict[str, bytes]:
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_every_file_is_accounted_for_and_the_source_is_untouched(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 3)
    (source / "zero.jpg").write_bytes(b"")
    (source / "paper.pdf").write_text("x")
    (source / "Thumbs.db").write_text("x")
    (source / "photo-01.txt").write_text("in the garden")
    (source / "inside").mkdir()
    scene(0).filter(ImageFilter.GaussianBlur(9)).save(source / "soft.png")
    scene(0).save(source / "twin.jpg", quality=92)
    before = files_of(source)
    made = prepare(source, tmp_path / "set", Photos(), SIZE)
    assert files_of(source) == before
    tree = manifest(made.path)
    named = {e["source"] for e in tree["photos"]} | {e["name"] for e in tree["rejected"]}
    named |= {e["name"] for e in tree["other_files"]}
    assert named == {path.name for path in source.iterdir()}
    assert {item.name: item.code for item in made.rejected} == {
        "zero.jpg": "empty",
        "paper.pdf": "no-picture",
        "inside": "folder",
        "soft.png": "blurred",
        "twin.jpg": "duplicate",
    }
    assert [photo.name for photo in made.photos] == ["photo-00.png", "photo-01.png", "photo-02.png"]
    assert made.photos[1].caption == "a photo of {it}, in the garden"
    assert read_set(made.path).content_hash == made.content_hash
    silent = prepare(source, tmp_path / "silent", Photos(captions="ignore"), SIZE)
    assert [photo.caption for photo in silent.photos] == [None] * 3
    fates = {entry["name"]: entry["fate"] for entry in manifest(silent.path)["other_files"]}
    assert 'not used (photos.captions = "ignore")' in fates.values()


def test_same_photos_same_plan_same_bytes_and_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder_of(tmp_path / "in", 9)
    first = prepare(source, tmp_path / "a", Photos(), SIZE)
    second = prepare(source, tmp_path / "b", Photos(), SIZE)
    assert files_of(first.path) == files_of(second.path)
    read: list[str] = []
    original = develop.read_photo
    monkeypatch.setattr(develop, "read_photo", lambda path, *rest: read.append(path.name) or original(path, *rest))
    again = prepare(source, tmp_path / "a", Photos(), SIZE)
    assert read == []
    assert files_of(again.path) == files_of(second.path)
    folder_of(source, 2, first=9)
    more = prepare(source, tmp_path / "c", Photos(), SIZE, earlier=[tmp_path / "a"])
    assert sorted(read) == ["photo-09.png", "photo-10.png"]
    assert files_of(more.path) == files_of(prepare(source, tmp_path / "d", Photos(), SIZE).path)


def test_a_photo_changed_in_place_is_prepared_anew(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 2)
    first = prepare(source, tmp_path / "set", Photos(), SIZE)
    scene(77).save(source / "photo-00.png")
    second = prepare(source, tmp_path / "set", Photos(), SIZE)
    assert first.content_hash != second.content_hash


def test_no_metadata_leaves(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    scene(1).save(source / "a.jpg", exif=exif, quality=95)
    made = prepare(source, tmp_path / "set", Photos(), SIZE)
    for name, data in files_of(made.path).items():
        assert b"SecretCamera" not in data, name
        assert b"Exif" not in data, name
    with Image.open(made.path / "000-a.png") as image:
        assert image.info == {}


def test_two_files_with_one_stem_do_not_collide(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    scene(1).save(source / "ada.jpg", quality=95)
    scene(2).save(source / "ada.png")
    made = prepare(source, tmp_path / "set", Photos(), SIZE)
    assert [photo.name for photo in made.photos] == ["ada.jpg", "ada.png"]
    assert {"000-ada.png", "001-ada.png"} <= set(files_of(made.path))
    (source / "ada.txt").write_text("whose?")
    with pytest.raises(PhotoError, match=r"ada\.jpg and ada\.png"):
        prepare(source, tmp_path / "set", Photos(), SIZE)


def test_keep_overrules_and_must_name_a_photo(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 1)
    scene(5).filter(ImageFilter.GaussianBlur(9)).save(source / "soft.png")
    assert len(prepare(source, tmp_path / "a", Photos(), SIZE).photos) == 1
    assert len(prepare(source, tmp_path / "b", Photos(keep=("soft.png",)), SIZE).photos) == 2
    assert len(prepare(source, tmp_path / "c", Photos(screen=Screen(enabled=False)), SIZE).photos) == 2
    with pytest.raises(PhotoError, match=r"gone\.png"):
        prepare(source, tmp_path / "d", Photos(keep=("gone.png",)), SIZE)


def test_references_are_held_out_and_win_over_their_copies(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 4)
    others = folder_of(tmp_path / "ref", 3, first=20)
    scene(20).save(source / "leak.png")
    made = prepare(source, tmp_path / "set", Photos(references=others), SIZE)
    assert made.held_out_names == {f"references/photo-{i}.png" for i in (20, 21, 22)}
    assert len(made.train) == 4
    assert [item.name for item in made.rejected] == ["leak.png"]


@pytest.mark.parametrize(("count", "held"), [(7, 0), (8, 3), (13, 3), (16, 4)])
def test_split(tmp_path: Path, count: int, held: int) -> None:
    source = folder_of(tmp_path / "in", count)
    made = prepare(source, tmp_path / "set", Photos(), SIZE)
    assert len(made.held_out) == held
    for path in sorted(source.iterdir()):
        path.rename(source / f"renamed-{path.name}")
    renamed = prepare(source, tmp_path / "again", Photos(), SIZE)
    assert {p.source_hash for p in renamed.held_out} == {p.source_hash for p in made.held_out}


def test_captions_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "captions.csv"
    table.write_text('file,caption\na.jpg,"{it} at sea, smiling"\nb.jpg,in the rain\nc.jpg,\n')
    words = read_words([table], [tmp_path / "a.jpg", tmp_path / "b.jpg", tmp_path / "c.jpg"])
    assert words.captions == {"a.jpg": "{it} at sea, smiling", "b.jpg": "a photo of {it}, in the rain"}
    table.write_text("one,two\n1,2\n")
    with pytest.raises(PhotoError, match="one, two"):
        read_words([table], [tmp_path / "a.jpg"])
    assert template("  a\n b ") == "a photo of {it}, a b"


def person(name: str, *identities: np.ndarray) -> Photo:
    faces = [{"identity": to_text(vector), "head": [0, 0, 9, 9], "box": [0, 0, 9, 9]} for vector in identities]
    return Photo(name, np.zeros((9, 9, 3), np.uint8), name, seen={"faces": faces, "subject": 0})


def test_strangers_and_the_right_face_among_several() -> None:
    random = np.random.default_rng(0)
    ada, bob = random.normal(0, 0.11, (2, 128))
    photos = [person(f"ada-{i}", ada + random.normal(0, 0.01, 128)) for i in range(5)]
    assert strangers(photos, 0.6) == []
    found = strangers([*photos, person("bob", bob)], 0.6)
    assert [(item.name, item.code) for item in found] == [("bob", "stranger")]
    assert strangers([person("a", ada), person("b", bob)], 0.6) == []
    assert choose_subjects([*photos, person("both", bob, ada)], 0.6) == {"both": 1}


def test_worth_counts_different_photos() -> None:
    assert effective_number(np.eye(7)) == pytest.approx(7)
    same = [Photo(f"{i}", np.asarray(scene(1, (SIZE, SIZE))), f"{i}") for i in range(6)]
    other = [Photo(f"{i}", np.asarray(scene(i, (SIZE, SIZE))), f"{i}") for i in range(6)]
    assert variety(same, people=False).worth == pytest.approx(1.0, abs=0.01)
    assert set(variety(same, people=False).shared) == {"light", "colours", "layout"}
    assert variety(other, people=False).worth > 2
    assert variety(same, people=False).next


def test_made_photos_of_other_tests_are_all_kept(photos: Path, tmp_path: Path) -> None:
    assert len(prepare(photos, tmp_path / "set", Photos(), SIZE).photos) == 5
    assert made_photo(0).size == (96, 80)


def test_framing_is_short_for_the_first_step() -> None:
    assert [step.kind for step in Photos(framing="letterbox").steps_for("head")] == ["letterbox", "resize"]
    assert [step.kind for step in Photos().steps_for("smart")] == ["smart", "resize"]
    with pytest.raises(ValueError, match="one of the two"):
        Photos(framing="head", steps=())
