"""From a folder to a set: every file accounted for, screens with reasons, captions, references, memory."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from boothlab.api.remarks import lost_captions
from boothlab.api.resolving import contents_of, photo_set
from boothlab.api.studies.pools import fill_folder
from boothlab.assets import asset
from boothlab.cli.main import main
from boothlab.errors import PhotoError
from boothlab.files import new_folder, sha256_json
from boothlab.photos.captions import read_words, template, without_photo
from boothlab.photos.config import Photos, Screen
from boothlab.photos.folder import list_folder
from boothlab.photos.measures import to_text
from boothlab.photos.photo import Photo
from boothlab.photos.photoset import is_photo_set, read_set
from boothlab.photos.screening import choose_subjects, strangers
from boothlab.photos.steps import Head, Resize, Smart, Spotlight
from boothlab.photos.variety import effective_number, variety
from boothlab.preparing import develop
from boothlab.preparing.prepare import prepare
from boothlab.preparing.sheet import _kept_card
from photos_made import made_photo, photo_folder

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


@pytest.mark.parametrize("there", ["nothing", "what is set aside", "a folder", "a folder of the system"])
def test_references_without_a_usable_photo_are_refused(there: str, tmp_path: Path) -> None:
    """They took the place of the split: nothing was held out, and it was advised to give references."""
    source, others = folder_of(tmp_path / "in", 10), tmp_path / "ref"
    others.mkdir()
    if there in ("what is set aside", "a folder of the system"):
        (others / "broken.jpg").write_bytes(b"\xff\xd8\xff and no more")
    if there == "a folder":
        folder_of(others / "2024", 4, first=20)
    elif there == "a folder of the system":
        (others / "@eaDir").mkdir()
    with pytest.raises(PhotoError, match="ref; it has no usable photo, so nothing would be held out"):
        prepare(source, tmp_path / "set", Photos(references=others), SIZE)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(("words", "said"), [("with {name} on a hill", "{name}"), ("{ it } standing", "{ it }")])
def test_captions_say_no_word_in_braces_that_nothing_stands_for(words: str, said: str, tmp_path: Path) -> None:
    """The model was shown the braces."""
    source = folder_of(tmp_path / "in", 4)
    (source / "photo-00.txt").write_text(words)
    with pytest.raises(PhotoError, match="The caption of photo-00.png: ") as caught:
        prepare(source, tmp_path / "set", Photos(), SIZE)
    assert f"says {said}; {{it}} is the only word" in caught.value.message


def test_captions_that_no_photo_has_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names without endings: every photo went without its caption, and only the manifest knew."""
    source = folder_of(tmp_path / "in", 4)
    (source / "captions.csv").write_text("file,caption\nphoto-00,at sea\nphoto-01,at home\n")
    made = prepare(source, tmp_path / "set", Photos(), SIZE)
    (said,) = lost_captions({"ada": made})
    assert said == (
        "captions.csv of ada: captions of 0 photos; photo-00, photo-01 not among the photos (photo-00 means "
        "photo-00.png?) Photos are named in full there, with their endings."
    )
    monkeypatch.setattr(
        "sys.argv", ["boothlab", "prepare", str(source), "--out", str(tmp_path / "told"), "--size", "64"]
    )
    assert main() == 0
    assert "captions.csv: captions of 0 photos; photo-00, photo-01 not among the photos" in capsys.readouterr().out
    for number, name in enumerate(["PHOTO-02.PNG", "in/photo-02.png"]):
        (source / "captions.csv").write_text(f"file,caption\nphoto-00.png,at sea\n{name},at home\n")
        (said,) = lost_captions({"ada": prepare(source, tmp_path / f"again-{number}", Photos(), SIZE)})
        assert f"({name} means photo-02.png?)" in said
    (source / "captions.csv").write_text("file,caption\nphoto-77.png,at sea\n")
    (source / "README.txt").write_text("of Ada")
    part = prepare(source, tmp_path / "part", Photos(), SIZE)
    assert lost_captions({"ada": part}) == [], "a part of a study's photos comes with all captions"


