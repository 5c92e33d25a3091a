"""One held-out pool per subject: taken out first, the same for every run, never trained on by any."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from boothlab.api.study_places import coordinates
from boothlab.api.study_resolving import Study, resolve_study
from boothlab.errors import PlanError
from boothlab.studies.compare import neighbours
from photos_made import photo_folder
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
    assert coordinates(study) == {"a": {"subjects": "ada"}, "mix": {"subjects": "ada + bob"}}


def test_runs_stand_where_their_own_plans_put_them(tiny_sd: Path, tmp_path: Path) -> None:
    """Not where the base plan stands: a length of another kind takes its place, and so does a whole strategy."""
    lora = {"kind": "lora", "learning_rate": 1e-4}
    runs: list[dict[str, Any]] = [
        {"name": "plain", "settings": {"training.steps": 3}},
        {"name": "per photo", "settings": {"training.steps_per_photo": 2}},
        {"name": "lora", "settings": {"strategy": lora}},
        {"name": "rate", "settings": {"strategy.learning_rate": 5e-6}},
    ]
    found = coordinates(resolved(tmp_path, tiny_sd, 4, base_plan(tiny_sd, "photos", steps=4), runs=runs))
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
    places = coordinates(study)
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


@pytest.mark.parametrize(
    ("pools", "said"),
    [({"bob": "photos"}, "held_out.bob: there is no such subject"), ({"ada": "empty"}, "holds no photos")],
)
def test_a_pool_that_cannot_be_is_said(pools: dict[str, str], said: str, tiny_sd: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlanError, match=said):
        resolved(tmp_path, tiny_sd, 4, held_out=pools)
