"""What the page puts side by side: published numbers, curves over steps and exposure, memorisation as colour."""

from __future__ import annotations

import csv
import re
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from boothlab.api.study_exports import write_tables
from boothlab.api.study_published import published_view
from boothlab.api.study_views import _curves, _exposure_axes, _facts, _forests, _series, _spots, without_subject
from boothlab.evaluation.verdict import judge
from boothlab.evaluation.verdict_data import Measured
from boothlab.reports.study_figures import Bar, Spot, forest, pareto
from boothlab.statistics.intervals import Interval
from boothlab.studies.choose import choose
from boothlab.studies.compare import effects
from boothlab.studies.plan import StudyPlan
from boothlab.studies.points import LIKENESS, Point, judged
from study_made import made_point

RATE, STEPS = "strategy.learning_rate", "training.steps"


def grid() -> list[Point]:
    random = np.random.default_rng(0)
    return [
        made_point(
            f"{rate} {steps}", {RATE: rate, STEPS: steps}, 0,
            random.normal(0.5, 0.1, 12), random.normal(0.5, 0.1, 12), step=steps,
        )
        for rate in (1e-6, 2e-6)
        for steps in (100, 200)
    ]  # fmt: skip


def test_curves_go_over_steps_and_over_rate_times_steps() -> None:
    points = grid()
    exposure = _exposure_axes(points)
    by_steps, by_exposure = _curves(points, None), _curves(points, exposure)
    assert [(title, x) for title, x, _ in by_steps] == [
        ("Likeness", "optimizer steps"),
        ("Prompt following", "optimizer steps"),
    ]
    assert [curve.x for curve in by_steps[0][2]] == [(100, 200)] * 2
    assert [x for _, x, _ in by_exposure] == ["learning rate × steps"] * 2
    assert [curve.x for curve in by_exposure[0][2]] == [(1e-6 * 100, 1e-6 * 200), (2e-6 * 100, 2e-6 * 200)]


def test_main_effects_are_drawn_with_their_intervals() -> None:
    found = effects(grid())
    bars = _forests(found)["Main effects on likeness"]
    likeness = [effect for effect in found if effect.column.key == LIKENESS]
    assert [(bar.value, bar.low, bar.high) for bar in bars] == [(e.difference, e.low, e.high) for e in likeness]
    assert [bar.label for bar in bars] == ["learning rate: 2e-06 − 1e-06", "steps: 200 − 100"]
    assert "steps: 200 − 100" in forest(bars, "Main effects on likeness")
    assert forest((Bar("a", 0.1, None, None, False),), "one").startswith("<svg")


def test_in_a_subjects_own_section_its_name_is_not_said_with_every_run() -> None:
    points = [made_point(run, {}, subject="ada") for run in ("ada, steps 100", "ada, steps 1000", "zl635_008, ada")]
    said = "Take ada, steps 1000. ada, steps 100 has less, zl635_008, ada more; data, it is said."
    assert without_subject(said, points, "ada") == (
        "Take steps 1000. steps 100 has less, zl635_008, ada more; data, it is said."
    )


def test_a_plot_says_what_it_leaves_out() -> None:
    random = np.random.default_rng(0)
    points = [
        made_point(f"{rate} {steps}", {RATE: rate * 1e-6, STEPS: steps}, 0, random.normal(0.5, 0.1, 12), step=steps)
        for rate in range(1, 25)
        for steps in (100, 200, 300)
    ]
    (title, _, lines), *_ = _curves(points, None)
    assert (title, len(lines)) == ("Likeness (the first 8 of 24; effects.csv and table.csv hold all)", 8)
    ((title, bars),) = _forests(effects(points)).items()
    assert title == "Main effects on likeness (the first 24 of 25; effects.csv and table.csv hold all)"
    assert len(bars) == 24


