"""The copy of a study's file beside its page: the same runs from any place. The page says nothing of this disk."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from boothlab.api.studies.reading import coordinates
from boothlab.api.studies.reporting import plan_text
from boothlab.api.studies.resolving import Study, resolve_study
from boothlab.config.show import to_toml
from boothlab.plan import digest
from boothlab.studies.plan import is_study, without_places
from photos_made import photo_folder
from study_made import SEARCH, base_plan

PHOTOS = "subjects.0.photos"


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """Photos of ada in two folders, others of hers and of bob's that are held out, and bob's."""
    for first, name in ((0, "ada"), (4, "ada-too"), (10, "more/ada"), (20, "bob"), (30, "more/bob")):
        photo_folder(tmp_path / "mine" / name, 4, size=(72, 64), first=first)
    return tmp_path / "mine"


def file_of(places: Path, tiny_sd: Path, **tree: Any) -> Path:
    """A study whose every path is relative: of its base plan to another folder than its own ones."""
    (places / "plans").mkdir()
    (places / "plans" / "base.toml").write_text(to_toml(base_plan(tiny_sd, "../ada", steps=2)))
    held = {"held_out": {"ada": "more/ada", "bob": "more/bob"}}
    (places / "rates.toml").write_text(to_toml({"name": "rates", "plan": "plans/base.toml", **held, **tree}))
    return places / "rates.toml"


def what(study: Study) -> list[Any]:
    """Names, places and digests of all runs; a digest holds the content of the photos, not their place."""
    runs = zip((*study.runs, *study.scouts), (*study.resolved, *study.scouted), strict=True)
    return [coordinates(study), *((planned.name, digest(found.plan, found.inputs)) for planned, found in runs)]


def copied(study: Study) -> Path:
    """The copy beside the page, which is not written before there is one."""
    study.place.mkdir(parents=True, exist_ok=True)
    (study.place / "study.toml").write_text(plan_text(study))
    return study.place / "study.toml"


def test_the_copy_gives_the_same_runs_wherever_it_is_read_from(
    places: Path, tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mix = [{"name": name, "photos": name} for name in ("ada", "bob")]
    runs = [{"name": "mix", "settings": {"subjects": mix}}]
    file = file_of(places, tiny_sd, axes={PHOTOS: ["ada", "ada-too"]}, runs=runs)
    study = resolve_study(file, tmp_path / "studies", ["training.steps=3"])
    copy = copied(study)
    monkeypatch.chdir(copy.parent)
    again = resolve_study(Path("study.toml"), tmp_path / "studies")
    assert is_study(copy)
    assert what(again) == what(study)
    assert [planned.name for planned in study.runs] == ["photos ada", "photos ada-too", "mix"]
    assert {planned.plan.training.steps for planned in again.runs} == {3}
    assert plan_text(again) == copy.read_text()


def test_the_copy_has_the_seeds_that_the_base_plan_has_not(places: Path, tiny_sd: Path, tmp_path: Path) -> None:
    """`seeds = [0]` is what a study has by default, and was left out: the copy took the plan's own seed."""
    plan = base_plan(tiny_sd, "ada", steps=2, seed=5)
    file = file_of(places, tiny_sd, seeds=[0], plan=plan, held_out={"ada": "more/ada"})
    study = resolve_study(file, tmp_path / "studies")
    again = resolve_study(copied(study), tmp_path / "studies")
    assert [planned.plan.training.seed for planned in (*study.runs, *again.runs)] == [0, 0]
    assert what(again) == what(study)


def test_a_search_goes_on_from_the_copy(places: Path, tiny_sd: Path, tmp_path: Path) -> None:
    """Its trials are known by the settings as the file has them, which are the copy's too."""
    pytest.importorskip("optuna")
    from boothlab.api.studies.searching import planned_rung, search_key
    from boothlab.studies.trials import Trial

    search = {**SEARCH, "ranges": {PHOTOS: {"choices": ["ada", "ada-too"]}}}
    study = resolve_study(file_of(places, tiny_sd, search=search, held_out={"ada": "more/ada"}), tmp_path / "studies")
    again = resolve_study(copied(study), tmp_path / "studies")
    assert what(again) == what(study)
    assert search_key(again) == search_key(study)
    trial = Trial(0, {PHOTOS: "ada-too"})
    rungs = [planned_rung(one, one.plan.search, trial) for one in (study, again) if one.plan.search is not None]
    assert rungs[0].resolved[0].inputs == rungs[1].resolved[0].inputs


def test_of_places_on_this_disk_the_page_says_the_last_part(tmp_path: Path) -> None:
    here = str(tmp_path)
    tree = {
        "held_out": {"ada": f"{here}/more/ada"},
        "axes": {PHOTOS: [f"{here}/ada", "photos/ada"], "training.steps": [1, 2]},
        "runs": [{"name": "a", "settings": {"photos": {"references": "~/more"}, "base.model": f"{here}/sd"}}],
        "search": {"ranges": {"objective.class_folder": {"choices": [f"{here}/a", f"{here}/b"]}}},
        "claims": ["/ is a word.", {"say": "More.", "axis": PHOTOS, "at": f"{here}/ada", "than": "photos/ada"}],
        "plan": {"base": {"model": "toon"}, "subjects": [{"name": "ada", "photos": f"{here}/mine"}]},
        "notes": ["/imagine that."],
    }
    text = to_toml(without_places(tree))
    assert here not in text
    assert tomllib.loads(text) == {
        "held_out": {"ada": "ada"},
        "axes": {PHOTOS: ["ada", "photos/ada"], "training.steps": [1, 2]},
        "runs": [{"name": "a", "settings": {"photos": {"references": "more"}, "base.model": "sd"}}],
        "search": {"ranges": {"objective.class_folder": {"choices": ["a", "b"]}}},
        "claims": ["/ is a word.", {"say": "More.", "axis": PHOTOS, "at": "ada", "than": "photos/ada"}],
        "plan": {"base": {"model": "toon"}, "subjects": [{"name": "ada", "photos": "mine"}]},
        "notes": ["/imagine that."],
    }
