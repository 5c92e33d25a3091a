"""One held-out pool per subject: taken out first, the same for every run, never trained on by any."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from boothlab.api.studies.photos import Chosen, _as_decided, _require_kept
from boothlab.api.studies.places import coordinates
from boothlab.api.studies.resolving import Study, resolve_study
from boothlab.api.studies.running import held
from boothlab.assets import asset
from boothlab.errors import PlanError, RunBusy
from boothlab.files import folder_listing, sha256_file
from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.photoset import PhotoSet
from boothlab.plan import RunPlan, plan_from
from boothlab.studies.neighbours import neighbours
from photos_made import made_photo, photo_folder
from study_made import base_plan, made_point, write_study


def hashes(study: Study, part: str) -> list[set[str]]:
    """Per run the source hashes of one part of its photos."""
    return [{photo.source_hash for photo in getattr(found.sets["ada"], part)} for found in study.resolved]


def resolved(tmp_path: Path, tiny_sd: Path, photos: int, plan: dict[str, Any] | None = None, **tree: Any) -> Study:
    return resolve_study(write_study(tmp_path, tiny_sd, photos, plan, **tree), tmp_path / "studies")


def test_fewer_photos_are_a_part_of_more_and_all_are_judged_alike(tiny_sd: Path, tmp_path: Path) -> None:
    study = resolved(
        tmp_path, tiny_sd, 12, axes={"photos.number": [2, 5, 9], "photos.framing": ["center", "letterbox"]}
    )
    train, held = hashes(study, "train"), hashes(study, "held_out")
    assert [len(found) for found in train] == [2, 2, 5, 5, 9, 9]
    assert all(found == held[0] for found in held)
    assert len(held[0]) == 3, "a quarter of twelve"
    assert train[0] == train[1]
    assert train[0] < train[2] < train[4]
    assert held[0].isdisjoint(set().union(*train))


def test_a_single_number_of_photos_leaves_the_pool_as_it_is_with_others(tiny_sd: Path, tmp_path: Path) -> None:
    one = resolved(tmp_path / "one", tiny_sd, 12, axes={"photos.number": [2]})
    three = resolved(tmp_path / "three", tiny_sd, 12, axes={"photos.number": [2, 5, 9]})
    assert hashes(one, "held_out")[0] == hashes(three, "held_out")[0]
    assert hashes(one, "train")[0] == hashes(three, "train")[0]


def test_held_out_photos_are_not_exchanged_under_a_process_that_judges_by_them(tiny_sd: Path, tmp_path: Path) -> None:
    """`check` with another seed of the split, from another terminal, gave a search other photos halfway."""
    file = write_study(tmp_path, tiny_sd, 12, axes={"photos.number": [2, 5]})
    study = resolve_study(file, tmp_path / "studies")
    before = folder_listing(study.place / "held-out" / "ada")
    other = ["photos.split_seed=7"]
    with held(study):
        assert hashes(resolve_study(file, tmp_path / "studies"), "held_out") == hashes(study, "held_out")
        with pytest.raises(RunBusy, match=r"working on .*studies/rates, and .*held-out/ada would hold other photos"):
            resolve_study(file, tmp_path / "studies", other)
        assert folder_listing(study.place / "held-out" / "ada") == before
    assert hashes(resolve_study(file, tmp_path / "studies", other), "held_out") != hashes(study, "held_out")


def test_folders_that_share_photos_share_the_pool(tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 10, size=(72, 64))
    (tmp_path / "some").mkdir()
    for path in sorted((tmp_path / "photos").iterdir())[:6]:
        shutil.copy(path, tmp_path / "some" / path.name)
    study = resolved(tmp_path, tiny_sd, 10, axes={"subjects.0.photos": ["photos", "some"]})
    train, held = hashes(study, "train"), hashes(study, "held_out")
    assert held[0] == held[1]
    assert held[0].isdisjoint(train[0] | train[1])
    assert train[1] < train[0]


def test_pools_that_were_drawn_are_parted_by_chance_and_given_ones_as_somebody_says(
    tiny_sd: Path, tmp_path: Path
) -> None:
    drawn = resolved(tmp_path / "drawn", tiny_sd, 12, axes={"photos.number": [2, 5]})
    assert {one.plan.evaluation.references_at_random for one in drawn.resolved} == {True}
    for said in (False, True):
        photo_folder(tmp_path / f"{said}" / "more", 3, size=(64, 72))
        tree = base_plan(tiny_sd, "photos")
        tree["evaluation"]["references_at_random"] = said
        given = resolved(tmp_path / f"{said}", tiny_sd, 4, tree, held_out={"ada": "more"})
        assert [one.plan.evaluation.references_at_random for one in given.resolved] == [said]


def test_where_photos_are_not_varied_the_runs_split_is_the_ordinary_one(tiny_sd: Path, tmp_path: Path) -> None:
    study = resolved(tmp_path, tiny_sd, 12, axes={"training.steps": [2, 4]})
    assert not (study.place / "held-out").exists()
    assert study.runs[0].plan.subjects[0].photos == tmp_path / "photos"


def test_references_that_are_named_are_the_pool(tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "more", 12, size=(80, 64))
    for path in sorted((tmp_path / "more").iterdir())[:9]:
        path.unlink()
    plan = base_plan(tiny_sd, "photos")
    plan["photos"]["references"] = "more"
    study = resolved(tmp_path, tiny_sd, 6, plan, axes={"photos.number": [2, 6]})
    assert [len(found) for found in hashes(study, "train")] == [2, 6]
    assert [len(found) for found in hashes(study, "held_out")] == [3, 3]


def captions(study: Study, part: str) -> list[dict[str, str | None]]:
    """Per run the caption of each photo of one part, by the photo's content."""
    return [{photo.source_hash: photo.caption for photo in getattr(one.sets["ada"], part)} for one in study.resolved]


