"""Study files: every combination and seed, a walk along the ridge, all problems at once."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from boothlab.config.load import problems
from boothlab.errors import PlanError
from boothlab.studies.expand import Planned, expand, shown
from boothlab.studies.plan import StudyPlan, is_study, load_study
from boothlab.studies.search import Range
from boothlab.studies.share import Member, Shared, share
from clock import quickest

PLAN = {"subjects": [{"name": "ada", "photos": "photos"}], "strategy": {"kind": "dreambooth"}}
RIDGE = {"learning_rates": [1e-6], "exposures": [1e-4]}
HERE = Path("/study")


def study(**tree: object) -> StudyPlan:
    return StudyPlan.model_validate({"plan": PLAN, **tree})


def names(**tree: object) -> list[str]:
    return [planned.name for planned in expand(study(**tree), PLAN, HERE)]


def test_a_grid_is_every_combination_with_every_seed() -> None:
    axes = {"strategy": {"learning_rate": [1e-6, 2e-6]}, "training.steps": [10, 20]}
    runs = expand(study(axes=axes, seeds=(0, 1)), PLAN, HERE)
    assert [(r.plan.strategy.learning_rate, r.plan.training.steps, r.plan.training.seed) for r in runs] == [
        (lr, steps, seed) for lr in (1e-6, 2e-6) for steps in (10, 20) for seed in (0, 1)
    ]
    assert runs[1].name == "learning rate 1e-06, steps 10 · seed 1"
    assert runs[1].setting == runs[0].setting


def test_named_runs_stand_beside_the_grid_and_replace_whole_nodes() -> None:
    lora = {"strategy": {"kind": "lora", "rank": 4}, "training": {"steps": 7}}
    runs = expand(study(axes={"training.steps": [5]}, runs=[{"name": "lora", "settings": lora}]), PLAN, HERE)
    assert [run.name for run in runs] == ["steps 5", "lora"]
    assert (runs[1].plan.strategy.kind, runs[1].plan.strategy.rank, runs[1].plan.training.steps) == ("lora", 4, 7)
    assert (runs[0].named, runs[1].named) == (False, True)


def test_without_axes_and_runs_the_base_plan_is_the_study() -> None:
    assert names(name="once") == ["once"]


def test_the_ridge_keeps_rate_times_steps() -> None:
    ridge = {"learning_rates": [1e-6, 2e-6, 4e-6], "exposures": [2e-4]}
    runs = expand(study(ridge=ridge), PLAN, HERE)
    walked = [(run.plan.strategy.learning_rate, run.plan.training.steps_per_photo) for run in runs]
    assert walked == [(1e-6, 200), (2e-6, 100), (4e-6, 50)]


def test_the_varied_length_takes_the_place_of_the_given_one() -> None:
    plan = {**PLAN, "training": {"steps": 300}}
    (run,) = expand(study(axes={"training.steps_per_photo": [50]}), plan, HERE)
    assert (run.plan.training.steps, run.plan.training.steps_per_photo) == (None, 50)


def test_the_number_of_photos_is_a_setting_of_studies_only() -> None:
    runs = expand(study(axes={"photos.number": [4, 6]}), PLAN, HERE)
    assert [run.number for run in runs] == [4, 6]
    with pytest.raises(PlanError, match="whole number of photos"):
        expand(study(axes={"photos.number": [4, "six"]}), PLAN, HERE)


def test_all_problems_come_at_once_with_suggestions() -> None:
    axes = {"strategy.learning_rat": [1e-6, 2e-6], "training.steps": [0, 10]}
    with pytest.raises(PlanError) as caught:
        expand(study(axes=axes), PLAN, HERE, "rates.toml")
    said = str(caught.value)
    assert said.startswith("rates.toml has 2 problems")
    assert "strategy.dreambooth.learning_rat" in said or "strategy.learning_rat:" in said
    assert "did you mean 'learning_rate'?" in said
    assert "training.steps: must be 1 or more (given: 0)" in said
    assert "and 3 more" in said, "one line stands for all four runs"


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"axes": {"training.steps": 5}}, "training.steps must be a list of values"),
        ({"axes": {"training.steps": []}}, "training.steps must be a list of values"),
        ({"axes": {"training.steps": [5, 5]}}, "lists a value twice"),
        ({"axes": {"training.seed": [1, 2]}}, "give training seeds as `seeds`"),
        ({"seeds": [1, 1]}, "seeds must be different"),
        ({"runs": [{"name": "a", "settings": {"training.seed": 5}}]}, "run 'a': give training seeds as `seeds`"),
        ({"runs": [{"name": "a", "settings": {"training": {"seed": 5}}}]}, "run 'a': give training seeds as `seeds`"),
        ({"runs": [{"name": "a"}, {"name": "a"}]}, "runs must have different names: a"),
        ({"ridge": {"learning_rates": [1e-3], "exposures": [1e-4]}}, "less than one step"),
        ({"ridge": {"learning_rates": [-1e-3], "exposures": [1e-4]}}, "greater than 0"),
        (
            {"ridge": {"learning_rates": [1e-3, 2e-3], "exposures": [2e-3, 2.1e-3]}},
            "exposures 0.002 and 0.0021 are both 2 steps at learning rate 0.001: leave one out",
        ),
        ({"ridge": {"learning_rates": [1e-3, 1e-3], "exposures": [2e-3]}}, "a value is listed twice: [0.001, 0.001]"),
        ({"ridge": {**RIDGE, "steps": "training.batch_size"}}, "ridge.steps: must be 'training.steps_per_photo' or"),
        (
            {"ridge": RIDGE, "axes": {"strategy.learning_rate": [1e-3]}},
            "axes.strategy.learning_rate: the ridge",
        ),
        ({"ridge": RIDGE, "axes": {"training.steps": [10]}}, "axes.training.steps: the ridge gives it; leave it out"),
        ({"axis": {}}, "did you mean 'axes'?"),
    ],
)
def test_a_bad_study_is_one_message(tree: dict[str, object], said: str, tmp_path: Path) -> None:
    from boothlab.config.show import to_toml

    (tmp_path / "s.toml").write_text(to_toml({**tree, "plan": PLAN}))
    with pytest.raises(PlanError) as caught:
        load_study(tmp_path / "s.toml")
    assert said in str(caught.value)


def test_the_seed_of_the_base_plan_is_the_only_one_where_the_study_names_none(tmp_path: Path) -> None:
    """It was 0, whatever the plan said."""
    from boothlab.config.show import to_toml

    seeded = {**PLAN, "training": {**PLAN.get("training", {}), "seed": 7}}
    (tmp_path / "s.toml").write_text(to_toml({"plan": seeded}))
    assert load_study(tmp_path / "s.toml")[0].seeds == (7,)
    assert load_study(tmp_path / "s.toml", ["training.seed=5"])[0].seeds == (5,)
    (tmp_path / "s.toml").write_text(to_toml({"seeds": [1, 2], "plan": seeded}))
    assert load_study(tmp_path / "s.toml")[0].seeds == (1, 2)
    with pytest.raises(PlanError, match=r"--set training.seed=5: the study's training seeds are \[1, 2\]"):
        load_study(tmp_path / "s.toml", ["training.seed=5"])
    (tmp_path / "s.toml").write_text(to_toml({"plan": {**PLAN, "training": {"seed": "five"}}}))
    assert load_study(tmp_path / "s.toml")[0].seeds == (0,)


def test_a_published_number_of_no_run_is_refused() -> None:
    with pytest.raises(PlanError, match="published.b: there is no such run"):
        names(runs=[{"name": "a"}], published={"a": {"FID": 1.0}, "b": {"FID": 2.0}})
    assert names(runs=[{"name": "a"}], published={"a": {"FID": 1.0}}) == ["a"]


def test_two_points_of_one_name_are_refused() -> None:
    with pytest.raises(PlanError, match="two runs are called"):
        names(axes={"training.steps": [5]}, runs=[{"name": "steps 5"}])


def test_two_points_of_axes_that_are_called_alike_are_told_why() -> None:
    """They have no names that one could give them otherwise."""
    with pytest.raises(PlanError, match="by six digits of a number, and by the names of subjects"):
        names(axes={"strategy.learning_rate": [1e-6, 1.0000001e-6]})


@pytest.mark.parametrize(
    "tree",
    [
        {"axes": {"name": ["a", "b"]}},
        {"runs": [{"name": "a", "settings": {"name": "b"}}]},
    ],
)
def test_what_a_run_is_called_is_no_setting(tree: dict[str, object]) -> None:
    """It was written over without a word."""
    with pytest.raises(PlanError, match=r"name: what a run is called is no setting \(in "):
        names(**tree)


def test_a_search_over_an_axis_of_subjects_is_refused() -> None:
    """Its trials were of the base plan's subjects alone, and nothing said so."""
    subjects = [[{"name": name, "photos": name}] for name in ("ada", "bob")]
    search = {"ranges": {"strategy.learning_rate": {"low": 1e-6, "high": 1e-4}}, "rungs": [10]}
    with pytest.raises(ValueError, match="none of the axis `subjects`: name them in \\[\\[plan.subjects\\]\\]"):
        study(axes={"subjects": subjects}, search=search)
    study(axes={"training.steps": [10]}, search=search)


