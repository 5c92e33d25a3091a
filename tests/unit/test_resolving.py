"""What a plan cannot mean is said before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boothlab import api
from boothlab.api.resolving import contents_of, resolve
from boothlab.api.studies.resolving import resolve_all, resolve_study
from boothlab.errors import PhotoError, PlanError
from boothlab.models.config import Base
from boothlab.models.tokens import load_tokenizer, suggest
from boothlab.photos.config import Photos, Screen
from boothlab.plan import plan_from
from boothlab.studies.expand import Planned
from clock import quickest
from photos_made import photo_folder
from study_made import base_plan, write_study


def plan(tiny_sd: Path, place: Path, /, **changes: dict[str, Any]) -> dict[str, Any]:
    """The tiny plan with some tables changed."""
    tree = base_plan(tiny_sd, place)
    for table, values in changes.items():
        tree[table] = {**tree.get(table, {}), **values}
    return tree


def two(tree: dict[str, Any], photos: Path, noun: str = "person") -> dict[str, Any]:
    bob = {"name": "bob", "photos": str(photos), "identifier": "kilt", "class_noun": noun}
    return {**tree, "subjects": [*tree["subjects"], bob]}


def test_a_photo_set_was_decided_when_it_was_prepared(tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 4, size=(72, 64))
    settings = Photos(domain="drawings", screen=Screen(enabled=False))
    api.prepare(tmp_path / "photos", tmp_path / "set", settings, Base(model=str(tiny_sd)))
    resolve(plan_from(plan(tiny_sd, tmp_path / "set"), "t"))
    changed = plan(tiny_sd, tmp_path / "set", photos={"framing": "letterbox", "captions": "ignore"})
    with pytest.raises(PlanError, match=r"photos\.framing, photos\.captions is decided already"):
        resolve(plan_from(changed, "t"))
    changed = plan(tiny_sd, tmp_path / "set", photos={"screen": {"enabled": False, "sharpness": 0.9}})
    with pytest.raises(PlanError, match=r"in which photos\.screen is decided already"):
        resolve(plan_from(changed, "t"))
    photo_folder(tmp_path / "others", 3, size=(64, 72))
    changed = plan(tiny_sd, tmp_path / "set", photos={"references": str(tmp_path / "others"), "split_seed": 3})
    with pytest.raises(PlanError, match=r"photos\.references, photos\.split_seed is decided already"):
        resolve(plan_from(changed, "t"))


def test_patience_needs_something_to_wait_for(tiny_sd: Path, tmp_path: Path) -> None:
    few, many = photo_folder(tmp_path / "few", 4, size=(72, 64)), photo_folder(tmp_path / "many", 9, size=(72, 64))
    looking = {"training": {"validation": {"every": 1, "patience": 1}}}
    with pytest.raises(PlanError, match="none is held out"):
        resolve(plan_from(plan(tiny_sd, few, **looking), "t"))
    resolve(plan_from(plan(tiny_sd, many, **looking), "t"))


def test_a_study_says_of_every_run_what_would_end_its_training(tiny_sd: Path, tmp_path: Path) -> None:
    """Runs that share photos and prompts are looked at once, but what else a run asks is looked at in each."""
    runs: list[dict[str, Any]] = [
        {"name": "plain"},
        {"name": "vector", "settings": {"strategy.identifier_learning_rate": 5e-3}},
        {"name": "faster", "settings": {"strategy.identifier_learning_rate": 1e-2}},
    ]
    file = write_study(tmp_path, tiny_sd, 4, runs=runs)
    with pytest.raises(PlanError, match=r"'rinn' is 2 tokens .* \(in vector and 1 more\)\n  Take another identifier"):
        resolve_study(file, tmp_path / "studies")
    waiting = {"training.validation": {"every": 1, "patience": 1}}
    file = write_study(tmp_path, tiny_sd, 4, runs=[{"name": "plain"}, {"name": "patient", "settings": waiting}])
    with pytest.raises(PlanError, match=r"none is held out\. \(in patient\)\n  Give 8 photos or more"):
        resolve_study(file, tmp_path / "studies")


def test_looking_at_every_run_of_a_thousand_takes_no_second(tiny_sd: Path, tmp_path: Path) -> None:
    """Beyond reading the photos, which is done once."""
    plan = plan_from(
        {
            **base_plan(tiny_sd, photo_folder(tmp_path / "photos", 9, size=(72, 64))),
            "strategy": {"kind": "dreambooth", "identifier_learning_rate": 5e-3},
            "training": {"validation": {"every": 1, "patience": 1}},
        },
        "t",
    )
    (word,) = suggest(load_tokenizer(plan.base), 1)
    plan = plan.model_copy(update={"subjects": (plan.subjects[0].model_copy(update={"identifier": word}),)})
    resolve(plan)
    runs = [Planned(f"run {k}", "s", k, {}, None, False, plan) for k in range(1000)]
    taken, found = quickest(lambda: resolve_all(runs))
    assert taken <= 1.0
    assert len({id(one.sets) for one in found}) == 1


def test_one_folder_does_not_stand_for_two(tiny_sd: Path, tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos", 4, size=(72, 64))
    others = photo_folder(tmp_path / "bob", 4, size=(90, 64))
    shared = photo_folder(tmp_path / "refs", 3, size=(64, 72))
    with pytest.raises(PlanError, match="there are 2 subjects"):
        resolve(plan_from(two(plan(tiny_sd, photos, photos={"references": str(shared)}), others), "t"))
    own = plan(tiny_sd, photos, objective={"class_folder": str(shared)})
    with pytest.raises(PlanError, match="dog and of person at once"):
        resolve(plan_from(two(own, others, "dog"), "t"))
    for name in ("ada", "bob"):
        photo_folder(tmp_path / "each" / name, 3, size=(64, 72 + len(name)))
    apart = resolve(plan_from(two(plan(tiny_sd, photos, photos={"references": str(tmp_path / "each")}), others), "t"))
    assert {name: len(found.held_out) for name, found in apart.sets.items()} == {"ada": 3, "bob": 3}


def test_one_of_several_may_have_no_references_and_one_alone_may_not(tiny_sd: Path, tmp_path: Path) -> None:
    """A folder of anything among the references was taken for another subject's, and nothing was held out."""
    photos = photo_folder(tmp_path / "photos", 9, size=(72, 64))
    others = photo_folder(tmp_path / "bob", 9, size=(90, 64))
    photo_folder(tmp_path / "each" / "ada", 3, size=(64, 72))
    given = plan(tiny_sd, photos, photos={"references": str(tmp_path / "each")})
    both = resolve(plan_from(two(given, others), "t"))
    assert {name: len(found.held_out) for name, found in both.sets.items()} == {"ada": 3, "bob": 0}
    assert {name: len(found.train) for name, found in both.sets.items()} == {"ada": 9, "bob": 9}
    alone = {**given, "subjects": two(given, others)["subjects"][1:]}
    with pytest.raises(PhotoError, match="each; it has no usable photo, so nothing would be held out"):
        resolve(plan_from(alone, "t"))
    (tmp_path / "each" / "ada").rename(tmp_path / "each" / "2024")
    for subjects in (given, two(given, others)):
        with pytest.raises(PhotoError, match="each; it has no usable photo, so nothing would be held out"):
            resolve(plan_from(subjects, "t"))