def test_references_have_their_own_words_and_every_file_of_theirs_its_fate(tmp_path: Path) -> None:
    """Their loss is held against that of training photos, and was under other prompts than theirs."""
    source = folder_of(tmp_path / "in", 4)
    others = folder_of(tmp_path / "ref", 3, first=20)
    (source / "captions.csv").write_text("file,caption\nphoto-00.png,at sea\nphoto-20.png,nowhere\n")
    (others / "captions.csv").write_text("file,caption\nphoto-20.png,in the rain\nphoto-00.png,nowhere\n")
    (others / "photo-21.txt").write_text("{it} asleep")
    (others / "film.mov").write_bytes(b"film")
    made = prepare(source, tmp_path / "set", Photos(references=others), SIZE)
    assert {photo.name: photo.caption for photo in made.photos if photo.caption} == {
        "photo-00.png": "a photo of {it}, at sea",
        "references/photo-20.png": "a photo of {it}, in the rain",
        "references/photo-21.png": "{it} asleep",
    }
    assert [item.name for item in made.rejected] == ["references/film.mov"]
    fates = {item["name"]: item["fate"] for item in manifest(tmp_path / "set")["other_files"]}
    assert fates["captions.csv"] == "captions of 1 photo; photo-20.png not among the photos"
    assert fates["references/captions.csv"] == "captions of 1 photo; photo-00.png not among the photos"
    assert fates["references/photo-21.txt"] == "caption of photo-21.png"
    ignoring = prepare(source, tmp_path / "bare", Photos(references=others, captions="ignore"), SIZE)
    assert not any(photo.caption for photo in ignoring.photos)
    assert ignoring.content_hash != made.content_hash


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


def test_a_caption_is_never_cut_at_a_comma(tmp_path: Path) -> None:
    table = tmp_path / "captions.csv"
    table.write_text('file,caption\na.jpg,"at sea, smiling",,\nb.jpg,on a beach, smiling, in a red hat\n')
    with pytest.raises(PhotoError, match=r"line 3, on 'b\.jpg'.*\n.*in quotes"):
        read_words([table], [tmp_path / "a.jpg", tmp_path / "b.jpg"])
    table.write_text('file,caption\na.jpg,"at sea, smiling",,\n')
    assert read_words([table], [tmp_path / "a.jpg"]).captions == {"a.jpg": "a photo of {it}, at sea, smiling"}


@pytest.mark.parametrize("name", ["captions.csv", "rene\u0301.txt"])
def test_a_name_is_the_same_in_both_of_its_spellings(name: str, tmp_path: Path) -> None:
    text = "file,caption\nrene\u0301.jpg,at sea\n" if name.endswith(".csv") else "at sea"
    (tmp_path / name).write_text(text, "utf-8")
    words = read_words([tmp_path / name], [tmp_path / "ren\u00e9.jpg"])
    assert words.captions == {"ren\u00e9.jpg": "a photo of {it}, at sea"}
    assert list(words.fates.values()) in (["captions of 1 photo"], ["caption of ren\u00e9.jpg"])


@pytest.mark.parametrize("name", ["captions.csv", "ren\u00e9.txt", "rene\u0301.jpg.txt"])
def test_a_caption_of_a_name_that_two_photos_have_is_refused(name: str, tmp_path: Path) -> None:
    """Both text files were told to be "caption of ren\u00e9.jpg", and one photo had none."""
    text = "file,caption\nren\u00e9.jpg,at sea\n" if name.endswith(".csv") else "at sea"
    (tmp_path / name).write_text(text, "utf-8")
    photos = [tmp_path / "ren\u00e9.jpg", tmp_path / "rene\u0301.jpg", tmp_path / "a.jpg"]
    with pytest.raises(PhotoError, match=r"2 photos are called ren.+\.jpg, their accents written in different ways"):
        read_words([tmp_path / name], photos)
    (tmp_path / "a.txt").write_text("in rain")
    assert read_words([tmp_path / "a.txt"], photos).captions == {"a.jpg": "a photo of {it}, in rain"}