def captioned(folder: Path, words: str) -> dict[str, str]:
    """Write a table of captions into a folder of photos; the photos' contents and what each is called then."""
    photos = sorted(folder.iterdir())
    lines = [f"{path.name},{words} {number}" for number, path in enumerate(photos)]
    (folder / "captions.csv").write_text("\n".join(["file,caption", *lines]))
    return {sha256_file(path): f"a photo of {{it}}, {words} {number}" for number, path in enumerate(photos)}


def test_held_out_photos_of_a_drawn_pool_keep_their_captions(tiny_sd: Path, tmp_path: Path) -> None:
    """Else their loss is under other prompts than that of the training photos, and looks higher."""
    photo_folder(tmp_path / "photos", 12, size=(72, 64))
    shutil.copytree(tmp_path / "photos", tmp_path / "same")
    said = captioned(tmp_path / "photos", "by a wall")
    captioned(tmp_path / "same", "elsewhere")
    axes = {"subjects.0.photos": ["photos", "same"], "photos.captions": ["ignore", "use"]}
    study = resolved(tmp_path, tiny_sd, 12, axes=axes)
    for run, found in zip(study.runs, captions(study, "held_out"), strict=True):
        assert len(found) == 3
        used = run.plan.photos.captions == "use"
        assert found == {digest: said[digest] if used else None for digest in found}, "those of the first folder"
    bare = resolved(tmp_path / "bare", tiny_sd, 12, axes={"photos.number": [2, 3]})
    assert not list((bare.place / "held-out").rglob("*.txt"))


def test_held_out_photos_of_a_named_pool_keep_their_captions(tiny_sd: Path, tmp_path: Path) -> None:
    said = captioned(photo_folder(tmp_path / "more", 4, size=(80, 64)), "by a wall")
    study = resolved(tmp_path, tiny_sd, 3, axes={"training.steps": [2, 4]}, held_out={"ada": "more"})
    assert captions(study, "held_out") == [said, said]
    (tmp_path / "more" / "captions.csv").unlink()
    again = resolved(tmp_path, tiny_sd, 3, axes={"training.steps": [2, 4]}, held_out={"ada": "more"})
    assert captions(again, "held_out")[0] == dict.fromkeys(said)


def test_more_photos_than_there_are_is_said(tiny_sd: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"photos.number = 10, but ada has 9 usable photos to train on"):
        resolved(tmp_path, tiny_sd, 12, axes={"photos.number": [2, 10]})


def test_a_photo_held_out_here_and_trained_on_there_is_refused(tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 6, size=(72, 64))
    (tmp_path / "mine").mkdir()
    shutil.copy(tmp_path / "photos" / "photo-00.png", tmp_path / "mine" / "photo-00.png")
    photo_folder(tmp_path / "other", 1, size=(90, 64))
    runs = [
        {"name": "a", "settings": {"subjects.0.photos": "photos", "photos": {"held_out": 0.0}}},
        {"name": "b", "settings": {"subjects.0.photos": "other", "photos": {"references": "mine"}}},
    ]
    with pytest.raises(
        PlanError, match=r"1 photos? of ada (is|are) trained on in one run \(a\) and held out in .*\(b\)"
    ):
        resolved(tmp_path, tiny_sd, 6, runs=runs)


def test_a_prepared_set_cannot_be_cut_down(tiny_sd: Path, tmp_path: Path) -> None:
    from boothlab import api
    from boothlab.models.config import Base
    from boothlab.photos.config import Photos, Screen

    photo_folder(tmp_path / "photos", 6, size=(72, 64))
    settings = Photos(domain="drawings", screen=Screen(enabled=False))
    api.prepare(tmp_path / "photos", tmp_path / "set", settings, Base(model=str(tiny_sd)))
    with pytest.raises(PlanError, match="is a photo set"):
        resolved(tmp_path, tiny_sd, 6, base_plan(tiny_sd, "set"), axes={"photos.number": [2]})


