"""Settings over several subjects: subjects are the units, differences are within them, class nouns between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from boothlab.api.studies.across import (
    ACROSS_HEAD,
    DIFFERENCES_HEAD,
    across_markdown,
    across_row,
    across_view,
    difference_row,
)
from boothlab.metrics import METRICS
from boothlab.reports.study import AcrossCell
from boothlab.statistics.comparisons import holm
from boothlab.statistics.intervals import Interval
from boothlab.studies.across import differences, group_of, over_subjects, welch
from boothlab.studies.points import COLUMNS, LIKENESS, PROMPT, Point
from study_made import RATE, made_point, made_study

DECIDING = [column for column in COLUMNS if column.decides]


PEOPLE = {
    "ada": {1e-6: 0.30, 2e-6: 0.52},
    "bob": {1e-6: 0.50, 2e-6: 0.69},
    "cyd": {1e-6: 0.70, 2e-6: 0.93},
    "dan": {1e-6: 0.40, 2e-6: 0.60},
}


def of_seeds(points: list[Point], subject: str, rate: float) -> float:
    return float(
        np.mean([p.cells[LIKENESS].value for p in points if p.subject == subject and p.values[RATE] == rate])
    )


def test_a_row_is_the_mean_over_subjects_whatever_the_number_of_seeds() -> None:
    points = made_study(PEOPLE)
    low, high = over_subjects(points)
    each = [of_seeds(points, name, 1e-6) for name in PEOPLE]
    half = stats.t.ppf(0.975, 3) * np.std(each, ddof=1) / np.sqrt(4)
    cell = low.cells[LIKENESS]
    assert (low.setting, low.subjects, low.trainings, cell.n) == ("learning rate 1e-06", 4, 12, 4)
    assert cell.value == pytest.approx(np.mean(each), rel=1e-12)
    assert cell.high == pytest.approx(np.mean(each) + half, rel=1e-12)
    assert low.least[LIKENESS] == pytest.approx(of_seeds(points, "ada", 1e-6), rel=1e-12)
    assert high.least[LIKENESS] == pytest.approx(of_seeds(points, "ada", 2e-6), rel=1e-12)
    assert DECIDING[0].key == LIKENESS


def test_a_difference_is_within_subjects_so_subjects_may_lie_far_apart() -> None:
    points = made_study(PEOPLE)
    found = [one for one in differences(points) if one.column.key == LIKENESS]
    (one,) = found
    each = np.array([of_seeds(points, name, 2e-6) - of_seeds(points, name, 1e-6) for name in PEOPLE])
    assert (one.axis, one.a, one.b, one.n) == ("learning rate", "1e-06", "2e-06", 4)
    assert one.difference == pytest.approx(each.mean(), rel=1e-9)
    assert one.p == pytest.approx(stats.ttest_1samp(each, 0).pvalue, rel=1e-9)
    assert one.shown
    assert one.sentence.startswith("likeness: learning rate 2e-06 against 1e-06: better (+0.2")
    rows = over_subjects(points)
    assert rows[0].cells[LIKENESS].high > rows[1].cells[LIKENESS].low, "apart only within subjects"


def test_a_share_is_at_most_one() -> None:
    points = [
        replace(p, cells={**p.cells, "background": Interval(0.9 if p.subject == "ada" else 1.0, None, None, 12)})
        for p in made_study(PEOPLE)
    ]
    for row in over_subjects(points):
        cell = row.cells["background"]
        assert (cell.value, cell.high) == (pytest.approx(0.975), 1.0)
        assert cell.low == pytest.approx(0.975 - stats.t.ppf(0.975, 3) * 0.05 / 2)


SLOW = {
    name: {rate: start + rise * k for k, rate in enumerate((1e-6, 2e-6, 4e-6, 1e-5))}
    for name, start, rise in (("ada", 0.3, 0.012), ("bob", 0.5, 0.012), ("cyd", 0.7, 0.010), ("dan", 0.4, 0.014))
}
"""Likeness rises by a little with each of four learning rates."""


def test_a_trend_is_the_rise_of_each_subjects_line_over_even_steps() -> None:
    found = [one for one in differences(made_study(SLOW)) if one.column.key == LIKENESS]
    trend = next(one for one in found if one.values)
    each = np.array(
        [
            3 * stats.linregress(range(4), [of_seeds(made_study(SLOW), name, rate) for rate in SLOW[name]]).slope
            for name in SLOW
        ]
    )
    assert len(found) == 4, "three steps between neighbours and a trend"
    assert (trend.a, trend.b, trend.values, trend.n) == ("1e-06", "1e-05", 4, 4)
    assert trend.difference == pytest.approx(each.mean(), rel=1e-9)
    assert trend.p == pytest.approx(stats.ttest_1samp(each, 0).pvalue, rel=1e-9)
    assert trend.p < min(one.p for one in found if not one.values)
    assert trend.sentence.startswith("likeness: learning rate from 1e-06 to 1e-05, 4 values: better (+0.0")
    flat = made_study({name: dict.fromkeys(rates, 0.5) for name, rates in SLOW.items()})
    (none,) = (one for one in differences(flat) if one.column.key == LIKENESS and one.values)
    assert "4 values: no trend found" in none.sentence


def test_a_trend_needs_three_numbers_and_points_at_all_of_them() -> None:
    assert not any(one.values for one in differences(made_study(PEOPLE)))
    points = made_study(SLOW)
    hole = [p for p in points if not (p.subject == "ada" and p.values[RATE] == 4e-6)]
    (trend,) = (one for one in differences(hole) if one.column.key == LIKENESS and one.values == 4)
    assert trend.n == 3, "ada has no line of four"
    words = [replace(p, values={**p.values, RATE: str(p.values[RATE])}) for p in points]
    assert not any(one.values for one in differences(words))


def test_a_trend_of_distances_needs_the_same_photos_along_it() -> None:
    points = [
        replace(p, cells={**p.cells, "lpips": p.cells[LIKENESS]}, against={"originals": "twelve"})
        for p in made_study(SLOW)
    ]
    assert any(one.values for one in differences(points) if one.column.key == "lpips")
    other = [replace(p, against={"originals": "six"}) if p.values[RATE] == 1e-5 else p for p in points]
    assert not any(one.values for one in differences(other) if one.column.key == "lpips")


def test_holm_is_over_the_two_numbers_that_decide() -> None:
    found = differences(made_study(PEOPLE))
    assert [one.column.key for one in found] == ["likeness", "prompt"]
    assert [one.adjusted for one in found] == holm([one.p for one in found])


def test_two_subjects_say_nothing_about_the_next() -> None:
    points = made_study({name: PEOPLE[name] for name in ("ada", "bob")})
    assert over_subjects(points) == []
    assert differences(points) == []
    assert across_view([], [], DECIDING) is None


def test_class_nouns_part_the_subjects_and_are_compared_between_them() -> None:
    things = {"m1": {1e-6: 0.80}, "m2": {1e-6: 0.85}, "m3": {1e-6: 0.95}}
    people = made_study({name: {1e-6: rates[1e-6]} for name, rates in PEOPLE.items()}, noun="person")
    points = people + made_study(things, noun="monster")
    assert {row.noun: row.subjects for row in over_subjects(points)} == {"person": 4, "monster": 3}
    (one,) = [one for one in differences(points) if one.column.key == LIKENESS]
    sides = [[of_seeds(points, name, 1e-6) for name in group] for group in (PEOPLE, things)]
    wanted = stats.ttest_ind(sides[1], sides[0], equal_var=False)
    assert (one.axis, one.a, one.b, one.n) == ("class noun", "person", "monster", 3)
    assert one.p == pytest.approx(wanted.pvalue, rel=1e-9)
    assert one.low == pytest.approx(wanted.confidence_interval(0.95).low, rel=1e-9)


def test_settings_are_compared_within_each_class_noun() -> None:
    things = {name: {1e-6: 0.8, 2e-6: 0.6} for name in ("m1", "m2", "m3")}
    points = made_study(PEOPLE, noun="person") + made_study(things, noun="monster")
    found = [one for one in differences(points) if one.axis == "learning rate" and one.column.key == LIKENESS]
    assert [(one.where, one.n) for one in found] == [("person", 4), ("monster", 3)]
    assert found[0].difference > 0.1
    assert found[1].difference < -0.1
    assert "(person)" in found[0].sentence


def test_a_noun_that_varies_within_a_subject_is_a_setting_and_parts_nobody() -> None:
    points = [
        replace(point, noun=noun, values={**point.values, "subjects.0.class_noun": noun})
        for noun in ("person", "plant")
        for point in made_study({name: {1e-6: 0.5} for name in PEOPLE})
    ]
    assert set(group_of(points).values()) == {""}
    assert [row.setting for row in over_subjects(points)] == [
        "learning rate 1e-06, class noun person",
        "learning rate 1e-06, class noun plant",
    ]


def test_heads_have_the_arrows_that_the_note_speaks_of() -> None:
    rows = over_subjects(made_study(PEOPLE))
    view = across_view(rows, (), [column for column in COLUMNS if column.key in (LIKENESS, "likeness_train", "glue")])
    assert view is not None
    assert view.head[2:] == ("likeness ↑", "likeness to training photos", "the photos' background ↓")
    assert "where lower is better (↓)" in view.note


def test_changes_of_numbers_come_in_their_order_with_a_cell_for_each_column_that_decides() -> None:
    """As text 60 stood behind 300."""
    points = [
        replace(
            made_point(f"{name} {steps}", {"training.steps": steps}),
            subject=name,
            cells={
                LIKENESS: Interval(0.001 * steps * (1 + 0.01 * k), None, None, 9),
                **({PROMPT: Interval(0.9 - 0.01 * k, None, None, 9)} if steps < 300 else {}),
                "variety": Interval(0.5 - 0.001 * steps + 0.002 * k * steps / 300, None, None, 9),
            },
        )
        for k, name in enumerate(PEOPLE)
        for steps in (60, 120, 300)
    ]
    view = across_view(over_subjects(points), found := differences(points), DECIDING)
    assert view is not None
    assert view.effects.heads == ("likeness ↑", "prompt following ↑")
    changes = ["steps 120 against 60", "steps 300 against 120", "steps from 60 to 300, 3 values"]
    assert [row.change for row in view.effects.rows] == changes
    assert [[cell is not None for cell in row.cells] for row in view.effects.rows] == [
        [True, True],
        [True, False],
        [True, False],
    ]
    cell = view.effects.rows[1].cells[0]
    assert cell is not None
    assert cell.value == pytest.approx(0.18 * 1.015)
    one = next(d for d in found if d.column.key == LIKENESS and d.a == "120" and not d.values)
    assert (cell.low, cell.high, cell.shown) == (one.low, one.high, one.shown)
    assert cell.finding == f"{'better' if one.shown else 'none found'}, p = {one.adjusted:.2g}"
    real = [d.sentence for d in found if d.shown and not d.column.decides]
    assert view.others == tuple(real)
    assert len(real) == 3


def test_learning_rate_by_steps_over_subjects_is_drawn_but_not_over_people_and_plants() -> None:
    points = [
        replace(
            made_point(f"{name} {rate} {steps}", {RATE: rate, "training.steps": steps}),
            subject=name,
            cells={LIKENESS: Interval(0.3 + 0.1 * k, None, None, 9)},
        )
        for k, name in enumerate(PEOPLE)
        for rate in (1e-6, 2e-6)
        for steps in (60, 120)
    ]
    view = across_view(over_subjects(points), [], DECIDING, points=points)
    assert view is not None
    (likeness,) = view.maps
    assert (likeness.x, likeness.y) == (("60", "120"), ("2e-06", "1e-06"))
    assert likeness.cells[0] == pytest.approx((0.45, 0.45))
    rivals = [replace(one, rival="fixed", cells={LIKENESS: Interval(9.0, None, None, 9)}) for one in points]
    again = across_view(over_subjects(points), [], DECIDING, points=[*points, *rivals])
    assert again is not None
    assert again.maps == view.maps
    apart = [replace(one, noun="plant" if one.subject == "dan" else "person") for one in points]
    more = [replace(one, subject=f"{one.subject} {k}") for k in range(3) for one in apart]
    parted = across_view(over_subjects(more), [], DECIDING, points=more)
    assert parted is not None
    assert parted.maps == ()


def test_baselines_are_rows_too_and_come_last() -> None:
    points = made_study(PEOPLE)
    base = [replace(p, run="base", state="baseline", values=dict.fromkeys(p.values, "–")) for p in points[::6]]
    rows = over_subjects([*base, *points])
    assert [(row.setting, row.baseline, row.subjects) for row in rows][-1] == ("base", True, 4)
    view = across_view(rows, differences(points), DECIDING)
    assert view is not None
    assert [row.baseline for row in view.rows] == [row.baseline for row in rows]
    assert view.rows[-1].words == ("base model", "4")
    first, cell = view.rows[0], view.rows[0].cells[0]
    assert first.words[1] == "4, 12"
    assert cell is not None
    assert cell == AcrossCell(
        *(getattr(rows[0].cells[LIKENESS], part) for part in ("value", "low", "high")), rows[0].least[LIKENESS]
    )
    least = min(p.cells[LIKENESS].value for p in base)
    assert rows[-1].least[LIKENESS] == rows[-1].worst(COLUMNS[0]) == least
    head, lines = across_markdown(rows, DECIDING)
    assert head == ["setting", "subjects, trainings", "likeness ↑", "prompt following ↑"]
    assert lines[0][2].endswith("; 0.3")
    assert lines[-1][0] == "base model"


def test_the_worst_subject_is_the_highest_where_lower_is_better_and_what_is_the_same_has_no_interval() -> None:
    """Copies of four subjects, and the untrained model's, who draws the same pictures for everybody."""
    copied = next(column for column in COLUMNS if column.key == "copied")
    points = made_study(PEOPLE, seeds=1)
    names = list(PEOPLE)
    points = [
        replace(p, cells={**p.cells, "copied": Interval(0.05 * names.index(p.subject), None, None, 20)})
        for p in points
    ]
    base = [
        replace(p, run="base", state="baseline", cells={"copied": Interval(0.1, None, None, 20)}) for p in points[::2]
    ]
    rows = over_subjects([*points, *base])
    view = across_view(rows, [], [copied])
    assert view is not None
    first, last = view.rows[0].cells[0], view.rows[-1].cells[0]
    assert first is not None
    assert (first.value, first.worst) == (pytest.approx(0.075), pytest.approx(0.15))
    assert (rows[0].least["copied"], rows[0].most["copied"]) == (0.0, pytest.approx(0.15))
    assert last == AcrossCell(pytest.approx(0.1), None, None, None)
    assert across_markdown(rows, [copied])[1][-1][-1] == "0.1"