def test_paths_start_at_the_file_that_holds_them(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "base.toml").write_text('[[subjects]]\nname = "ada"\nphotos = "mine"\n')
    (tmp_path / "s.toml").write_text(
        'plan = "plans/base.toml"\n[[runs]]\nname = "a"\n[[runs]]\nname = "b"\n'
        'settings = {"subjects.0.photos" = "other"}'
    )
    found, tree = load_study(tmp_path / "s.toml", ["training.steps=3"])
    runs = expand(found, tree, tmp_path)
    assert [run.plan.subjects[0].photos for run in runs] == [tmp_path / "plans" / "mine", tmp_path / "other"]
    assert [run.plan.training.steps for run in runs] == [3, 3]
    assert is_study(tmp_path / "s.toml")
    assert not is_study(tmp_path / "plans" / "base.toml")


def test_a_plan_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('plan = "base.toml"')
    with pytest.raises(PlanError, match="'base.toml': there is no such file"):
        load_study(tmp_path / "s.toml")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2e-6, "2e-06"),
        (True, "true"),
        ("head", "head"),
        ({"kind": "lora", "rank": 4}, "lora (rank 4)"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_values_are_short_in_heads(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_thousand_runs_are_planned_in_a_second() -> None:
    axes = {
        "strategy.learning_rate": [k * 1e-6 for k in range(1, 11)],
        "training.steps": list(range(10, 510, 10)),
        "objective.prior_weight": [0.5, 1.0],
    }

    def planned() -> tuple[tuple[Planned, ...], Shared]:
        runs = expand(study(axes=axes), PLAN, HERE)
        return runs, share([Member(run.name, run.plan, {"base": "x"}, run.plan.training.steps or 0) for run in runs])

    taken, (runs, shared) = quickest(planned)
    assert len(runs) == 1000
    assert (shared.executes, shared.asked, len(shared.trunks)) == (20 * 500, 20 * 50 * 255, 20)
    assert taken <= 1.0


def test_a_study_reads_back_from_its_text_whatever_its_keys() -> None:
    from boothlab.config.show import to_toml

    tree = {
        "axes": {"subjects": [[{"name": "ada"}]], "subjects.0.identifier": ["rinn"], "photos.number": [5]},
        "published": {"CYR 1 · first": {"FID, theirs": 153.0}},
        "runs": [{"name": "a", "settings": {"training.steps": 3}}],
    }
    assert tomllib.loads(to_toml(tree)) == tree


def test_a_number_that_may_be_of_two_kinds_is_named_without_its_kind() -> None:
    assert problems(Range, {"low": float("inf"), "high": 3}) == ["low: must be a finite number (given: inf)"]
    assert problems(Range, {"low": 1, "high": "a"}) == ["high: must be a number (given: 'a')"]
    assert problems(Range, {"low": True, "high": 3}) == ["low: must be a number (given: true)"]