def test_named_pools_serve_runs_of_one_and_of_two_subjects(tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 4, size=(72, 64))
    photo_folder(tmp_path / "bob", 4, size=(90, 64))
    photo_folder(tmp_path / "more-ada", 3, size=(64, 72))
    photo_folder(tmp_path / "more-bob", 3, size=(64, 90))
    bob = {"name": "bob", "photos": str(tmp_path / "bob"), "identifier": "kilt"}
    both = [base_plan(tiny_sd, tmp_path / "photos")["subjects"][0], bob]
    pools = {"ada": "more-ada", "bob": "more-bob"}
    study = resolved(
        tmp_path, tiny_sd, 4, runs=[{"name": "a"}, {"name": "mix", "settings": {"subjects": both}}], held_out=pools
    )
    alone, mix = study.resolved
    assert {name: (len(s.train), len(s.held_out)) for name, s in mix.sets.items()} == {"ada": (4, 3), "bob": (4, 3)}
    assert {p.source_hash for p in alone.sets["ada"].held_out} == {p.source_hash for p in mix.sets["ada"].held_out}
    assert alone.sets["ada"].content_hash == mix.sets["ada"].content_hash
    assert coordinates(study) == {
        ("a", "ada"): {"subjects": "ada"},
        ("mix", "ada"): {"subjects": "ada + bob"},
        ("mix", "bob"): {"subjects": "ada + bob"},
    }


def test_runs_stand_where_their_own_plans_put_them(tiny_sd: Path, tmp_path: Path) -> None:
    """Not where the base plan stands: a length of another kind takes its place, and so does a whole strategy."""
    lora = {"kind": "lora", "learning_rate": 1e-4}
    runs: list[dict[str, Any]] = [
        {"name": "plain", "settings": {"training.steps": 3}},
        {"name": "per photo", "settings": {"training.steps_per_photo": 2}},
        {"name": "lora", "settings": {"strategy": lora}},
        {"name": "rate", "settings": {"strategy.learning_rate": 5e-6}},
    ]
    study = resolved(tmp_path, tiny_sd, 4, base_plan(tiny_sd, "photos", steps=4), runs=runs)
    found = {run: place for (run, _), place in coordinates(study).items()}
    lengths = ("training.steps", "training.steps_per_photo")
    assert [[found[name][path] for path in lengths] for name in ("plain", "per photo", "rate")] == [
        [3, None], [None, 2], [4, None]
    ]  # fmt: skip
    assert found["lora"]["strategy.learning_rate"] == 1e-4
    assert found["rate"]["strategy.learning_rate"] == 5e-6
    assert found["rate"]["strategy"]["kind"] == "dreambooth"


def test_a_run_of_another_kind_leaves_the_grid_beside_it_comparable(tiny_sd: Path, tmp_path: Path) -> None:
    """Its whole strategy is a coordinate then; what varies inside must not tell the grid's runs apart twice."""
    rate, lora = "strategy.learning_rate", {"kind": "lora", "learning_rate": 1e-4}
    runs = [{"name": "lora", "settings": {"strategy": lora}}]
    study = resolved(
        tmp_path, tiny_sd, 4, base_plan(tiny_sd, "photos", steps=4), axes={rate: [1e-6, 2e-6]}, runs=runs
    )
    places = {run: place for (run, _), place in coordinates(study).items()}
    points = [made_point(run, values, likeness=[0.1, 0.2, 0.3]) for run, values in places.items()]
    on_rate = [(one.a, one.b, len(one.pairs)) for one in neighbours(points) if one.axis == rate]
    assert on_rate[0] == (1e-6, 2e-6, 1)
    assert places["lora"]["strategy"]["kind"] == "lora"
    assert {place[rate] for place in places.values()} == {1e-6, 2e-6, 1e-4}


def test_a_pool_of_one_takes_no_held_out_photos_from_who_is_trained_with_it(tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 9, size=(72, 64))
    photo_folder(tmp_path / "bob", 9, size=(90, 64))
    photo_folder(tmp_path / "more-ada", 3, size=(64, 72))
    bob = {"name": "bob", "photos": str(tmp_path / "bob"), "identifier": "kilt"}
    both = [base_plan(tiny_sd, tmp_path / "photos")["subjects"][0], bob]
    runs = [{"name": "mix", "settings": {"subjects": both}}, {"name": "bob", "settings": {"subjects": [bob]}}]
    study = resolved(tmp_path, tiny_sd, 9, runs=runs, held_out={"ada": "more-ada"})
    mix, alone = study.resolved
    counts = {name: (len(found.train), len(found.held_out)) for name, found in mix.sets.items()}
    assert counts["ada"] == (9, 3)
    assert counts["bob"][1] >= 3
    assert sum(counts["bob"]) == 9
    assert {p.source_hash for p in alone.sets["bob"].held_out} == {p.source_hash for p in mix.sets["bob"].held_out}


def test_who_has_too_few_photos_for_a_pool_may_be_learned_beside_one_who_has_enough(
    tiny_sd: Path, tmp_path: Path
) -> None:
    photo_folder(tmp_path / "photos", 12, size=(72, 64))
    photo_folder(tmp_path / "bob", 5, size=(90, 64))
    bob = {"name": "bob", "photos": str(tmp_path / "bob"), "identifier": "kilt"}
    both = [base_plan(tiny_sd, tmp_path / "photos")["subjects"][0], bob]
    plan = base_plan(tiny_sd, tmp_path / "photos") | {"subjects": both}
    study = resolved(tmp_path, tiny_sd, 12, plan, axes={"photos.number": [2, 4]})
    for found, number in zip(study.resolved, (2, 4), strict=True):
        assert {name: len(own.train) for name, own in found.sets.items()} == {"ada": number, "bob": number}
        assert {name: len(own.held_out) for name, own in found.sets.items()} == {"ada": 3, "bob": 0}


