"""What a study's plots show of its points: runs, differences, curves and maps, under names short enough to read."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from boothlab.api.studies.plots import curves, exposure_axes, forests, maps, spots
from boothlab.reports.study_figures import Bar, Forest, HeatMap, Spot, forest, heat_map, pareto, scales
from boothlab.statistics.intervals import Interval
from boothlab.studies.choose import choose
from boothlab.studies.compare import effects
from boothlab.studies.points import LIKENESS, Point
from study_made import made_point

RATE, STEPS = "strategy.learning_rate", "training.steps"
WORDS = {"kind": "dreambooth", "learning_rate": 0.001, "identifier_learning_rate": 0.01}
TEXT = {"kind": "dreambooth", "learning_rate": 0.0005, "text_encoder": True, "text_encoder_learning_rate": 0.001}


def grid(rates: tuple[float, ...] = (1e-6, 2e-6), lengths: tuple[int, ...] = (100, 200, 300)) -> list[Point]:
    random = np.random.default_rng(0)
    return [
        made_point(
            f"{rate} {steps}", {RATE: rate, STEPS: steps}, 0,
            random.normal(0.5, 0.1, 12), random.normal(0.5, 0.1, 12), step=steps,
        )
        for rate in rates
        for steps in lengths
    ]  # fmt: skip


def nodes() -> list[Point]:
    """Two whole strategies at three lengths, called as a study calls them."""
    random = np.random.default_rng(1)
    said = {
        "dreambooth (learning_rate 0.001, identifier_learning_rate 0.01)": WORDS,
        "dreambooth (learning_rate 0.0005, text_encoder true, text_encoder_learning_rate 0.001)": TEXT,
    }
    return [
        made_point(
            name := f"ada, steps {steps}, strategy {node}",
            {"subjects": "ada", STEPS: steps, "strategy": said[node], "photos.number": 5}, 0,
            random.normal(0.5, 0.1, 12), random.normal(0.5, 0.1, 12), step=steps, setting=name,
        )
        for steps in (100, 200, 300)
        for node in said
    ]  # fmt: skip


def test_curves_go_over_steps_and_over_rate_times_steps() -> None:
    plots = curves(grid())
    assert [(plot.title, plot.x_label) for plot in plots] == [
        ("Likeness over steps", "optimizer steps"),
        ("Prompt following over steps", "optimizer steps"),
        ("Likeness over learning rate × steps", "learning rate × steps"),
        ("Prompt following over learning rate × steps", "learning rate × steps"),
    ]
    assert [(curve.label, curve.x) for curve in plots[0].curves] == [
        ("learning rate 1e-06", (100, 200, 300)),
        ("learning rate 2e-06", (100, 200, 300)),
    ]
    exposed = [tuple(rate * steps for steps in (100, 200, 300)) for rate in (1e-6, 2e-6)]
    assert [curve.x for curve in plots[2].curves] == exposed


def test_the_same_numbers_are_not_drawn_twice_and_two_places_are_no_line() -> None:
    assert curves(grid(lengths=(100, 200))) == ()
    one = grid()
    lone = [point for point in one if point.values[RATE] == 1e-6 or point.step == 100]
    assert exposure_axes(lone) == (RATE, STEPS)
    assert [plot.x_label for plot in curves(lone)] == ["optimizer steps"] * 2


def test_lines_and_runs_are_called_by_what_tells_them_apart() -> None:
    points = nodes()
    words, text = (
        "learning rate 0.001, identifier learning rate 0.01",
        "learning rate 0.0005, text encoder true, text encoder learning rate 0.001",
    )
    assert [curve.label for curve in curves(points)[0].curves] == [words, text]
    labels = [spot.label for spot in spots(points, choose(points, "ada"))]
    assert labels[:2] == [f"steps 100, {words}", f"steps 100, {text}"]
    (plot, *_) = forests(effects(points), points)
    assert {bar.axis: bar.label for bar in plot.bars} == {
        "steps": "300 against 200",
        "strategy": f"{text} against {words}",
    }
    rival = made_point("CYR_003, ada", {STEPS: 4}, 0, [0.5, 0.6], [0.5, 0.6], rival="CYR_003", failed_gates=("leak",))
    (*_, last) = spots([*points, rival], choose(points, "ada"))
    assert (last.label, last.note) == ("CYR_003", "failed: leak; shown beside the candidates")


def test_main_effects_are_drawn_with_their_intervals() -> None:
    points = grid(lengths=(100, 200))
    found = effects(points)
    plots = forests(found, points)
    likeness = [effect for effect in found if effect.column.key == LIKENESS]
    assert [plot.column for plot in plots] == ["likeness", "prompt following"]
    assert [(b.value, b.low, b.high) for b in plots[0].bars] == [(e.difference, e.low, e.high) for e in likeness]
    assert [(bar.axis, bar.label) for bar in plots[0].bars] == [
        ("learning rate", "2e-06 against 1e-06"),
        ("steps", "200 against 100"),
    ]
    drawn = forest(plots[0])
    assert drawn.title == "Difference in likeness (right of 0: more)"
    assert [">200 against 100<" in drawn.svg, ">steps<" in drawn.svg] == [True, True]


def size(svg: str) -> tuple[float, float]:
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert found is not None
    return float(found[1]), float(found[2])


def test_long_labels_are_whole_and_take_no_room_from_the_plot() -> None:
    label = "learning rate 0.0005, text encoder true, text encoder learning rate 0.001 against " * 2
    bar = Bar("strategy", label.strip(), 0.1, 0.0, 0.2, True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = forest(Forest("likeness", (bar, replace(bar, label="short", shown=False))))
    assert size(drawn.svg)[0] == pytest.approx(309.6)
    written = " ".join(re.findall(r"<text[^>]*>([^<]+)</text>", drawn.svg))
    assert label.strip() in written
    assert [line.text for line in drawn.key] == ["more than chance", "not shown to be more than chance"]


def test_a_plot_says_what_it_leaves_out() -> None:
    points = grid(tuple(k * 1e-6 for k in range(1, 25)))
    plot, *_ = curves(points)
    assert (plot.caption, len(plot.curves)) == ("The first 8 of 24; effects.csv and table.csv hold all.", 8)
    found, _ = forests(effects(points), points)
    assert (found.caption, len(found.bars)) == ("The first 24 of 25; effects.csv and table.csv hold all.", 24)


def test_memorisation_is_a_colour() -> None:
    points = [
        replace(point, cells={**point.cells, "likeness_train": Interval(point.cells[LIKENESS].value + gap, 0, 1, 12)})
        for point, gap in zip(grid(lengths=(100, 200)), (0.0, 0.1, 0.2, 0.4), strict=True)
    ]
    found = spots(points, choose(points, "ada"))
    assert [spot.gap for spot in found] == [pytest.approx(gap) for gap in (0.0, 0.1, 0.2, 0.4)]
    drawn = pareto(found, "x", "y").svg
    assert "learned by heart: likeness to training" in drawn
    colours = set(re.findall(r"fill: (#[0-9a-f]{6})", drawn))
    plain = pareto([replace(spot, gap=None) for spot in found], "x", "y")
    assert "learned by heart" not in plain.svg + plain.caption
    small = pareto([replace(spot, gap=0.001 * k) for k, spot in enumerate(found)], "x", "y").svg
    assert ">0.5<" in small, "tiny gaps do not fill the scale"
    assert len(colours) > len(set(re.findall(r"fill: (#[0-9a-f]{6})", plain.svg)))
    assert pareto([Spot("a", (0.1, None, None), (0.2, None, None), "good", True, False, 0.3)], "x", "y").svg


def spot(label: str, x: float, y: float, **more: Any) -> Spot:
    return Spot(label, (x, None, None), (y, None, None), **{"word": "good", "front": False, "chosen": False, **more})


def test_marks_have_numbers_and_the_key_says_whose_they_are() -> None:
    found = [
        spot("steps 300", 0.7, 0.8, chosen=True),
        spot("steps 500", 0.8, 0.8, word="overfitted", front=True, note="failed: leak"),
        spot("steps 400", 0.75, 0.9, front=True),
        spot("steps 100", 0.1, 0.2),
    ]
    drawn = pareto(found, "likeness →", "prompt following →")
    assert [(str(line.mark), line.text) for line in drawn.key[:3]] == [
        ("<b>★</b>", "steps 300: likeness 0.70, prompt following 0.80 (good)"),
        ("<b>1</b>", "steps 400: likeness 0.75, prompt following 0.90 (good)"),
        ("<b>2</b>", "steps 500: likeness 0.80, prompt following 0.80 (overfitted; failed: leak)"),
    ]
    assert [line.text for line in drawn.key[3:]] == ["good", "overfitted"]
    assert "★ lies off it" in drawn.caption
    assert "★ lies off it" not in pareto([replace(found[0], front=True), *found[1:]], "x", "y").caption
    assert drawn.svg.startswith('<svg role="img" aria-label="4 runs by likeness and prompt following. recommended: ')


def test_a_square_of_several_subjects_is_the_mean_of_their_means_where_all_have_one() -> None:
    """A person with three training seeds counts as much as one with one."""
    points = grid()
    (first, _), known = maps(points), points[0].cells[LIKENESS].value
    assert first.cells[-1][0] == pytest.approx(known)
    other = [
        replace(point, subject="bob", seed=seed, cells={LIKENESS: Interval(value, None, None, 9)})
        for point in points[1:]
        for seed, value in enumerate((0.1, 0.2, 0.6))
    ]
    (both,) = [found for found in maps([*points, *other]) if found.title == "Likeness"]
    assert (first.of, both.of) == ("all trainings there", "2 subjects")
    assert heat_map(both).caption == "Means over 2 subjects."
    assert math.isnan(both.cells[-1][0] or 0.0), "nobody else's stands for bob's"
    one = points[1].cells[LIKENESS].value
    place = sorted({point.step for point in points}).index(points[1].step)
    row = sorted({point.values[RATE] for point in points}, reverse=True).index(points[1].values[RATE])
    assert both.cells[row][place] == pytest.approx((one + 0.3) / 2)


def test_squares_share_one_scale_and_empty_ones_say_so() -> None:
    points = [point for point in grid() if (point.values[RATE], point.step) != (2e-6, 300)]
    points[0] = replace(points[0], cells={})
    first, second = maps(points)
    assert first.cells[0][2] is None
    assert [cell is not None and math.isnan(cell) for cell in first.cells[1]] == [True, False, False]
    assert (first.title, second.title) == ("Likeness", "Prompt following")
    drawn = heat_map(first, scales([first])["Likeness"])
    assert re.findall(r">(not|run|–)<", drawn.svg) == ["not", "run", "–"]
    assert ">1.0<" in drawn.svg, "the colours have a key from 0 to 1, whatever the values"
    wide = replace(first, cells=((1.25, -0.5),))
    assert scales([first, wide, second]) == {"Likeness": (-0.5, 1.25), "Prompt following": (0.0, 1.0)}
    assert isinstance(wide, HeatMap)


def test_labels_of_a_small_range_do_not_lie_on_one_another() -> None:
    """−0.100−0.075−0.050−0.025"""
    drawn = pareto([spot("a", -0.105, 0.5), spot("b", 0.04, 0.6)], "x", "y")
    labels = re.findall(r">(−?0\.\d+)<", drawn.svg)
    assert "−0.10" in labels
    assert "−0.025" not in labels
