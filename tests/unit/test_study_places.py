"""Where runs stand on what their study varies: equal where the settings are, however the file writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boothlab.api.studies.places import coordinates, placed_claims
from boothlab.api.studies.resolving import Study, resolve_study
from boothlab.errors import PlanError
from boothlab.studies.neighbours import neighbours
from boothlab.studies.plan import Claim
from boothlab.studies.settings import setting_of, who_paths
from photos_made import photo_folder
from study_made import RATE, base_plan, made_point, write_study

GAMMA, WEIGHT, PHOTOS = "objective.snr_gamma", "objective.prior_weight", "subjects.0.photos"


def resolved(place: Path, tiny_sd: Path, **tree: Any) -> Study:
    return resolve_study(write_study(place, tiny_sd, 6, base_plan(tiny_sd, "photos", steps=4), **tree), place / "s")


def of_runs(study: Study) -> dict[str, dict[str, Any]]:
    """Run → its place, where every run is of one subject."""
    return {run: place for (run, _), place in coordinates(study).items()}


def compared(study: Study) -> set[tuple[str, Any, Any, int]]:
    points = [made_point(run, values, likeness=[0.1, 0.2]) for run, values in of_runs(study).items()]
    return {(one.axis, one.a, one.b, len(one.pairs)) for one in neighbours(points)}


def test_a_node_never_writes_over_what_is_varied_within_it(tiny_sd: Path, tmp_path: Path) -> None:
    """In whatever order the file lists them; the page would compare rates that no run was trained with."""
    kinds = [{"kind": "dreambooth"}, {"kind": "lora"}]
    for axes in ({RATE: [1e-4, 1e-3], "strategy": kinds}, {"strategy": kinds, RATE: [1e-4, 1e-3]}):
        study = resolved(tmp_path, tiny_sd, axes=axes)
        assert sorted(planned.plan.strategy.learning_rate for planned in study.runs) == [1e-4, 1e-4, 1e-3, 1e-3]
        assert all(p.plan.strategy.learning_rate == p.values[RATE] for p in study.runs)


def test_one_number_is_one_place_however_it_is_written(tiny_sd: Path, tmp_path: Path) -> None:
    runs = [{"name": "a", "settings": {WEIGHT: 1, RATE: 1e-6}}, {"name": "b", "settings": {RATE: 2e-6}}]
    study = resolved(tmp_path, tiny_sd, runs=runs)
    assert compared(study) == {(RATE, 1e-6, 2e-6, 1)}


def test_a_setting_that_is_left_out_is_a_place(tiny_sd: Path, tmp_path: Path) -> None:
    runs = [{"name": "plain"}, {"name": "snr", "settings": {GAMMA: 5}}]
    study = resolved(tmp_path, tiny_sd, runs=runs)
    assert of_runs(study) == {"plain": {GAMMA: "not set"}, "snr": {GAMMA: 5.0}}
    assert compared(study) == {(GAMMA, "not set", 5.0, 1)}


def test_a_setting_that_a_strategy_has_not_is_no_place(tiny_sd: Path, tmp_path: Path) -> None:
    runs = [{"name": "full"}, {"name": "lora", "settings": {"strategy": {"kind": "lora", "rank": 8}}}]
    runs.append({"name": "small", "settings": {"strategy": {"kind": "lora"}, "strategy.rank": 2}})
    places = of_runs(resolved(tmp_path, tiny_sd, runs=runs))
    assert [places[name]["strategy.rank"] for name in ("full", "lora", "small")] == [None, 8, 2]


def test_folders_of_one_name_are_two_photo_sets(tiny_sd: Path, tmp_path: Path) -> None:
    for name, size in (("raw", (72, 64)), ("edited", (64, 72))):
        photo_folder(tmp_path / name / "ada" / "photos", 8, size=size)
    axes = {PHOTOS: ["raw/ada/photos", "edited/ada/photos"], RATE: [1e-4, 1e-3]}
    study = resolved(tmp_path, tiny_sd, axes=axes)
    assert {place[PHOTOS] for place in of_runs(study).values()} == {"raw/ada/photos", "edited/ada/photos"}
    assert compared(study) == {
        (PHOTOS, "raw/ada/photos", "edited/ada/photos", 2),
        (RATE, 1e-4, 1e-3, 2),
    }


def test_one_folder_is_one_photo_set_whoever_names_it(tiny_sd: Path, tmp_path: Path) -> None:
    runs: list[dict[str, Any]] = [{"name": "a"}, {"name": "b", "settings": {PHOTOS: "./photos", RATE: 1e-6}}]
    places = of_runs(resolved(tmp_path, tiny_sd, runs=runs))
    assert places["a"][PHOTOS] == places["b"][PHOTOS]


def test_a_subject_with_other_photos_stands_elsewhere(tiny_sd: Path, tmp_path: Path) -> None:
    """Its name alone had been its place, so that rates were compared across photo sets, everything else equal."""
    photo_folder(tmp_path / "other", 8, size=(64, 72))
    other = {"name": "ada", "photos": "other", "identifier": "rinn"}
    runs: list[dict[str, Any]] = [
        {"name": "a"},
        {"name": "b", "settings": {"subjects": [other]}},
        {"name": "c", "settings": {RATE: 1e-4}},
    ]
    study = resolved(tmp_path, tiny_sd, runs=runs)
    places = of_runs(study)
    assert {place["subjects"] for place in places.values()} == {"ada"}
    assert places["a"]["subjects.photos"] == places["c"]["subjects.photos"] != places["b"]["subjects.photos"]
    assert {(axis, pairs) for axis, _, _, pairs in compared(study)} == {(RATE, 1), ("subjects.photos", 1)}
    points = [made_point(run, values, likeness=[0.1, 0.2]) for run, values in places.items()]
    assert len({setting_of(point, who_paths(points)) for point in points}) == 3


def node(name: str, photos: str = "") -> dict[str, Any]:
    return {"name": name, "photos": photos or f"people/{name}", "identifier": {"ada": "rinn", "bob": "kilt"}[name]}


def of_two(place: Path, tiny_sd: Path, **runs: list[dict[str, Any]]) -> Study:
    """Named runs of ada, whose photos there are in two folders, and of bob."""
    for first, folder in ((0, "people/ada"), (20, "people/bob"), (0, "cropped/ada")):
        photo_folder(place / folder, 8, size=(64, 72) if first else (72, 64), first=first)
    pools = {"ada": "more/ada", "bob": "more/bob"}
    for first, folder in ((10, "more/ada"), (30, "more/bob")):
        photo_folder(place / folder, 3, size=(64, 72), first=first)
    named = [{"name": name, "settings": {"subjects": nodes}} for name, nodes in runs.items()]
    return resolved(place, tiny_sd, runs=named, held_out=pools)


def of_subjects(study: Study) -> set[tuple[str, str, Any, Any]]:
    """(subject, axis, a, b) of every comparison."""
    points = [
        made_point(run, values, likeness=[0.1, 0.2], subject=subject)
        for (run, subject), values in coordinates(study).items()
    ]
    return {(one.subject, one.axis, one.a, one.b) for one in neighbours(points)}


ALL_PHOTOS = "subjects.photos"


def test_learned_together_each_stands_where_it_stands_alone(tiny_sd: Path, tmp_path: Path) -> None:
    """The joined folders had been taken for one path: they stood on the page from the root on, and nobody learned
    alone could be compared with the same learned together."""
    ada, bob, crop = node("ada"), node("bob"), node("ada", "cropped/ada")
    study = of_two(tmp_path, tiny_sd, ada=[ada], bob=[bob], both=[ada, bob], crop=[crop])
    assert {spot: (place["subjects"], place[ALL_PHOTOS]) for spot, place in coordinates(study).items()} == {
        ("ada", "ada"): ("ada", "people/ada"),
        ("bob", "bob"): ("bob", "people/bob"),
        ("both", "ada"): ("ada + bob", "people/ada"),
        ("both", "bob"): ("ada + bob", "people/bob"),
        ("crop", "ada"): ("ada", "cropped/ada"),
    }
    assert of_subjects(study) == {
        ("ada", "subjects", "ada", "ada + bob"),
        ("bob", "subjects", "bob", "ada + bob"),
        ("ada", ALL_PHOTOS, "people/ada", "cropped/ada"),
    }


def test_who_is_never_learned_alone_has_a_folder_of_its_own_name(tiny_sd: Path, tmp_path: Path) -> None:
    """Of the joined folders the last one's end had been shown, whoever the others were."""
    ada, bob, crop = node("ada"), node("bob"), node("ada", "cropped/ada")
    places = coordinates(of_two(tmp_path, tiny_sd, both=[ada, bob], ada=[ada], crop=[crop]))
    assert places["both", "ada"][ALL_PHOTOS] == places["ada", "ada"][ALL_PHOTOS] == "people/ada"
    assert places["both", "bob"][ALL_PHOTOS] == "people/bob"