def test_a_stray_file_in_a_selection_is_no_other_process(tiny_sd: Path, tmp_path: Path) -> None:
    file = write_study(tmp_path, tiny_sd, 12, axes={"photos.number": [2, 5]})
    study = resolve_study(file, tmp_path / "studies")
    with held(study):
        stray = [path / "notes.doc" for path in sorted((study.place / "photos").iterdir())]
        for path in stray:
            path.write_text("")
        assert hashes(resolve_study(file, tmp_path / "studies"), "train") == hashes(study, "train")
        assert not any(path.exists() for path in stray)


@pytest.mark.parametrize(
    ("pools", "said"),
    [({"bob": "photos"}, "held_out.bob: there is no such subject"), ({"ada": "empty"}, "holds no photos")],
)
def test_a_pool_that_cannot_be_is_said(pools: dict[str, str], said: str, tiny_sd: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlanError, match=said):
        resolved(tmp_path, tiny_sd, 4, held_out=pools)


def bordered(source: Path, target: Path, rename: str = "{}") -> Path:
    """Every photo of a folder with a wide white border, as somebody would prepare it by hand."""
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        with Image.open(path) as image:
            ImageOps.expand(image, border=24, fill="white").save(target / f"{rename.format(path.stem)}.PNG")
    return target


def moments(study: Study, part: str) -> list[set[str]]:
    """Per run the names of one part of its photos, whatever folder and however prepared."""
    return [{Path(photo.name).stem for photo in getattr(found.sets["ada"], part)} for found in study.resolved]


def test_held_out_photos_that_are_all_there_are_leave_none_to_train_on(tiny_sd: Path, tmp_path: Path) -> None:
    """It was said that a folder of the study's own does not exist."""
    with pytest.raises(PlanError) as caught:
        resolved(tmp_path, tiny_sd, 4, held_out={"ada": "photos"})
    assert str(caught.value) == (
        f"All photos of ada in {tmp_path / 'photos'} are held out; none is left to train on.\n"
        "  Name other photos in held_out.ada, or leave it out: then some of these are drawn."
    )


def test_versions_of_held_out_photos_are_trained_on_by_no_run(tiny_sd: Path, tmp_path: Path) -> None:
    bordered(photo_folder(tmp_path / "raw", 12, size=(72, 64)), tmp_path / "bordered")
    study = resolved(tmp_path, tiny_sd, 4, axes={"subjects.0.photos": ["raw", "bordered"]})
    train, held = moments(study, "train"), moments(study, "held_out")
    assert held[0] == held[1]
    assert len(held[0]) == 3, "a quarter of twelve photos, not of twenty-four files"
    assert [len(found) for found in train] == [9, 9]
    assert held[0].isdisjoint(train[0] | train[1])
    raw = {sha256_file(path) for path in (tmp_path / "raw").iterdir()}
    assert hashes(study, "held_out")[0] <= raw, "all runs are judged by the photos of the first folder"
    (pool,) = study.pools
    folders = [f"{tmp_path.name}/{name}" for name in ("raw", "bordered")]
    assert pool.sentence == (
        f"ada: 3 held out (3 of {folders[0]}); no run trains on them or their versions (3 of {folders[0]}, "
        f"3 of {folders[1]})"
    )


def test_check_says_what_was_held_out_and_what_names_alone_have_joined(tiny_sd: Path, tmp_path: Path) -> None:
    from boothlab import api
    from boothlab.cli.study import lines_of_study

    bordered(photo_folder(tmp_path / "raw", 12, size=(72, 64)), tmp_path / "bordered")
    file = write_study(tmp_path, tiny_sd, 4, axes={"subjects.0.photos": ["raw", "bordered"]})
    lines = lines_of_study(*api.check_study(file, tmp_path / "studies"))
    assert [line for line in lines if line.startswith("photos    ada: 3 held out (3 of ")]
    (warning,) = [
        line for line in lines if line.startswith("warning   ada: photos called photo-00.png, photo-01.png")
    ]
    assert "give them different names" in warning


def saved_again(source: Path, target: Path) -> Path:
    """Every photo of a folder as another file of another name, pixel by pixel the same."""
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        with Image.open(path) as image:
            image.save(target / f"copy of {path.stem}.bmp")
    return target


def test_a_lossless_copy_under_another_name_is_known_by_its_look(tiny_sd: Path, tmp_path: Path) -> None:
    saved_again(photo_folder(tmp_path / "photos", 10, size=(72, 64)), tmp_path / "again")
    study = resolved(tmp_path, tiny_sd, 10, axes={"subjects.0.photos": ["photos", "again"]})
    (pool,) = study.pools
    assert pool.by_name == pool.warnings == ()
    assert set(pool.left_out.values()) == {3}
    stems = {Path(name).stem for name in study.resolved[0].sets["ada"].held_out_names}
    assert stems.isdisjoint(stem.removeprefix("copy of ") for stem in moments(study, "train")[1])