def test_memorisation_is_a_colour() -> None:
    points = [
        replace(point, cells={**point.cells, "likeness_train": Interval(point.cells[LIKENESS].value + gap, 0, 1, 12)})
        for point, gap in zip(grid(), (0.0, 0.1, 0.2, 0.4), strict=True)
    ]
    spots = _spots(points, choose(points, "ada"))
    assert [spot.gap for spot in spots] == [pytest.approx(gap) for gap in (0.0, 0.1, 0.2, 0.4)]
    drawn = pareto(spots, "x", "y")
    assert "memorisation: likeness to training" in drawn
    colours = set(re.findall(r"fill: (#[0-9a-f]{6})", drawn))
    plain = pareto([replace(spot, gap=None) for spot in spots], "x", "y")
    assert "memorisation" not in plain
    small = pareto([replace(spot, gap=0.001 * k) for k, spot in enumerate(spots)], "x", "y")
    assert ">0.5<" in small, "tiny gaps do not fill the scale"
    assert len(colours) > len(set(re.findall(r"fill: (#[0-9a-f]{6})", plain)))
    assert pareto([Spot("a", (0.1, None, None), (0.2, None, None), "good", True, False, 0.3)], "x", "y")


def test_it_is_said_which_snapshots_a_run_was_held_against(tmp_path: Path) -> None:
    """One snapshot's numbers, alone and beside an earlier one: good and overfitted. Who had not learned the subject
    when it was kept shows nothing."""
    kept = {100: 0.2, 200: 0.7, 300: 0.72}

    def snapshot(step: int) -> Measured:
        found = Interval(kept[step], None, None, 20)
        worse = (0.6, 0.5) if step == 300 else (0.9, 0.0)
        return Measured(
            f"step-000{step}", step, found, found, diversity_photos=worse[0], loss_gap=worse[1], prompt_base=found
        )

    def point(step: int, *steps: int) -> Point:
        ruling = {"subject": "ada", "verdict": asdict(judge([snapshot(one) for one in steps]))}
        return judged(made_point(f"steps {step}", {}, step=step, snapshot=f"step-000{step}"), [ruling])

    alone, beside, early = point(300, 300), point(300, 100, 200, 300), point(300, 100, 300)
    assert [(found.word, found.earlier) for found in (alone, beside, early)] == [
        ("good", ()),
        ("overfitted", ("step-000200",)),
        ("good", ()),
    ]
    said = [dict(_facts(SimpleNamespace(root=tmp_path), one))["overfitting by the series"] for one in (alone, beside)]
    assert said == [
        "not looked for: no earlier snapshot of its training had learned the subject",
        "looked for since step-000200",
    ]
    waiting = replace(alone, state="not yet")
    assert "1 of 2 runs had such" in _series([alone, beside, waiting])
    assert _series([waiting]) == ""
    write_tables(tmp_path, [alone, beside], [], [])
    with (tmp_path / "table.csv").open(newline="") as file:
        assert [row["held_against"] for row in csv.DictReader(file)] == ["", "step-000200"]


def test_published_numbers_stand_beside_ones_own_with_their_places() -> None:
    plan = StudyPlan.model_validate(
        {"plan": {}, "published": {"a": {"LPIPS": 0.678, "FID": 181.0}, "b": {"LPIPS": 0.604, "FID": 153.0}}}
    )
    own = {"a": (0.7, 20.0), "b": (0.75, 10.0)}
    points = [
        replace(
            made_point(f"{name} {seed}", {}, seed, setting=name),
            cells={
                "lpips": Interval(own[name][0] + 0.01 * seed, None, None, 20),
                "frechet_alexnet": Interval(own[name][1], None, None, 20),
            },
        )
        for name in own
        for seed in (0, 1)
    ]
    view = published_view(plan, points)
    assert view is not None
    assert view.head == ("run", "subject", "LPIPS, published", "FID, published", "LPIPS to all photos, here",
                         "Fréchet distance (AlexNet), here")  # fmt: skip
    assert view.rows == (
        ("a", "ada", "0.678 (2)", "181 (2)", "0.705 (1)", "20 (2)"),
        ("b", "ada", "0.604 (1)", "153 (1)", "0.755 (2)", "10 (1)"),
    )
    assert "FID itself is missing here" in view.note
    assert published_view(StudyPlan.model_validate({"plan": {}}), points) is None