def test_other_photos_of_whom_one_is_learned_with_are_another_place(tiny_sd: Path, tmp_path: Path) -> None:
    ada, bob, crop = node("ada"), node("bob"), node("ada", "cropped/ada")
    study = of_two(tmp_path, tiny_sd, bob=[bob], both=[ada, bob], cropped=[crop, bob])
    places = coordinates(study)
    assert [places[run, "bob"][ALL_PHOTOS] for run in ("bob", "both", "cropped")] == [
        "people/bob",
        "people/bob",
        "cropped/ada + people/bob",
    ]
    assert [places[run, "ada"][ALL_PHOTOS] for run in ("both", "cropped")] == ["people/ada", "cropped/ada"]
    assert of_subjects(study) == {
        ("bob", "subjects", "bob", "ada + bob"),
        ("bob", ALL_PHOTOS, "people/bob", "cropped/ada + people/bob"),
        ("ada", ALL_PHOTOS, "people/ada", "cropped/ada"),
    }


def test_one_folder_written_in_two_ways_is_no_difference_of_a_subject(tiny_sd: Path, tmp_path: Path) -> None:
    dotted = node("ada", "people/../people/ada")
    study = of_two(tmp_path, tiny_sd, plain=[node("ada")], dotted=[dotted], both=[dotted, node("bob")])
    assert {path for place in coordinates(study).values() for path in place} == {"subjects"}