def bursts(folder: Path) -> Path:
    """Twelve photos and a darker twin of each, of which the better one changes places."""
    folder.mkdir(parents=True)
    for number in range(12):
        photo = made_photo(number, (72, 64))
        darker = ImageEnhance.Brightness(photo).enhance(0.9)
        pair = (photo, darker) if number % 2 else (darker, photo)
        for letter, image in zip("AB", pair, strict=True):
            image.save(folder / f"{letter}{number:02d}.png")
    return folder


@pytest.mark.parametrize("screened", [True, False])
def test_photos_of_a_burst_share_a_fate_in_all_folders(screened: bool, tiny_sd: Path, tmp_path: Path) -> None:
    """The doctor kept A03 in one folder and B03 in the other: one was trained on, the other judged by."""
    bordered(bursts(tmp_path / "raw"), tmp_path / "bordered")
    for number in range(0, 12, 3):  # here the doctor keeps the other one
        (tmp_path / "bordered" / f"A{number:02d}.PNG").unlink()
    plan = base_plan(tiny_sd, "raw")
    plan["photos"]["screen"] = {"faces": "ignored", "enabled": screened}
    study = resolved(tmp_path, tiny_sd, 4, plan, axes={"subjects.0.photos": ["raw", "bordered"]})
    pictures = [[{name[1:] for name in found} for found in moments(study, part)] for part in ("train", "held_out")]
    assert [len(found) for found in pictures[0]] == [9, 9]
    assert pictures[1][0] == pictures[1][1]
    assert len(pictures[1][0]) == 3, "a quarter of twelve pictures, not of those that their names alone tell apart"
    assert pictures[1][0].isdisjoint(pictures[0][0] | pictures[0][1])
    raw = {sha256_file(path) for path in (tmp_path / "raw").iterdir()}
    assert hashes(study, "held_out")[0] <= raw, "all runs are judged by the photos of the first folder"
    (pool,) = study.pools
    first, second = (f"{tmp_path.name}/{name}" for name in ("raw", "bordered"))
    assert pool.sources == {first: 3 if screened else 6}
    left_out = sum(1 if int(number) % 3 == 0 else 2 for number in pictures[1][0])
    assert pool.left_out == {first: 6, second: left_out}


def test_other_photos_in_other_folders_are_held_out_by_themselves(tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 6, size=(72, 64))
    photo_folder(tmp_path / "others", 6, size=(64, 72), first=40)
    study = resolved(tmp_path, tiny_sd, 6, axes={"subjects.0.photos": ["photos", "others"]})
    (pool,) = study.pools
    assert pool.held == pool.apart
    assert len(pool.held) == 3
    assert sum(len(found) for found in hashes(study, "train")) == 9
    assert pool.warnings == ()
    assert pool.sentence.endswith("; no run trains on them")


def test_a_photo_that_the_first_plan_leaves_out_is_held_out_in_its_other_versions_too(
    tiny_sd: Path, tmp_path: Path
) -> None:
    saved_again(photo_folder(tmp_path / "raw", 12, size=(72, 64)), tmp_path / "again")
    runs = [
        {"name": "few", "settings": {"subjects.0.photos": "raw", "photos.include": ["photo-0[0-2]*"]}},
        {"name": "again", "settings": {"subjects.0.photos": "again"}},
        {"name": "all", "settings": {"subjects.0.photos": "raw"}},
    ]
    study = resolved(tmp_path, tiny_sd, 4, runs=runs)
    held = {stem.removeprefix("copy of ") for stem in moments(study, "held_out")[0]}
    assert len(held) == 3
    assert not held <= {"photo-00", "photo-01", "photo-02"}
    assert held.isdisjoint(moments(study, "train")[2])


def test_versions_of_named_photos_that_were_taken_from_one_folder_are_not_trained_on_in_another(
    tiny_sd: Path, tmp_path: Path
) -> None:
    bordered(photo_folder(tmp_path / "raw", 6, size=(72, 64)), tmp_path / "bordered")
    (tmp_path / "mine").mkdir()
    shutil.copy(tmp_path / "raw" / "photo-02.png", tmp_path / "mine" / "judge.png")
    axes = {"subjects.0.photos": ["raw", "bordered"]}
    study = resolved(tmp_path, tiny_sd, 4, axes=axes, held_out={"ada": "mine"})
    assert moments(study, "train") == [{f"photo-0{k}" for k in (0, 1, 3, 4, 5)}] * 2
    assert [found.plan.evaluation.references_at_random for found in study.resolved] == [False, False]
    photo_folder(tmp_path / "apart", 3, size=(64, 72), first=50)
    for path in list((tmp_path / "apart").iterdir()):
        path.rename(path.with_name(f"photo-0{int(path.stem[-1]) + 1}.png"))
    others = resolved(tmp_path, tiny_sd, 4, axes=axes, held_out={"ada": "apart"})
    assert [len(found) for found in moments(others, "train")] == [6, 6], "a pool of other photos is taken at its word"
    assert (others.pools[0].warnings, others.pools[0].sentence) == ((), "")


