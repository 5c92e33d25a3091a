"""What the page puts side by side: published numbers, and which snapshots a run was held against."""

from __future__ import annotations

import csv
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

from boothlab.api.studies.exports import write_tables
from boothlab.api.studies.gallery import Gallery
from boothlab.api.studies.published import published_view
from boothlab.api.studies.views import _facts, _series
from boothlab.evaluation.verdict import judge
from boothlab.evaluation.verdict_data import Measured
from boothlab.plan import plan_from
from boothlab.runs.run import Run
from boothlab.statistics.intervals import Interval
from boothlab.studies.plan import StudyPlan
from boothlab.studies.points import Point, judged
from study_made import made_point


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
    said = [
        dict(_facts(SimpleNamespace(root=tmp_path), one, ()))["overfitting by the series"] for one in (alone, beside)
    ]
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


def test_places_beside_published_ones_are_those_among_one_subjects_runs() -> None:
    plan = StudyPlan.model_validate({"plan": {}, "published": {"a": {"LPIPS": 0.6}, "b": {"LPIPS": 0.7}}})
    own = {("a", "ada"): 0.5, ("b", "ada"): 0.6, ("a", "bob"): 0.8, ("b", "bob"): 0.55}
    points = [
        replace(
            made_point(f"{name} {subject}", {}, setting=name, subject=subject),
            cells={"lpips": Interval(value, None, None, 20)},
        )
        for (name, subject), value in own.items()
    ]
    view = published_view(plan, points)
    assert view is not None
    assert [row[1:] for row in view.rows] == [
        ("ada", "0.6 (1)", "0.5 (1)"),
        ("bob", "0.6 (1)", "0.8 (2)"),
        ("ada", "0.7 (2)", "0.6 (2)"),
        ("bob", "0.7 (2)", "0.55 (1)"),
    ]


def test_the_grid_shows_one_row_to_a_context_whatever_the_class_noun(tmp_path: Path) -> None:
    gallery, points = object.__new__(Gallery), []
    gallery._runs, gallery._near = {}, {}
    for noun in ("woman", "person"):
        subject = {"name": "ada", "photos": "x", "class_noun": noun}
        contexts = ["a photo of {it}", "a photo of {it} on a red background"]
        plan = plan_from(
            {"subjects": [subject], "evaluation": {"prompts": contexts, "seeds_per_prompt": 2}}, "a plan"
        )
        point = made_point(noun, {"subjects.0.class_noun": noun})
        run = Run(tmp_path / noun)
        gallery._runs[point.folder], gallery._near[point.folder] = (run, plan), []
        points.append(point)
        for source in ("base", point.snapshot):
            for index in (0, 1):
                place = run.images / source / "ada" / f"context-{index:02d}-00.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
    grid = gallery.grid(points, SimpleNamespace(run="person", front=()))  # type: ignore[arg-type]
    assert grid is not None
    assert grid.titles == ("base model", "woman", "person ★")
    assert [text for text, _ in grid.rows] == ["a photo of {it}", "a photo of {it} on a red background"]
    assert [[path and path.parts[-5] for path in paths] for _, paths in grid.rows] == [
        ["woman", "woman", "person"]
    ] * 2
    alone = gallery.grid(points[:1], SimpleNamespace(run=None, front=()))  # type: ignore[arg-type]
    assert alone is not None
    assert alone.rows[0][0] == "a photo of a woman"