def test_every_column_of_the_tables_has_a_value_of_its_own() -> None:
    points = made_study(PEOPLE)
    assert all(len(across_row(row)) == len(ACROSS_HEAD) for row in over_subjects(points))
    assert all(len(difference_row(one)) == len(DIFFERENCES_HEAD) for one in differences(points))
    assert [one for one in differences([replace(p, state="failed") for p in points])] == []


def test_every_column_is_a_number_that_its_metric_gives() -> None:
    facts = {metric.name: metric for metric in METRICS}
    checked = [column for column in COLUMNS if column.metric in facts]
    for column in checked:
        metric = facts[column.metric]
        assert column.pictures in metric.on, column.key
        assert column.reference in metric.references, column.key
        assert column.better in (metric.better, "neither") or column.key == "leak", column.key
        assert column.bounds == metric.bounds or column.key.startswith("likeness"), column.key
    assert {"likeness", "prompt", "leak", "variety", "class_variety", "drift"} <= {column.key for column in checked}


def test_one_and_the_same_difference_for_everybody_is_one_measurement() -> None:
    """The untrained model draws the same class for every subject; eight equal differences are no eight findings."""
    points = [
        replace(
            point, cells={**point.cells, LIKENESS: replace(point.cells[LIKENESS], value=1e5 * point.values[RATE])}
        )
        for point in made_study(PEOPLE)
    ]
    (one,) = [one for one in differences(points) if one.column.key == LIKENESS]
    assert one.difference == pytest.approx(0.1, rel=1e-9)
    assert (one.low, one.high, one.p, one.shown) == (None, None, 1.0, False)