def test_trials_on_another_folder_train_on_no_version_of_a_held_out_photo(tiny_sd: Path, tmp_path: Path) -> None:
    from boothlab.api.studies.searching import planned_rung
    from boothlab.studies.trials import Trial

    bordered(photo_folder(tmp_path / "raw", 12, size=(72, 64)), tmp_path / "bordered")
    ranges = {"subjects.0.photos": {"choices": ["raw", "bordered"]}}
    study = resolved(tmp_path, tiny_sd, 4, search={"ranges": ranges, "rungs": [1], "steps": "training.steps"})
    assert study.plan.search is not None
    for folder in ("raw", "bordered"):
        rung = planned_rung(study, study.plan.search, Trial(0, {"subjects.0.photos": folder}))
        (found,) = rung.resolved
        train, held = (
            {Path(p.name).stem for p in part} for part in (found.sets["ada"].train, found.sets["ada"].held_out)
        )
        assert (len(train), len(held)) == (9, 3)
        assert train.isdisjoint(held)
        assert found.plan.evaluation.references_at_random


def prepared_set(folder: Path, out: Path, model: Path, **screen: Any) -> Path:
    from boothlab import api
    from boothlab.models.config import Base
    from boothlab.photos.config import Photos, Screen

    settings = Photos(domain="drawings", screen=Screen(enabled=False, **screen))
    api.prepare(folder, out, settings, Base(model=str(model)))
    return out


def test_a_photo_set_of_other_versions_is_refused_where_its_own_held_out_photos_differ(
    tiny_sd: Path, tmp_path: Path
) -> None:
    photo_folder(tmp_path / "photos", 12, size=(72, 64))
    prepared_set(tmp_path / "photos", tmp_path / "same", tiny_sd)
    alike = resolved(tmp_path, tiny_sd, 12, axes={"subjects.0.photos": ["photos", "same"]})
    assert moments(alike, "held_out")[0] == moments(alike, "held_out")[1]
    prepared_set(bordered(tmp_path / "photos", tmp_path / "bordered"), tmp_path / "other", tiny_sd)
    with pytest.raises(
        PlanError, match=r"is trained on in one run \(photos .*\), and .*, another version of it, is he"
    ):
        resolved(tmp_path, tiny_sd, 12, axes={"subjects.0.photos": ["photos", "other"]})


def test_what_a_photo_set_holds_out_of_a_burst_is_its_own_affair(tiny_sd: Path, tmp_path: Path) -> None:
    """Whoever prepared it said by `duplicate = 1.0` that the two are different photos."""
    own = prepared_set(bursts(tmp_path / "raw"), tmp_path / "own", tiny_sd, duplicate=1.0)
    prepared_set(photo_folder(tmp_path / "photos", 9, size=(64, 72), first=50), tmp_path / "other", tiny_sd)
    study = resolved(tmp_path, tiny_sd, 9, base_plan(tiny_sd, own), axes={"subjects.0.photos": ["own", "other"]})
    train, held = ({name[1:] for name in moments(study, part)[0]} for part in ("train", "held_out"))
    assert train & held, "some pictures are on both sides"


def test_a_photo_set_named_as_held_out_photos_is_refused_before_anything_is_copied(
    tiny_sd: Path, tmp_path: Path
) -> None:
    """Its pictures, sheet and manifest were copied first, and the message spoke of the copies."""
    own = prepared_set(photo_folder(tmp_path / "more", 3, size=(64, 72), first=50), tmp_path / "set", tiny_sd)
    with pytest.raises(PlanError, match=rf"held_out\.ada names the photo set {own}\.\n") as caught:
        resolved(tmp_path, tiny_sd, 9, held_out={"ada": "set"})
    assert caught.value.hint == "Give the folder of its originals."
    assert not list((tmp_path / "studies").rglob("*.*"))


def test_a_photo_set_beside_named_held_out_photos_is_refused(tiny_sd: Path, tmp_path: Path) -> None:
    """It was read as it is, with the photos that it holds out itself, and the named ones were not looked at."""
    prepared_set(photo_folder(tmp_path / "photos", 9, size=(72, 64)), tmp_path / "set", tiny_sd)
    photo_folder(tmp_path / "more", 3, size=(64, 72), first=50)
    with pytest.raises(PlanError, match="is a photo set with held-out photos of its own"):
        resolved(tmp_path, tiny_sd, 9, base_plan(tiny_sd, "set"), held_out={"ada": "more"})


@pytest.mark.parametrize("axis", ["photos.number", "photos.framing"])
def test_patterns_are_followed_where_photos_are_chosen(axis: str, tiny_sd: Path, tmp_path: Path) -> None:
    """What a selection does not hold cannot be left out of it: a study with `exclude` and a number ended there."""
    photo_folder(tmp_path / "photos", 12, size=(72, 64))
    plan = base_plan(tiny_sd, "photos")
    plan["photos"] |= {"exclude": ["photo-03.png", "photo-1?.png"], "keep": ["photo-01.png"]}
    values = [3, 6] if axis == "photos.number" else ["smart", "letterbox"]
    found = resolved(tmp_path, tiny_sd, 12, plan, axes={axis: values})
    left_out = {sha256_file(tmp_path / "photos" / f"photo-{number}.png") for number in ("03", "10", "11")}
    for one, value in zip(found.resolved, values, strict=True):
        photos = one.sets["ada"]
        assert left_out.isdisjoint(photo.source_hash for photo in photos.photos)
        assert len(photos.train) == (value if isinstance(value, int) else 6)
        names = {photo.name for photo in photos.photos}
        assert all(name in names for name in one.plan.photos.keep)