def test_a_damaged_set_in_the_cache_is_made_again(tiny_sd: Path, tmp_path: Path, own_home: Path) -> None:
    photos = photo_folder(tmp_path / "photos", 4, size=(72, 64))
    first = resolve(plan_from(plan(tiny_sd, photos), "t")).sets["ada"]
    damaged = next(path for path in first.path.glob("*.png") if path.name.startswith("000"))
    damaged.write_bytes(damaged.read_bytes() + b"x")
    again = resolve(plan_from(plan(tiny_sd, photos), "t")).sets["ada"]
    assert again.content_hash == first.content_hash
    assert damaged.read_bytes()[-1:] != b"x"


def test_what_lies_beside_the_photos_is_told_as_it_is_now_and_changes_no_run(
    tiny_sd: Path, tmp_path: Path, own_home: Path
) -> None:
    """A set in the cache told of a folder that was gone, and of no new one."""
    photos = photo_folder(tmp_path / "photos", 4, size=(72, 64))
    held = photo_folder(tmp_path / "held", 3, size=(64, 72))
    settings = plan_from(plan(tiny_sd, photos, photos={"references": str(held)}), "t")

    def looked() -> tuple[list[tuple[str, str]], dict[str, str]]:
        found = resolve(settings)
        return [(item.name, item.code) for item in found.sets["ada"].rejected], found.inputs

    bare, inputs = looked()
    before = contents_of(photos)
    assert bare == []
    (photos / "inside").mkdir()
    (held / "film.mov").write_bytes(b"film")
    assert looked() == ([("inside", "folder"), ("references/film.mov", "no-picture")], inputs)
    assert contents_of(photos) == before, "a search goes on"
    (photos / "inside").rmdir()
    assert looked() == ([("references/film.mov", "no-picture")], inputs)


def test_an_identifier_whose_vector_is_learned_is_one_token(tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 4, size=(72, 64))
    tree = plan(tiny_sd, tmp_path / "photos", strategy={"kind": "dreambooth", "identifier_learning_rate": 1e-3})
    tree["subjects"] = [{**tree["subjects"][0], "identifier": "zl635"}]
    with pytest.raises(PlanError, match=r"'zl635' is \d tokens .*identifier_learning_rate learns the vector of one"):
        resolve(plan_from(tree, "t"))
    tree["subjects"] = [{**tree["subjects"][0], "identifier": "nlwx"}]
    assert resolve(plan_from(tree, "t")).plan.subjects[0].identifier == "nlwx"


@pytest.mark.parametrize(
    ("prompt", "contexts", "said"),
    [
        ("a photo of {it}", ["a drawing of {it}"], []),
        ("a photo of rinn person", ["rinn person at sea"], []),
        ("a photo", ["a drawing of {it}"], ["objective.instance_prompt is 'a photo': it does not say {it}"]),
        ("a photo of {it}", ["a drawing", "the sea"], ["No prompt of evaluation.prompts says {it}"]),
        ("a photo of {it}", ["the sea", "{it} at sea"], []),
    ],
)
def test_a_subject_that_no_prompt_names_is_told(
    prompt: str, contexts: list[str], said: list[str], tiny_sd: Path, tmp_path: Path
) -> None:
    tree = {
        "subjects": [{"name": "ada", "photos": str(photo_folder(tmp_path / "ada", 3)), "identifier": "rinn"}],
        "base": {"model": str(tiny_sd), "device": "cpu"},
        "objective": {"instance_prompt": prompt},
        "evaluation": {"prompts": contexts},
    }
    told = [text for text in resolve(plan_from(tree, "test")).warnings if "{it}" in text]
    assert [text.startswith(start) for text, start in zip(told, said, strict=True)] == [True] * len(said)