def test_values_that_nothing_lies_between_are_neighbours_whatever_others_tried(tiny_sd: Path, tmp_path: Path) -> None:
    """6 and 20 steps at one rate, 12 at another: as in the source study's first series."""
    runs = [
        {"name": "six", "settings": {"training.steps": 6}},
        {"name": "twenty", "settings": {"training.steps": 20}},
        {"name": "twelve", "settings": {"training.steps": 12, RATE: 1e-6}},
        {"name": "thirty", "settings": {"training.steps": 30, RATE: 1e-6}},
    ]
    steps = "training.steps"
    assert compared(resolved(tmp_path, tiny_sd, runs=runs)) == {(steps, 6, 20, 1), (steps, 12, 30, 1)}


def claim(axis: str, at: Any, than: Any) -> dict[str, Any]:
    return {"say": "It helps.", "axis": axis, "at": at, "than": than}


def test_a_claim_finds_its_places(tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "more" / "ten", 8, size=(64, 72))
    runs = [{"name": "a"}, {"name": "b", "settings": {PHOTOS: "more/ten"}}, {"name": "c", "settings": {GAMMA: 5}}]
    claims = [claim(PHOTOS, "./more/ten", "photos"), claim(GAMMA, 5, "not set"), "In words only."]
    study = resolved(tmp_path, tiny_sd, runs=runs, claims=claims)
    first, second, words = placed_claims(study)
    places = of_runs(study)
    assert isinstance(first, Claim)
    assert isinstance(second, Claim)
    assert (first.at, first.than) == (places["b"][PHOTOS], places["a"][PHOTOS])
    assert (second.at, second.than, words) == (5.0, "not set", "In words only.")