def test_photos_are_named_in_both_spellings_where_they_are_kept_and_left_out(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 1)
    own, typed = "rene\u0301.png", "ren\u00e9.png"
    scene(5).filter(ImageFilter.GaussianBlur(9)).save(source / own)
    kept = prepare(source, tmp_path / "a", Photos(keep=(typed,)), SIZE)
    assert [photo.name for photo in kept.photos] == ["photo-00.png", own]
    assert [path.name for path in list_folder(source, include=[typed]).photos] == [own]
    assert [path.name for path in list_folder(source, exclude=["ren\u00e9*"]).photos] == ["photo-00.png"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems refuse such names")
@pytest.mark.parametrize("words", ["beside", "table"])
def test_names_that_are_not_utf_8_are_spelled_out(words: str, tmp_path: Path) -> None:
    """From an old disk or a zip file of another country: the photo is a photo all the same."""
    photos = folder_of(tmp_path / "photos", 2)
    name = os.fsdecode(b"M\xfcller.png")
    scene(7).save(tmp_path / "7.png")
    (tmp_path / "7.png").rename(photos / name)
    if words == "beside":
        (photos / os.fsdecode(b"M\xfcller.txt")).write_text("at sea")
    else:
        (photos / "captions.csv").write_text("file,caption\nM\\udcfcller.png,at sea\n")
    (photos / os.fsdecode(b"paper.d\xfct")).write_text("x")
    (photos / os.fsdecode(b"broken.j\xfcg")).write_bytes(b"\xff\xd8\xff and no more")
    settings = Photos(domain="drawings", screen=Screen(enabled=False))
    made = read_set(prepare(photos, tmp_path / "set", settings, SIZE).path)
    captions = {photo.name: photo.caption for photo in made.photos if photo.caption}
    assert captions == {"M\\udcfcller.png": "a photo of {it}, at sea"}
    assert {item.name for item in made.rejected} == {"paper.d\\udcfct", "broken.j\\udcfcg"}
    assert all("\\udcfc" in item.reason for item in made.rejected)
    assert len(sha256_json(contents_of(photos))) == 64
    kept = settings.model_copy(update={"include": ("M*",), "keep": ("M\\udcfcller.png",)})
    assert [photo.name for photo in prepare(photos, tmp_path / "one", kept, SIZE).photos] == ["M\\udcfcller.png"]
    (made.path / name).touch()
    with pytest.raises(PhotoError, match=r"M\\udcfcller\.png in it"):
        prepare(photos, made.path, settings, SIZE)
    copies = tmp_path / "study" / "copies"
    for _ in range(2):
        fill_folder(copies, [photos / name], tmp_path / "study", "ada")
    assert [path.name for path in copies.iterdir()] == [name]


def test_half_a_character_is_no_caption(tmp_path: Path) -> None:
    table = tmp_path / "captions.jsonl"
    table.write_text('{"file": "a.jpg", "caption": "at sea \\ud83d"}\n')
    with pytest.raises(PhotoError, match=r"the caption of a\.jpg has half a character"):
        read_words([table], [tmp_path / "a.jpg"])


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


def test_a_spotlight_alone_comes_behind_framing_and_resize() -> None:
    lit = Photos(steps=(Spotlight(outside=0.2),))
    assert [step.kind for step in lit.steps_for("head")] == ["head", "resize", "spotlight"]
    assert lit.steps_for("smart") == (Smart(), Resize(), Spotlight(outside=0.2))
    assert Photos(framing="letterbox", steps=(Spotlight(),)).steps_for("head")[0].kind == "letterbox"
    own = (Head(above=0.3), Resize(), Spotlight())
    assert Photos(steps=own).steps_for("smart") == own, "who frames by steps of their own gets these alone"
    assert Photos(steps=()).steps_for("head") == ()
    with pytest.raises(ValueError, match="one of the two"):
        Photos(framing="letterbox", steps=own)


def test_the_sheet_hatches_what_never_counts_and_says_what_counts_a_little(tmp_path: Path) -> None:
    tomo = asset("samples", "tomo", "photos")
    lit = Photos(domain="drawings", steps=(Spotlight(outside=0.05, margin=0.0),))
    photo = prepare(tomo, tmp_path / "set", lit, SIZE).photos[0]
    assert photo.mask is not None
    assert sorted(np.unique(photo.mask).tolist()) == [13, 255]
    card, bare = (_kept_card(each, False, {}) for each in (photo, replace(photo, mask=None)))
    assert card.after == bare.after, "what counts a twentieth is not crossed out"
    assert card.facts.count("spotlight: the rest counts 5 %") == 1
    assert "spotlight: the rest counts 5 %" in (tmp_path / "set" / "contact-sheet.html").read_text()
    out = np.where(np.arange(SIZE) < SIZE // 2, np.uint8(0), photo.mask)
    crossed = np.array(Image.open(io.BytesIO(_kept_card(replace(photo, mask=out), False, {}).after)), float)
    whole = np.array(Image.open(io.BytesIO(bare.after)), float)
    gap = np.abs(crossed - whole).mean(axis=(0, 2))
    assert gap[:100].mean() > 40 > 8 > gap[140:].mean()
    soft = replace(photo, mask=np.full_like(photo.mask, 60), trail=photo.trail[:-1])
    faint = np.array(Image.open(io.BytesIO(_kept_card(soft, False, {}).after)), float)
    assert np.abs(faint - whole).mean() > 40, "half-transparent parts have no line of their own, so they are hatched"


def test_nothing_but_an_older_set_is_ever_replaced(tmp_path: Path) -> None:
    """A set appears as a whole in the place of what stood there: that must not be anybody's folder."""
    photos = folder_of(tmp_path / "album" / "ada", 3)
    diary = tmp_path / "album" / "diary.txt"
    diary.write_text("dear diary")
    (tmp_path / "file").write_text("a file")
    (tmp_path / "empty").mkdir()
    settings = Photos(domain="drawings", screen=Screen(enabled=False))
    for out, why in (
        (tmp_path / "album", "holds the originals"),
        (photos, "holds the originals"),
        (tmp_path / "file", "no photo set"),
    ):
        with pytest.raises(PhotoError, match=why):
            prepare(photos, out, settings, SIZE)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    with pytest.raises(PhotoError, match="no photo set"):
        prepare(photos, tmp_path / "other", settings, SIZE)
    assert diary.read_text() == "dear diary"
    assert len(list(photos.iterdir())) == 3
    assert (tmp_path / "file").read_text() == "a file"
    assert len(prepare(photos, tmp_path / "empty", settings, SIZE).photos) == 3
    assert len(prepare(photos, tmp_path / "empty", settings, SIZE).photos) == 3, "an older set is"


def test_a_manifest_of_another_program_makes_no_photo_set(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", 2)
    settings = Photos(domain="drawings", screen=Screen(enabled=False))
    app = tmp_path / "app"
    (app / "src").mkdir(parents=True)
    (app / "manifest.json").write_text('{"name": "app", "start_url": "."}')
    assert not is_photo_set(app)
    with pytest.raises(PhotoError, match="no photo set"):
        prepare(photos, app, settings, SIZE)
    (app / "manifest.json").write_text("{")
    with pytest.raises(PhotoError, match="but src in it"):
        prepare(photos, app, settings, SIZE)
    made = prepare(photos, tmp_path / "set", settings, SIZE).path
    (made / "thesis.txt").write_text("years of work")
    with pytest.raises(PhotoError, match=r"but thesis\.txt in it"):
        prepare(photos, made, settings, SIZE)
    assert (made / "thesis.txt").read_text() == "years of work"
    (made / "thesis.txt").rename(made / ".DS_Store")
    for name in ("001-my-retouched-original.png", "before/0123456789abcdef.jpg"):
        (made / name).write_bytes(b"hours of work")
        with pytest.raises(PhotoError, match=f"but {name} in it is no part of one"):
            prepare(photos, made, settings, SIZE)
        assert (made / name).read_bytes() == b"hours of work"
        (made / name).unlink()
    assert len(prepare(photos, made, settings, SIZE).photos) == 2
    (made / "manifest.json").write_text("{")
    assert is_photo_set(made), "a damaged one"
    assert len(prepare(photos, made, settings, SIZE).photos) == 2


def test_a_set_is_written_to_a_folder_or_through_a_link_to_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = folder_of(tmp_path / "photos", 2)
    settings = Photos(domain="drawings", screen=Screen(enabled=False))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name in ("pipe", "nowhere"):
        with pytest.raises(PhotoError, match="nor a folder"):
            prepare(photos, tmp_path / name, settings, SIZE)
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "nowhere").is_symlink()
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    assert len(read_set(prepare(photos, tmp_path / "link", settings, SIZE).path).photos) == 2
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "manifest.json").is_file()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(PhotoError, match="is the current folder"):
        prepare(photos, Path(), settings, SIZE)


def test_who_was_set_aside_beside_another_photo_comes_back_when_that_one_goes(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", 3)
    with Image.open(photos / "photo-00.png") as small:
        small.resize((320, 240), Image.Resampling.NEAREST).save(photos / "zcopy.png")
    settings = Photos(domain="drawings")
    first = prepare(photos, tmp_path / "set", settings, SIZE)
    assert [item.name for item in first.rejected] == ["photo-00.png"]
    (photos / "zcopy.png").unlink()
    again = prepare(photos, tmp_path / "set", settings, SIZE)
    fresh = prepare(photos, tmp_path / "fresh", settings, SIZE)
    assert [photo.name for photo in again.photos] == [photo.name for photo in fresh.photos]
    assert "photo-00.png" in [photo.name for photo in again.photos]


def test_steps_that_leave_another_size_are_refused(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", 2)
    settings = Photos.model_validate(
        {"domain": "drawings", "steps": [{"kind": "center"}], "screen": {"enabled": False}}
    )
    with pytest.raises(PhotoError, match=r"leave photo-0\d.png at 120×120 pixels; 64×64 are wanted"):
        prepare(photos, tmp_path / "set", settings, SIZE)


def test_a_photo_of_nothing_is_set_aside_and_stops_nobody(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", 2)
    Image.new("RGBA", (80, 80), (0, 0, 0, 0)).save(photos / "glass.png")
    found = prepare(photos, tmp_path / "set", Photos(domain="drawings", screen=Screen(enabled=False)), SIZE)
    assert [(item.name, item.code) for item in found.rejected] == [("glass.png", "transparent")]


def test_a_strip_is_not_padded_to_gigabytes(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", 2)
    Image.new("RGB", (20_000, 40), "red").save(photos / "strip.png")
    settings = Photos(domain="drawings", framing="letterbox", screen=Screen(enabled=False))
    found = prepare(photos, tmp_path / "set", settings, SIZE)
    assert [(item.name, item.code) for item in found.rejected] == [("strip.png", "too-long")]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("captions.jsonl", '{"file": "a.png", "caption": "x"}\n5\n', "not a list of JSON objects"),
        ("captions.csv", 'file,caption\na.png,"in a garden\nb.png,in the rain\n', "close every quote"),
        ("captions.csv", "file;caption\na.png;in a garden\n", "has no comma: put one between the columns"),
        ("captions.tsv", "file,caption\na.png,in a garden\n", "has no tab: put one between the columns"),
        ("captions.csv", "photo,keywords\na.png,garden\n", "Call them file and caption"),
        ("captions.csv", "file,caption\na.png,sea\nb.png,\na.png,rain\n", "several captions for a.png"),
    ],
)
def test_a_broken_table_of_captions_is_one_message(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(PhotoError) as caught:
        read_words([tmp_path / name], [tmp_path / "a.png", tmp_path / "b.png"])
    assert name in caught.value.message
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_a_row_that_stands_twice_with_the_same_caption_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "captions.csv").write_text("file,caption\na.png,sea\na.png, sea\n,\n")
    assert read_words([tmp_path / "captions.csv"], [tmp_path / "a.png"]).captions == {"a.png": "a photo of {it}, sea"}


def test_tables_are_read_whatever_the_case_of_their_endings_and_rows_may_lack_a_caption(tmp_path: Path) -> None:
    (tmp_path / "CAPTIONS.TSV").write_text("file\tcaption\na.png\tin rain, at sea\n")
    photos = [tmp_path / "a.png", tmp_path / "b.png"]
    assert read_words([tmp_path / "CAPTIONS.TSV"], photos).captions == {"a.png": "a photo of {it}, in rain, at sea"}
    (tmp_path / "captions.jsonl").write_text('{"file": "a.png", "caption": "one\u2028two"}\n{"file": "b.png"}\n')
    assert read_words([tmp_path / "captions.jsonl"], photos).captions == {"a.png": "a photo of {it}, one two"}


def test_a_name_in_brackets_is_meant_as_it_stands(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", 2)
    for index, name in enumerate(("copy[1].png", "copy1.png"), start=7):
        scene(index).save(photos / name)
    settings = Photos(domain="drawings", exclude=("copy[1].png",), screen=Screen(enabled=False))
    kept = [photo.name for photo in prepare(photos, tmp_path / "set", settings, SIZE).photos]
    assert "copy[1].png" not in kept


def test_a_photo_set_is_not_prepared_again(tmp_path: Path) -> None:
    """Its contact sheet would be a training photo, and what was held out be trained on."""
    prepare(photo_folder(tmp_path / "photos", 4), tmp_path / "set", Photos(), 64)
    with pytest.raises(PhotoError, match="is a photo set") as caught:
        prepare(tmp_path / "set", tmp_path / "again", Photos(), 64)
    assert "train on it" in caught.value.hint
    assert not (tmp_path / "again").exists()


def test_cores_are_counted_where_the_system_does_not_tell_which_are_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS and Windows."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert len(prepare(photo_folder(tmp_path / "photos", 3), tmp_path / "set", Photos(), 64).photos) == 3


def test_photos_that_screening_refused_are_not_asked_for_again(tmp_path: Path) -> None:
    """Nine blurred photos ended with: put photos there."""
    settings = Photos(screen=Screen(sharpness=1.0))
    folder = photo_folder(tmp_path / "photos", 0)
    for k in range(9):
        made_photo(k).filter(ImageFilter.GaussianBlur(12)).save(folder / f"{k}.png")
    with pytest.raises(PhotoError, match="is blurred") as caught:
        prepare(folder, tmp_path / "set", settings, 64)
    assert '--keep 0.png (photos.keep = ["0.png"])' in caught.value.hint
    assert "photos.screen" in caught.value.hint
    assert "Put photos" not in caught.value.hint


@pytest.mark.parametrize("damage", ["cut short", "empty", "other bytes", "gone", "all gone"])
def test_small_copies_that_are_damaged_or_gone_are_made_again(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cut one was a traceback; a deleted one was left out of the contact sheet from then on."""
    source = folder_of(tmp_path / "in", 3)
    scene(0).filter(ImageFilter.GaussianBlur(9)).save(source / "soft.png")
    (source / "broken.jpg").write_bytes(b"\xff\xd8\xff and no more")
    out = prepare(source, tmp_path / "set", Photos(), SIZE).path
    whole = files_of(out)
    copies = sorted((out / "before").iterdir())
    assert len(copies) == 4
    for path in copies if damage == "all gone" else copies[:1]:
        if "gone" in damage:
            path.unlink()
        else:
            data = path.read_bytes()
            path.write_bytes({"cut short": data[:100], "empty": b"", "other bytes": bytes(len(data))}[damage])
    read: list[str] = []
    original = develop.read_photo
    monkeypatch.setattr(develop, "read_photo", lambda path, *rest: read.append(path.name) or original(path, *rest))
    assert files_of(prepare(source, out, Photos(), SIZE).path) == whole
    assert len(read) == (4 if damage == "all gone" else 1)
    read.clear()
    prepare(source, out, Photos(), SIZE)
    assert read == [], "a photo that cannot be decoded has no small copy, and is not read for one each time"


def refuse(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Files of these names may not be read, nor what links of these names lead to be looked at; not even by root."""
    opened, read, looked = Path.open, Path.read_text, os.stat

    def opening(path: Path, *given: Any, **more: Any) -> Any:
        if path.name in names:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *given, **more)

    def reading(path: Path, *given: Any, **more: Any) -> str:
        opening(path).close()  # newer Pythons read text by another way
        return read(path, *given, **more)

    def looking(path: Any, *given: Any, **more: Any) -> os.stat_result:
        follows = more.get("follow_symlinks", True)
        if follows and isinstance(path, Path) and path.name in names and path.is_symlink():
            raise PermissionError(13, "Permission denied", str(path))
        return looked(path, *given, **more)

    monkeypatch.setattr(Path, "open", opening)
    monkeypatch.setattr(Path, "read_text", reading)
    monkeypatch.setattr(os, "stat", looking)


@pytest.mark.parametrize(("name", "fate"), [("notes.txt", "belongs to no photo"), ("shop.json", "not about photos")])
def test_a_file_that_may_not_be_read_and_belongs_to_no_photo_stops_nothing(
    name: str, fate: str, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After all photos were prepared: cannot go on."""
    source = folder_of(tmp_path / "in", 2)
    (source / name).write_text("bread, milk")
    refuse(monkeypatch, name)
    told = {"name": name, "sha256": None, "fate": f"{fate}; cannot be read: Permission denied"}
    made = prepare(source, tmp_path / "set", Photos(), SIZE)
    assert manifest(made.path)["other_files"] == [told]
    assert without_photo(told["fate"]) == (name == "notes.txt")
    cached = photo_set(source, Photos(), SIZE)
    assert len(cached.photos) == 2
    assert contents_of(source)[name] == "may not be read"
    (source / "photo-00.txt").write_text("at sea")
    refuse(monkeypatch, "photo-00.txt")
    with pytest.raises(PhotoError, match=r"Cannot read .*photo-00\.txt"):
        photo_set(source, Photos(), SIZE)


def test_a_link_to_where_nobody_may_look_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, others = folder_of(tmp_path / "in", 2), folder_of(tmp_path / "ref", 0)
    (tmp_path / "private").mkdir()
    for folder in (source, others):
        (folder / "link.jpg").symlink_to(tmp_path / "private" / "photo.jpg")
    refuse(monkeypatch, "link.jpg")
    made = prepare(source, tmp_path / "set", Photos(), SIZE)
    assert [(item.name, item.code, item.reason) for item in made.rejected] == [
        ("link.jpg", "unreadable", "cannot be read: Permission denied")
    ]
    assert "link.jpg" not in contents_of(source)
    with pytest.raises(PhotoError, match="it has no usable photo"):
        prepare(source, tmp_path / "held", Photos(references=others), SIZE)


@pytest.mark.parametrize("place", ["set", ".set", "sets/new", "link"])
def test_a_set_inside_the_photo_folder_is_no_part_of_what_lies_there(place: str, tmp_path: Path) -> None:
    """The second time it was set aside as a folder, to be prepared by itself."""
    source = folder_of(tmp_path / "in", 3)
    scene(3).save(source / "set.partial-3.png")
    (source / "inside").mkdir()
    if place == "link":
        (tmp_path / "disk").mkdir()
        (source / "link").symlink_to(tmp_path / "disk")
    first = prepare(source, source / place, Photos(), SIZE)
    once = files_of(source / place)
    (source / f"{place}.partial-{os.getpid()}-00c0ffee").mkdir()
    again = prepare(source, source / place, Photos(), SIZE)
    assert files_of(source / place) == once
    for made in (first, again):
        assert [item.name for item in made.rejected] == ["inside"]
        assert len(made.photos) == 4
    assert manifest(source / place)["other_files"] == []
    apart = prepare(source, tmp_path / "apart", Photos(), SIZE)
    told = {item.name for item in apart.rejected} | {item["name"] for item in manifest(apart.path)["other_files"]}
    assert {"inside", Path(place).parts[0]} <= told, "of another set it is a folder like any other"
    if place == "sets/new":
        folder_of(source / "sets", 1, first=50)
        assert [item.name for item in prepare(source, source / place, Photos(), SIZE).rejected] == ["inside", "sets"]


def test_a_set_inside_the_folder_of_references_is_no_part_of_these(tmp_path: Path) -> None:
    source, others = folder_of(tmp_path / "in", 3), folder_of(tmp_path / "ref", 2, first=20)
    for _ in range(2):
        assert prepare(source, others / "set", Photos(references=others), SIZE).rejected == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("linked", [False, True])
def test_what_a_killed_preparation_left_goes_with_the_next_one(linked: bool, tmp_path: Path) -> None:
    """Prepared photos of somebody lay beside the set for good."""
    source, out = folder_of(tmp_path / "in", 2), tmp_path / "set"
    if linked:
        (tmp_path / "disk").mkdir()
        (tmp_path / "disk" / "set").mkdir()
        out.symlink_to(tmp_path / "disk" / "set")
    child = os.fork()
    if child == 0:
        with new_folder(out) as temporary:
            (temporary / "000-ada.png").write_bytes(b"a photo")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    beside = out.resolve().parent
    (left,) = beside.glob("set.partial-*")
    kept = [
        beside / f"set.partial-{os.getpid()}-00c0ffee",  # somebody is writing it
        beside / f"set.partial-{child}-00c0ffee-another",  # on another machine, whose processes are not seen here
        beside / f"set.partial-{child}-summer",
        beside / f"other.partial-{child}-00c0ffee",
    ]
    for folder in (*kept, beside / f"set.partial-{child}-00c0ffee"):
        folder.mkdir()
        (folder / "000-ada.png").write_bytes(b"a photo")
    prepare(source, out, Photos(), SIZE)
    assert not left.exists()
    assert sorted(beside.glob("*.partial-*")) == sorted(kept)
    assert all((folder / "000-ada.png").is_file() for folder in kept)


def test_rows_of_nothing_are_passed_over_and_captions_of_nobody_told(tmp_path: Path) -> None:
    """Spreadsheets leave rows of commas; they were said to be a photo with an empty name."""
    table, photos = tmp_path / "captions.csv", [tmp_path / "a.jpg"]
    table.write_text("file,caption\na.jpg,at sea\n,\n , \nnosuch.jpg,in rain\n")
    assert read_words([table], photos).fates == {
        "captions.csv": "captions of 1 photo; nosuch.jpg not among the photos"
    }
    table.write_text("file,caption\na.jpg,at sea\n,\n,\n")
    assert read_words([table], photos).fates == {"captions.csv": "captions of 1 photo"}
    table.write_text("file,caption\na.jpg,at sea\n,in rain\n")
    assert read_words([table], photos).fates == {
        "captions.csv": "captions of 1 photo; (a row without a name) not among the photos"
    }


@pytest.mark.parametrize(
    ("name", "text", "mark"),
    [
        ("captions.csv", "file;caption\na.png;at sea, smiling\n", "comma"),
        ("captions.csv", '"file";"caption"\n"a.png";"at sea, smiling"\n', "comma"),
        ("captions.tsv", "file,caption\na.png,at sea\tsmiling\n", "tab"),
    ],
)
def test_a_table_with_other_marks_says_so_whatever_its_captions_hold(
    name: str, text: str, mark: str, tmp_path: Path
) -> None:
    """With a comma in a caption it was asked to put the caption in quotes, which was no help."""
    (tmp_path / name).write_text(text)
    with pytest.raises(PhotoError, match="needs one for the photo and one for its caption") as caught:
        read_words([tmp_path / name], [tmp_path / "a.png"])
    assert caught.value.hint == f"Its header has no {mark}: put one between the columns."