@pytest.mark.parametrize("kept", range(9))
def test_a_photo_to_keep_may_be_held_out(kept: int, tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 9, size=(72, 64))
    plan = base_plan(tiny_sd, "photos")
    plan["photos"] |= {"keep": [f"photo-{kept:02d}.png"]}
    found = resolved(tmp_path, tiny_sd, 9, plan, axes={"photos.framing": ["smart", "letterbox"]})
    wanted = sha256_file(tmp_path / "photos" / f"photo-{kept:02d}.png")
    for one in found.resolved:
        assert wanted in {photo.source_hash for photo in one.sets["ada"].photos}
        assert len(one.plan.photos.keep) == 1


@pytest.mark.parametrize("held", [False, True])
def test_a_photo_to_keep_is_known_in_both_spellings_of_its_name(held: bool, tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 9, size=(72, 64))
    plan = base_plan(tiny_sd, "photos")
    first = resolved(tmp_path, tiny_sd, 9, plan, axes={"photos.framing": ["smart", "letterbox"]})
    digest = min(hashes(first, "held_out" if held else "train")[0])
    own = next(path for path in (tmp_path / "photos").iterdir() if sha256_file(path) == digest)
    own.rename(own.with_name("Jose\u0301.png"))
    plan["photos"] |= {"keep": ["Jos\u00e9.png"]}
    found = resolved(tmp_path, tiny_sd, 9, plan, axes={"photos.framing": ["smart", "letterbox"]})
    kept = "references/Jos\u00e9.png" if held else "Jos\u00e9.png"
    assert [one.plan.photos.keep for one in found.resolved] == [(kept,), (kept,)]
    assert {digest in part for part in hashes(found, "held_out")} == {held}


def test_patterns_that_fit_still_stay_in_the_plan(tiny_sd: Path, tmp_path: Path) -> None:
    """A run is known by its plan: nothing that was trained need be trained again."""
    photo_folder(tmp_path / "photos", 12, size=(72, 64))
    plan = base_plan(tiny_sd, "photos")
    plan["photos"] |= {"include": ["photo-*"]}
    found = resolved(tmp_path, tiny_sd, 12, plan, axes={"photos.framing": ["smart", "letterbox"]})
    assert {one.plan.photos.include for one in found.resolved} == {("photo-*",)}


@pytest.mark.parametrize(("name", "values"), [("held_out", [0.25, 0.5]), ("split_seed", [0, 1])])
@pytest.mark.parametrize("way", ["axis", "runs", "search", "named pool", "references"])
def test_how_photos_are_held_out_is_no_setting_to_compare(
    way: str, name: str, values: list[float], tiny_sd: Path, tmp_path: Path
) -> None:
    """The photos are drawn once for all runs, so two shares or seeds were one training, done twice and compared."""
    path, plan, tree = f"photos.{name}", base_plan(tiny_sd, "photos"), {}
    if way == "runs":
        tree = {"runs": [{"name": f"run {value}", "settings": {path: value}} for value in values]}
    elif way == "search":
        tree = {"search": {"ranges": {path: {"choices": values}}, "rungs": [1], "steps": "training.steps"}}
    else:
        tree = {"axes": {path: values}}
    photo_folder(tmp_path / "more", 3, size=(64, 72), first=50)
    if way == "named pool":
        tree |= {"held_out": {"ada": "more"}}
    elif way == "references":
        plan["photos"]["references"] = "more"
    with pytest.raises(
        PlanError, match=rf"photos\.{name} is no setting to compare: it is {values[0]:g} in .* and {values[1]:g}"
    ):
        resolved(tmp_path, tiny_sd, 12, plan, **tree)


def test_subjects_of_their_own_runs_may_be_split_in_their_own_ways(tiny_sd: Path, tmp_path: Path) -> None:
    bob = {"name": "bob", "photos": str(photo_folder(tmp_path / "bob", 12, size=(90, 64))), "identifier": "kilt"}
    runs = [{"name": "a"}, {"name": "b", "settings": {"subjects": [bob], "photos.held_out": 0.5}}]
    study = resolved(tmp_path, tiny_sd, 12, runs=runs)
    assert [len(found.held_out) for one in study.resolved for found in one.sets.values()] == [3, 6]


