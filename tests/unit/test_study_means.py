"""Which runs of a study are averaged, what such a run is called and where it stands; what cannot be is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boothlab.api.studies.places import coordinates
from boothlab.api.studies.resolving import resolve_study
from boothlab.config.load import validate
from boothlab.errors import PlanError
from boothlab.studies.compare import neighbours
from boothlab.studies.expand import Planned, expand
from boothlab.studies.means import means
from boothlab.studies.plan import StudyPlan
from study_made import RATE, base_plan, made_point, write_study

PLAN = {"subjects": [{"name": "ada", "photos": "photos"}], "strategy": {"kind": "dreambooth"}}
HERE = Path("/study")
PEOPLE = [[{"name": name, "photos": name}] for name in ("ada", "bob")]
GRID = {"subjects": PEOPLE, RATE: [1e-3, 2e-3], "training.steps": [10, 20]}


def planned(plan: dict[str, Any] = PLAN, **tree: Any) -> tuple[tuple[Planned, ...], tuple[Planned, ...]]:
    """The runs of a study, and its means."""
    study = validate(StudyPlan, {"plan": plan, **tree}, "the study")
    runs = expand(study, plan, HERE)
    return runs, means(study, runs, "the study")


def test_over_an_axis_there_is_one_for_every_point_of_the_rest() -> None:
    runs, found = planned(axes=GRID, means=[{"name": "both rates", "over": [RATE]}])
    assert [one.name for one in found] == [
        f"both rates, {name}, steps {steps}" for name in ("ada", "bob") for steps in (10, 20)
    ]
    by_name = {run.name: run for run in runs}
    for one in found:
        own = [by_name[name] for name in one.members]
        assert [run.values[RATE] for run in own] == [1e-3, 2e-3]
        assert {run.values["training.steps"] for run in own} == {one.values["training.steps"]}
        assert {run.plan.subjects for run in own} == {one.plan.subjects}
        assert (one.plan.strategy.kind, one.over) == ("mean", (RATE,))


def test_at_some_values_alone() -> None:
    _, found = planned(axes=GRID, means=[{"name": "m", "over": [RATE], "at": {"training.steps": [20]}}])
    assert [one.name for one in found] == ["m, ada, steps 20", "m, bob, steps 20"]


def test_over_seeds_there_is_one_of_all_and_else_one_for_each() -> None:
    axes = {RATE: [1e-3, 2e-3]}
    _, each = planned(axes=axes, seeds=(0, 3), means=[{"name": "m", "over": [RATE]}])
    assert [(one.name, one.seed, len(one.members)) for one in each] == [("m · seed 0", 0, 2), ("m · seed 3", 3, 2)]
    _, every = planned(axes=axes, seeds=(0, 3), means=[{"name": "m", "over": [RATE, "seeds"]}])
    assert [(one.name, len(one.members)) for one in every] == [("m", 4)]
    _, seeds = planned(axes=axes, seeds=(0, 3), means=[{"name": "m", "over": ["seeds"]}])
    assert [one.name for one in seeds] == ["m, learning rate 0.001", "m, learning rate 0.002"]
    assert len({str(one.values["strategy"]) for one in seeds}) == 2, "two means at one place would be compared as one"


def test_of_named_runs_for_each_subject() -> None:
    named = [
        {"name": name, "each_subject": True, "settings": {"training.steps": steps}}
        for name, steps in (("short", 5), ("long", 9))
    ]
    _, found = planned(axes={"subjects": PEOPLE}, runs=named, means=[{"name": "m", "of": ["short", "long"]}])
    assert [(one.name, one.members) for one in found] == [
        (f"m, {name}", (f"short, {name}", f"long, {name}")) for name in ("ada", "bob")
    ]
    assert {one.over for one in found} == {("training.steps",)}


def test_it_stands_nowhere_on_what_its_members_differ_in(tiny_sd: Path, tmp_path: Path) -> None:
    axes = {RATE: [1e-4, 1e-3], "objective.prior_weight": [0.5, 1.0], "training.steps": [2, 4]}
    over = [{"name": "m", "over": [RATE, "objective.prior_weight"]}]
    file = write_study(tmp_path, tiny_sd, 6, base_plan(tiny_sd, "photos"), axes=axes, means=over)
    study = resolve_study(file, tmp_path / "s")
    places = {run: place for (run, _), place in coordinates(study).items()}
    mean = places["m, steps 4"]
    assert (mean[RATE], mean["objective.prior_weight"], mean["training.steps"]) == (None, None, 4)
    assert mean["strategy"] == {"kind": "mean", "of": ["m", "4 runs"]}
    points = [made_point(run, values, likeness=[0.1, 0.2]) for run, values in places.items()]
    compared = {(one.axis, a.run, b.run) for one in neighbours(points) for a, b in one.pairs}
    assert ("training.steps", "m, steps 2", "m, steps 4") in compared


def test_over_strategies_its_strategy_is_the_mean(tiny_sd: Path, tmp_path: Path) -> None:
    ways = [{"kind": "dreambooth"}, {"kind": "dreambooth", "text_encoder": True}]
    axes, over = {"strategy": ways, "training.steps": [2]}, [{"name": "m", "over": ["strategy"]}]
    file = write_study(tmp_path, tiny_sd, 6, base_plan(tiny_sd, "photos"), axes=axes, means=over)
    places = {run: place for (run, _), place in coordinates(resolve_study(file, tmp_path / "s")).items()}
    assert places["m, steps 2"] == {"strategy": {"kind": "mean", "of": ["m", "2 runs"]}, "training.steps": 2}


def test_members_of_one_training_are_its_snapshots(tiny_sd: Path, tmp_path: Path) -> None:
    axes = {RATE: [1e-4, 1e-3], "training.steps": [2, 4]}
    file = write_study(
        tmp_path, tiny_sd, 6, base_plan(tiny_sd, "photos"), axes=axes, means=[{"name": "m", "over": [RATE]}]
    )
    study = resolve_study(file, tmp_path / "s")
    two, four = study.shared.trunks[-2:]
    assert [trunk.steps for trunk in (two, four)] == [2, 4]
    assert (two.own, four.own, study.shared.executes, study.shared.asked) == (0, 0, 8, 12)
    ends = [snapshot.rpartition("/")[2] for snapshot in two.plan.strategy.of]  # type: ignore[attr-defined]
    assert ends == ["step-000002", "step-000002"]
    folders = [Path(one).parent.parent.name for one in two.plan.strategy.of]  # type: ignore[attr-defined]
    assert folders == [Path(one).parent.parent.name for one in four.plan.strategy.of]  # type: ignore[attr-defined]


LORA = {"kind": "lora", "rank": 2}
EARLY = {"validation": {"every": 5, "patience": 2}}


@pytest.mark.parametrize(
    ("plan", "tree", "said"),
    [
        (PLAN, {"axes": GRID, "means": [{"name": "m"}]}, "say over which axes"),
        (PLAN, {"axes": GRID, "means": [{"name": "m", "over": ["subjects"]}]}, "different subjects"),
        (PLAN, {"axes": GRID, "means": [{"name": "m", "over": ["training.rate"]}]}, "training.rate is no axis"),
        (PLAN, {"axes": GRID, "means": [{"name": "m", "over": ["seeds"]}]}, "over seeds, and the study has one"),
        (PLAN, {"axes": GRID, "means": [{"name": "m", "of": ["a", "b"]}]}, "there is no run called 'a'"),
        (PLAN, {"axes": GRID, "means": [{"name": "m", "of": ["a", "b"], "over": [RATE]}]}, "not both"),
        (
            PLAN,
            {"axes": GRID, "means": [{"name": "m", "over": [RATE], "at": {"training.steps": [7]}}]},
            "no run stands at {'training.steps': [7]}",
        ),
        (
            PLAN,
            {"axes": GRID, "means": [{"name": "m", "over": [RATE], "at": {"training.steps": 10}}]},
            "at.training.steps must be a list",
        ),
        (
            PLAN,
            {"axes": GRID, "means": [{"name": "m", "over": [RATE], "at": {RATE: [1e-3]}}]},
            "at one value of it is no mean",
        ),
        (PLAN, {"axes": GRID, "means": [{"name": "m", "over": [RATE]}] * 2}, "another run is called so"),
        (
            PLAN,
            {"axes": {"strategy": [{"kind": "dreambooth"}, LORA]}, "means": [{"name": "m", "over": ["strategy"]}]},
            "only whole weights ('dreambooth') are averaged",
        ),
        (
            {**PLAN, "training": EARLY},
            {"axes": {RATE: [1e-3, 2e-3]}, "means": [{"name": "m", "over": [RATE]}]},
            "not known before it is trained",
        ),
        (
            PLAN,
            {"axes": {"photos.framing": ["head", "smart"]}, "means": [{"name": "m", "over": ["photos.framing"]}]},
            "differ in photos; runs that are averaged may differ in strategy, objective and training alone",
        ),
        (
            PLAN,
            {"axes": {"photos.number": [3, 5]}, "means": [{"name": "m", "over": ["photos.number"]}]},
            "differ in photos.number",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_averaged_is_said(plan: dict[str, Any], tree: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError) as caught:
        planned(plan, **tree)
    assert said in caught.value.message