def test_between_class_nouns_too_one_value_for_everybody_is_one_measurement() -> None:
    third = np.array([0.1 + 0.2, 0.3, 0.3])
    one = welch(COLUMNS[0], "person", "monster", np.full(4, 0.75), third)
    assert third.std() > 0
    assert (one.difference, one.n, one.low, one.high, one.p) == (third.mean() - 0.75, 3, None, None, 1.0)
    assert welch(COLUMNS[0], "person", "monster", np.array([0.75, 0.75, 0.76]), np.array([0.3, 0.3, 0.31])).p < 0.05


def test_a_mean_of_one_value_for_everybody_has_no_interval() -> None:
    """An interval of no width was printed of what to expect of the next subject."""
    points = [
        replace(point, cells={**point.cells, LIKENESS: replace(point.cells[LIKENESS], value=0.1 + 0.2)})
        for point in made_study(PEOPLE)
    ]
    for row in over_subjects(points):
        same, other = row.cells[LIKENESS], row.cells["prompt"]
        assert (same.value, same.low, same.high) == (pytest.approx(0.3), None, None)
        assert (other.low or 0.0) < other.value < (other.high or 0.0)


def test_a_group_of_one_value_beside_one_that_varies_is_tested_without_a_word_on_stderr(
    recwarn: pytest.WarningsRecorder,
) -> None:
    faces, others = np.full(8, 1.0), np.array([0.1, 0.15, 0.1, 0.2, 0.05, 0.1, 0.15, 0.2])
    one = welch(COLUMNS[0], "person", "monster", faces, others)
    assert one.difference == pytest.approx(others.mean() - 1)
    assert one.p < 1e-6
    assert not recwarn.list