@pytest.mark.parametrize("where", ["held-out/ada", "held-out", "photos/ada-0123abcd", "linked"])
@pytest.mark.parametrize("what", ["held out", "trained on"])
def test_photos_that_lie_where_the_study_puts_its_copies_are_refused(
    what: str, where: str, tiny_sd: Path, tmp_path: Path
) -> None:
    """`check` only looks: it deleted what else lay in the folder."""
    place = tmp_path / "studies" / "rates"
    own = photo_folder(place / ("held-out/ada" if where == "linked" else where), 6, size=(64, 72))
    (own / "captions.csv").write_text("file,caption\n")
    (own / "raw.dng").write_text("raw")
    if where == "linked":
        own = tmp_path / "linked"
        own.symlink_to(place / "held-out" / "ada")
    photo_folder(tmp_path / "other", 5, size=(72, 64))
    trained, held = (tmp_path / "other", own) if what == "held out" else (own, tmp_path / "other")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    file = write_study(tmp_path, tiny_sd, 4, base_plan(tiny_sd, trained), name="rates", held_out={"ada": str(held)})
    with pytest.raises(PlanError, match="lie where this study puts its own copies") as caught:
        resolve_study(file, tmp_path / "studies")
    assert "another name" in str(caught.value)
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def dogs(folder: Path, faces: int, others: int) -> Path:
    """Photos of a thing, in which nobody sees a face, and some with its owner's face."""
    folder.mkdir(parents=True)
    for number in range(others):
        blocks = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((160, 120), Image.Resampling.NEAREST).save(folder / f"thing-{number}.png")
    for path in sorted(asset("samples", "mira", "more").glob("*"))[:faces]:
        shutil.copy(path, folder / path.name)
    return folder


def test_whether_photos_are_of_a_person_is_decided_by_all_of_them(tiny_sd: Path, tmp_path: Path) -> None:
    """Of the few that were chosen and those held out half showed a face: all others were set aside there."""
    dogs(tmp_path / "photos", 6, 8)
    plan = base_plan(tiny_sd, "photos")
    plan["photos"]["screen"] = {"enabled": True}
    study = resolved(tmp_path, tiny_sd, 0, plan, axes={"photos.number": [2, 6]})
    assert [len(found) for found in hashes(study, "train")] == [2, 6]
    held = hashes(study, "held_out")
    assert held[0] == held[1]
    assert len(held[0]) == 4, "a quarter of fourteen"
    assert [one.plan.photos.screen.faces for one in study.resolved] == ["ignored", "ignored"]
    steps = [{trace.step for trace in photo.trail} for one in study.resolved for photo in one.sets["ada"].photos]
    assert all("smart" in own and "head" not in own for own in steps)


def looked_at(train: str, held: str = "", aside: str = "") -> PhotoSet:
    """A photo set of small letters for photos with a face and capitals for those without; ``held`` are references."""

    def seen(letter: str) -> dict[str, Any]:
        return {"faces": [{}] if letter.islower() else []}

    pixels = np.zeros((8, 8, 3), np.uint8)
    references = [f"references/{letter}" for letter in held]
    photos = [Photo(name, pixels, name[-1], seen=seen(name[-1])) for name in [*train, *references]]
    others = [Rejected(name, "stranger", "shows someone else", "Choose.", name, seen=seen(name)) for name in aside]
    return PhotoSet(Path("set"), tuple(photos), tuple(others), frozenset(references), "")


def plan_of(model: Path, *names: str, faces: str = "auto") -> RunPlan:
    tree = base_plan(model, "photos")
    tree["subjects"] = [{"name": name, "photos": name} for name in names]
    tree["photos"]["screen"] = {"faces": faces}
    return plan_from(tree, "the test")


@pytest.mark.parametrize(
    ("train", "held", "aside", "digests", "faces"),
    [
        ("abcd", "ef", "G", "ab", "auto"),  # of people, and so are these
        ("ABCDe", "FG", "", "AB", "auto"),
        ("ABCDe", "Fg", "", "Ae", "ignored"),
        ("ABCde", "FG", "h", "de", "ignored"),
        ("abcDE", "fg", "", "abDE", "auto"),
        ("abcDEF", "GHi", "jk", "DE", "required"),
    ],
)
def test_faces_are_spoken_of_only_where_a_few_photos_would_be_taken_otherwise(
    train: str, held: str, aside: str, digests: str, faces: str
) -> None:
    chosen = {"ada": Chosen(looked_at(train, held, aside), frozenset(digests))}
    plan = plan_of(Path("model"), "ada")
    decided = _as_decided(plan, chosen)
    assert decided.photos.screen.faces == faces
    assert decided == plan or faces != "auto"
    given = plan_of(Path("model"), "ada", faces="required")
    assert _as_decided(given, chosen) == given


def test_one_setting_cannot_say_of_two_subjects_that_only_one_is_a_person() -> None:
    both = {"ada": Chosen(looked_at("abcd"), frozenset("ab")), "dog": Chosen(looked_at("ABCDe"), frozenset("Ae"))}
    with pytest.raises(PlanError, match="at least half of all photos of dog do not show a face, unlike the few"):
        _as_decided(plan_of(Path("model"), "ada", "dog"), both)


def test_a_photo_that_is_set_aside_beside_the_few_is_named() -> None:
    chosen = Chosen(looked_at("abcd", "ef"), frozenset("ab"))
    subject = plan_of(Path("model"), "ada").subjects[0]
    _require_kept(subject, chosen, looked_at("ab", "ef"))
    with pytest.raises(PlanError, match=r"photos\.number = 2, but of the photos of ada .* b shows someone else\."):
        _require_kept(subject, chosen, looked_at("a", "ef", "b"))