@pytest.mark.parametrize(
    ("wrong", "message", "hint"),
    [
        (claim("strategy.lerning_rate", 2e-6, 1e-6), "about strategy.lerning_rate, which does not vary", RATE),
        (claim(RATE, 3e-6, 1e-6), "speaks of strategy.learning_rate = 3e-06, where no run stands", "1e-06, 2e-06"),
    ],
)
def test_a_claim_that_no_run_can_answer_is_said_before_anything_is_trained(
    tiny_sd: Path, tmp_path: Path, wrong: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(PlanError, match=message) as found:
        resolved(tmp_path, tiny_sd, axes={RATE: [1e-6, 2e-6]}, claims=[wrong])
    assert hint in found.value.hint


def test_a_claim_that_can_never_be_decided_is_refused(tiny_sd: Path, tmp_path: Path) -> None:
    """It stood on the page as undecided for ever; one of two equal values made Holm's family larger."""
    axes = {RATE: [1e-6, 2e-6]}
    with pytest.raises(PlanError, match="'It helps.' compares strategy.learning_rate = 1e-06 with itself"):
        resolved(tmp_path, tiny_sd, axes=axes, claims=[claim(RATE, 1e-6, 1e-6)])
    with pytest.raises(PlanError, match="from one subject to another, and this study has one: ada"):
        resolved(tmp_path, tiny_sd, axes=axes, claims=[{"say": "It carries.", "carries": "likeness"}])


LENGTH = "training.steps_per_photo"
TRIALS: dict[str, Any] = {"ranges": {RATE: {"low": 1e-4, "high": 1e-3}}, "rungs": [25, 50], "score": "prompt"}


def searched(place: Path, tiny_sd: Path, *claims: dict[str, Any], **tree: Any) -> Study:
    plan = base_plan(tiny_sd, "photos", steps_per_photo=30)
    return resolve_study(write_study(place, tiny_sd, 6, plan, claims=[*claims], **tree), place / "s")


def test_a_claim_may_be_about_the_rungs_of_a_search(tiny_sd: Path, tmp_path: Path) -> None:
    """One trial's rungs differ in their length alone; the claim had been refused."""
    pytest.importorskip("optuna")
    study = searched(tmp_path, tiny_sd, claim(LENGTH, 50, 25), claim(RATE, 1e-3, 2e-4), search=TRIALS)
    assert [(c.at, c.than) for c in placed_claims(study) if isinstance(c, Claim)] == [(50, 25), (1e-3, 2e-4)]
    runs = [{"name": "plain", "settings": {RATE: 1e-5}}]
    study = searched(tmp_path, tiny_sd, claim(LENGTH, 50, 30), search=TRIALS, runs=runs)
    (beside,) = placed_claims(study)
    assert isinstance(beside, Claim)
    assert beside.than == 30, "a run beside the search is as long as its plan says"


@pytest.mark.parametrize(
    ("axis", "drawn", "good", "bad", "hint"),
    [
        (RATE, {"low": 1e-4, "high": 1e-3}, (1e-4, 5.5e-4), 1e-2, "Trials are drawn from 0.0001 to 0.001."),
        (WEIGHT, {"low": 0.0, "high": 1.0, "step": 0.25}, (0, 0.75), 0.3, "from 0 to 1 in steps of 0.25."),
        (PHOTOS, {"choices": ["photos", "others"]}, ("./photos", "others"), "photo", "among photos, others."),
        (GAMMA, {"choices": [1.0, 5.0]}, (1, 5.0), 2.0, "among 1, 5."),
    ],
)
def test_a_claim_may_be_about_what_a_search_can_draw(
    tiny_sd: Path, tmp_path: Path, axis: str, drawn: dict[str, Any], good: tuple[Any, Any], bad: Any, hint: str
) -> None:
    """A value that no trial can have was accepted, and the claim never decided."""
    pytest.importorskip("optuna")
    photo_folder(tmp_path / "others", 6, size=(64, 72), first=10)
    search = {**TRIALS, "ranges": {axis: drawn}}
    (placed,) = placed_claims(searched(tmp_path, tiny_sd, claim(axis, *good), search=search))
    assert isinstance(placed, Claim)
    assert [placed.at, placed.than] == ["photos" if value == "./photos" else value for value in good]
    with pytest.raises(PlanError, match="with itself"):
        searched(tmp_path, tiny_sd, claim(axis, good[0], placed.at), search=search)
    with pytest.raises(PlanError, match="where no run stands") as found:
        searched(tmp_path, tiny_sd, claim(axis, good[0], bad), search=search)
    assert hint in found.value.hint


@pytest.mark.parametrize(
    ("wrong", "tree", "message", "hint"),
    [
        (claim(LENGTH, 50, 40), {"search": TRIALS}, "steps_per_photo = 40, where no run stands", "stand at 25, 50."),
        (claim(GAMMA, 5, 1), {"search": TRIALS}, "does not vary", f"What varies: {RATE}, {LENGTH}."),
        (claim(GAMMA, 5, 1), {"search": {**TRIALS, "steps": "training.steps"}}, "does not vary", "training.steps."),
        (claim(GAMMA, 5, 1), {"seeds": [0, 1]}, "does not vary", "Nothing varies in it: give it axes"),
    ],
)
def test_a_claim_beside_a_search_or_alone_is_refused_by_what_varies(
    tiny_sd: Path, tmp_path: Path, wrong: dict[str, Any], tree: dict[str, Any], message: str, hint: str
) -> None:
    if "search" in tree:
        pytest.importorskip("optuna")
    with pytest.raises(PlanError, match=message) as found:
        searched(tmp_path, tiny_sd, wrong, **tree)
    assert hint in found.value.hint
