"""Which runs of a study are averaged, what such a run is called and where it stands; what cannot be is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boothlab.api.studies.costs import folder_of
from boothlab.api.studies.places import coordinates
from boothlab.api.studies.plots import curves, maps
from boothlab.api.studies.resolving import resolve_study
from boothlab.config.load import validate
from boothlab.errors import PlanError
from boothlab.studies.carry import carried
from boothlab.studies.claims import claims_tested
from boothlab.studies.compare import effects, seeds_and_settings
from boothlab.studies.expand import Planned, expand
from boothlab.studies.means import means
from boothlab.studies.neighbours import neighbours
from boothlab.studies.plan import Claim, StudyPlan
from boothlab.studies.points import Point
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


def test_the_length_of_the_study_is_not_what_a_mean_is_known_by(tiny_sd: Path, tmp_path: Path) -> None:
    """Its members' weights are the same, and it would be drawn again."""

    def folder(steps: list[int]) -> str:
        axes, over = {RATE: [1e-4, 1e-3], "training.steps": steps}, [{"name": "m", "over": [RATE]}]
        at = [{**one, "at": {"training.steps": [2]}} for one in over]
        study = resolve_study(
            write_study(tmp_path, tiny_sd, 6, base_plan(tiny_sd, "photos"), axes=axes, means=at), tmp_path / "s"
        )
        return folder_of(study.root, study.of(study.shared.trunks[-1])).name

    assert folder([2, 4]) == folder([2, 4, 6])


def test_members_that_are_one_snapshot_are_said(tiny_sd: Path, tmp_path: Path) -> None:
    ways = [{"kind": "dreambooth"}, {"kind": "dreambooth", "learning_rate": 2e-6}]
    file = write_study(
        tmp_path, tiny_sd, 6, base_plan(tiny_sd, "photos", steps=2), axes={"strategy": ways},
        means=[{"name": "m", "over": ["strategy"]}],
    )  # fmt: skip
    with pytest.raises(PlanError, match="which are one snapshot of one training"):
        resolve_study(file, tmp_path / "s")


def test_any_name_will_do() -> None:
    _, found = planned(axes={RATE: [1e-3, 2e-3]}, means=[{"name": "2 runs", "over": [RATE]}])
    assert list(found[0].values["strategy"]["of"]) == ["2 runs", "2 runs averaged"]


def test_along_a_ridge_too() -> None:
    ridge = {"learning_rates": [1e-6, 2e-6], "exposures": [2e-4, 4e-4]}
    _, found = planned(ridge=ridge, means=[{"name": "m", "over": [RATE, "training.steps_per_photo"]}])
    assert [len(one.members) for one in found] == [4]


WEIGHT = "objective.prior_weight"


def with_a_mean_over_seeds() -> tuple[list[Point], list[Point]]:
    """Three seeds at two weights of the prior, and of each weight the mean of the three: trained ones, and all."""
    lows = {0: [0.10, 0.12, 0.11], 1: [0.20, 0.22, 0.24], 2: [0.30, 0.29, 0.31]}
    rise = {0: 0.02, 1: 0.05, 2: 0.08}
    plain, means = [], []
    for weight in (0.5, 1.0):
        for seed, low in lows.items():
            own = np.array(low) + rise[seed] * (weight > 0.5)
            places = {WEIGHT: weight, "strategy": "own"}
            plain.append(made_point(f"{weight} {seed}", places, seed, own, setting=str(weight)))
        own = np.array([0.2, 0.21, 0.22 + 0.06 * (weight > 0.5)])
        more: dict[str, Any] = {"setting": f"m {weight}", "members": ("a", "b", "c"), "over_seeds": True}
        means.append(made_point(f"m {weight}", {WEIGHT: weight, "strategy": "mean"}, 0, own, **more))
    return plain, [*plain, *means]


def test_a_mean_over_seeds_is_no_further_training_of_a_setting() -> None:
    plain, every = with_a_mean_over_seeds()
    without, beside = (next(e for e in effects(own) if e.axis == WEIGHT) for own in (plain, every))
    assert (beside.about, beside.n, beside.trainings) == ("settings", 3, 3)
    assert (beside.difference, beside.p) == (without.difference, without.p)
    claim = Claim(say="More helps.", axis=WEIGHT, at=1.0, than=0.5)
    assert claims_tested(plain, [claim]) == claims_tested(every, [claim])
    assert seeds_and_settings(plain, "ada") == seeds_and_settings(every, "ada")


def test_it_stands_beside_each_of_its_seeds_and_says_nothing_of_settings() -> None:
    _, every = with_a_mean_over_seeds()
    found = next(e for e in effects(every) if e.axis == "strategy")
    assert (found.about, found.trainings, found.n) == ("checkpoints", 6, 18)


def test_settings_are_carried_by_those_that_were_trained() -> None:
    people = [
        replace(point, subject=subject, values={**point.values, "subjects": subject})
        for subject in ("ada", "bob")
        for point in with_a_mean_over_seeds()[1]
    ]
    assert carried(people) == carried([point for point in people if not point.over_seeds]) != []


def test_maps_and_curves_stay_where_means_have_no_rate() -> None:
    points = [
        made_point(f"{rate} {steps}", {RATE: rate, "training.steps": steps}, likeness=[0.1, 0.2], step=steps)
        for rate in (1e-4, 1e-3)
        for steps in (2, 4, 6)
    ]
    mean = made_point("m", {RATE: None, "training.steps": 4}, likeness=[0.3, 0.4], step=4, members=("a", "b"))
    assert len(maps(points)) == len(maps([*points, mean])) > 0
    drawn = [plot.x_label for plot in curves(points)]
    assert [plot.x_label for plot in curves([*points, mean])] == drawn
    assert any("learning rate" in label for label in drawn)


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
            "at.training.steps: no run stands at 7",
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
            {"axes": GRID, "means": [{"name": name, "over": [RATE]} for name in "mn"]},
            "means 'm, ada, steps 10' and 'n, ada, steps 10' are of the same runs",
        ),
        (
            PLAN,
            {
                "axes": {RATE: [1e-3, 2e-3]},
                "seeds": (0, 1),
                "means": [{"name": "m", "over": [RATE], "at": {"seeds": [0]}}],
            },
            "seeds is no axis",
        ),
        (
            PLAN,
            {
                "runs": [{"name": "x", "rival": True}],
                "seeds": (0, 1),
                "means": [{"name": "m", "of": ["x"], "over": ["seeds"]}],
            },
            "is a rival, and rivals are no candidates",
        ),
        (
            PLAN,
            {"runs": [{"name": "x", "settings": {"strategy": {"kind": "mean", "of": ["a", "b"]}}}]},
            "a study makes means by [[means]]",
        ),
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
