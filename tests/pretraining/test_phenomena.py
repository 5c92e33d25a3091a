"""The studies of docs/toon-phenomena.md are valid studies, their photos are there, their arms differ in one thing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from boothlab.api.demonstration import TOON, demo_plan
from boothlab.models.config import Base
from boothlab.photos.captions import read_words
from boothlab.studies.expand import Planned, expand
from boothlab.studies.means import means
from boothlab.studies.plan import load_study
from pretraining import phenomena


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Planned, ...]]:
    """Table -> its runs, over one subject of each kind."""
    place = tmp_path_factory.mktemp("phenomena")
    files = phenomena.write(place, "develop", 1)
    return {file.stem: expand(*load_study(file), place) for file in files}


def test_every_table_is_a_study_of_three_seeds_with_photos_to_train_on(
    studies: dict[str, tuple[Planned, ...]],
) -> None:
    assert studies.keys() == phenomena.TABLES.keys()
    for name, runs in studies.items():
        every = name in ("demo", "small", "means", "sets")
        taken = 6 if name == "sets" else 13
        once = name in ("demo", "small", "nothing")
        assert {run.seed for run in runs} == ({0} if once else {0, 1} if name == "means" else {0, 1, 2})
        for run in runs:
            (subject,) = run.plan.subjects
            photos = sorted(subject.photos.glob(run.plan.photos.include[0]))
            assert len(photos) == taken, name
            words = read_words([subject.photos / "captions.csv"], photos)
            assert len(words.captions) == taken, name
            assert run.number == (None if every else run.values["photos.number"])


def test_the_arms_of_the_sets_are_the_same_takes(studies: dict[str, tuple[Planned, ...]]) -> None:
    """Five were drawn by their content, so the arms showed other scenes, and one head in five was turned."""
    taken = []
    for run in (run for run in studies["sets"] if run.seed == 0):
        (subject,) = run.plan.subjects
        (pattern,) = run.plan.photos.include
        taken.append([path.name.partition("_")[2] for path in sorted(subject.photos.glob(pattern))])
    assert taken == [[f"IMG_000{number}.jpg" for number in range(1, 7)]] * 3


def test_the_default_plan_is_the_demos_but_for_its_length(studies: dict[str, tuple[Planned, ...]]) -> None:
    plan, demo = studies["default"][0].plan, demo_plan(None, "person", Base(model="toon"))
    assert plan.strategy == demo.strategy
    assert plan.objective == demo.objective
    assert plan.generation == demo.generation
    assert plan.training.optimizer == demo.training.optimizer
    assert plan.evaluation.references_at_random, "chance parts the photos, so memorisation can be tested"
    assert (plan.training.steps, studies["default"][0].number) == (phenomena.STEPS, phenomena.TRAINED_ON)


def test_the_table_of_the_demo_has_its_snapshots_and_the_source_studys_best_settings_beside_them(
    studies: dict[str, tuple[Planned, ...]],
) -> None:
    demo = TOON["training"]
    small = [run for run in studies["demo"] if not run.rival]
    assert [run.plan.training.steps for run in small] == [*demo["snapshots"], demo["steps"]]
    assert {run.plan.photos.captions for run in small} == {"use"}
    first, second = (run for run in studies["demo"] if run.rival)
    assert (first.name, second.name) == ("zl635_008, person-00", "CYR_003, person-00")
    assert [run.plan.strategy.learning_rate for run in (first, second)] == [5e-4, 5e-3]
    assert [run.plan.training.steps_per_photo for run in (first, second)] == [20, 4]
    assert {run.plan.photos.captions for run in (first, second)} == {"ignore"}
    assert {run.plan.subjects for run in (first, second)} == {small[0].plan.subjects}


def test_the_small_study_shares_its_lengths_and_has_the_same_rivals(studies: dict[str, tuple[Planned, ...]]) -> None:
    own = [run for run in studies["small"] if not run.rival]
    lengths = [120, 180, 240, 300, 400, 500]
    ways = {rate: [run for run in own if run.plan.strategy.learning_rate == rate] for rate in (1e-3, 5e-4)}
    assert all([run.plan.training.steps for run in way] == lengths for way in ways.values())
    assert {run.plan.strategy.text_encoder for run in ways[5e-4]} == {True}
    rivals, before = (
        [(run.name, run.plan.model_copy(update={"name": ""})) for run in studies[name] if run.rival]
        for name in ("small", "demo")
    )
    assert rivals == before


def test_subjects_are_numbered_from_where_one_asks(tmp_path: Path) -> None:
    (file,) = phenomena.write(tmp_path, "demo", 2, ("default",), first=21)
    assert [run.plan.subjects[0].name for run in expand(*load_study(file), tmp_path) if run.seed == 0] == [
        "person-21", "person-22"
    ]  # fmt: skip


def test_a_table_with_fewer_seeds_is_the_beginning_of_the_whole_one(tmp_path: Path) -> None:
    (whole,) = phenomena.write(tmp_path / "whole", "develop", 1, ("prior",))
    (part,) = phenomena.write(tmp_path / "part", "develop", 1, ("prior",), seeds=1)
    (study, tree), (begun, its_tree) = load_study(whole), load_study(part)
    assert (begun.seeds, begun.name) == ((0,), study.name), "one name is one folder, so its trainings are found there"
    runs, of_one = expand(study, tree, tmp_path / "whole"), expand(begun, its_tree, tmp_path / "part")
    asked = [(run.values["objective.prior_weight"], run.plan.training.steps) for run in runs if run.seed == 0]
    assert [(run.values["objective.prior_weight"], run.plan.training.steps) for run in of_one] == asked
    assert len(runs) == 3 * len(of_one) == 12


def test_people_monsters_and_plants_are_learned_in_one_study(studies: dict[str, tuple[Planned, ...]]) -> None:
    nouns = [run.plan.subjects[0].class_noun for run in studies["kinds"]]
    assert {noun: nouns.count(noun) for noun in nouns} == {"person": 9, "monster": 9, "plant": 9}
    names = {run.plan.subjects[0].name for run in studies["kinds"]}
    assert names == {"person-00", "monster-00", "plant-00"}


def test_no_noun_is_said_in_no_prompt_of_the_subject_and_in_all_of_the_class(
    studies: dict[str, tuple[Planned, ...]],
) -> None:
    runs = studies["no-noun"]
    assert {(run.plan.subjects[0].identifier_alone, run.plan.training.steps) for run in runs} == {
        (alone, steps) for alone in (False, True) for steps in (120, phenomena.STEPS)
    }
    assert {run.plan.subjects[0].class_noun for run in runs} == {"person"}
    assert all(run.plan.objective.prior_preservation for run in runs)


STANDS_IN = """#!/bin/sh
echo "$PWD: $*" >> "$SAID"
[ "$2" = boothlab ] || exit 0
mkdir -p studies/phenomena-prior-test-0 && echo "the means" > studies/phenomena-prior-test-0/subjects.md
exit 3
"""
"""Writes down what it is asked for, and ends like a study of which some trainings failed."""


def test_one_command_draws_runs_and_prints_a_table(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    python, said = tmp_path / "python", tmp_path / "said"
    python.write_text(STANDS_IN)
    python.chmod(0o755)

    def phenomena_of(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHON": str(python), "SAID": str(said)}
        command = [str(root / "scripts" / "phenomena"), *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    done = phenomena_of("place", "prior", "--first", "4", "--", "--ray", "auto")
    assert (done.returncode, done.stdout) == (3, "the means\n")
    place = tmp_path / "place"
    assert said.read_text().splitlines() == [
        f"{root}: -m pretraining phenomena --work {place} --stream test --count 8 --first 4 --tables prior",
        f"{place}: -m boothlab study prior.toml --ray auto",
    ]
    asked = phenomena_of("--help")
    assert asked.returncode == 2
    assert "scripts/phenomena DIR TABLE" in asked.stdout


def test_the_means_are_of_every_training_and_of_every_recipes_seeds(tmp_path: Path) -> None:
    (file,) = phenomena.write(tmp_path, "develop", 1, ("means",))
    study, plan = load_study(file)
    runs = expand(study, plan, tmp_path)
    found = means(study, runs, "means.toml")
    seeds = {run.name: run.seed for run in runs}
    assert [(len(one.members), {seeds[name] for name in one.members}) for one in found] == [
        (4, {0, 1}),
        (2, {0, 1}),
        (2, {0, 1}),
    ]
    assert all(one.values["training.steps"] == 400 for one in found)
    assert not any(run.rival for run in runs for one in found if run.name in one.members)
