"""What the page draws of one subject's verdict."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from boothlab.evaluation.thresholds import DIVERSITY_TO_PHOTOS_LEAST
from boothlab.evaluation.verdict_data import Measured
from boothlab.evaluation.verdict_gates import gates as judged_gates
from boothlab.photos.photoset import PhotoSet
from boothlab.reports.figures import MEANINGS, line_plot
from boothlab.reports.info import Curve, LinePlot
from boothlab.reports.rulings import (
    ALONE,
    CHOSE,
    HEADLINE,
    RulingView,
    columns,
    compared,
    fresh_scores,
    on_fresh_pictures,
    ruling_view,
    source_title,
    verdict_title,
    without_title,
)
from boothlab.statistics.intervals import Interval


def plots_of_prompts(described: float | None, recommended: str | None = None) -> dict[str, LinePlot]:
    """Title → plot over two snapshots."""

    def seen(step: int, prompt: float) -> Measured:
        told = None if described is None else Interval(described, None, None, 20)
        own, base = Interval(prompt, prompt - 0.1, prompt + 0.1, 20), Interval(0.96, None, None, 20)
        return Measured(
            f"step-{step}",
            step,
            prompt=own,
            prompt_base=base,
            prompt_described=told,
            diversity_photos=0.5,
            loss_gap=0.01,
        )

    measured = [asdict(seen(120, 0.9)), asdict(seen(300, 0.8))]
    names = [{"name": found["name"]} for found in measured]
    verdict = {"judgements": names, "recommended": recommended}
    tree = {"subject": "ada", "verdict": verdict, "near": [], "fresh": None, "measured": measured}
    photos = PhotoSet(Path("."), (), (), frozenset(), "hash")
    view = ruling_view(tree, {"step-300": {}}, photos)
    return {plot.title: plot for plot in view.plots}


def test_prompt_following_stands_beside_what_the_gate_holds_it_against() -> None:
    told = plots_of_prompts(0.82)["Prompt following"]
    assert {curve.label: curve.y for curve in told.curves} == {
        "this run": (0.9, 0.8),
        "base model": (0.96, 0.96),
        "base model told the looks": (0.82, 0.82),
    }
    (limit,) = told.limits
    assert (limit.value, limit.label) == (
        pytest.approx(0.72),
        "gate: at most 0.10 below the base model told the looks",
    )
    plain = plots_of_prompts(None)["Prompt following"]
    assert [curve.label for curve in plain.curves] == ["this run", "base model"]
    assert [limit.value for limit in plain.limits] == [pytest.approx(0.86)]


def test_every_plot_marks_the_recommended_snapshot_and_has_what_its_gate_asks() -> None:
    plots = plots_of_prompts(0.82, "step-300")
    assert list(plots) == ["Prompt following", "Variety of bare pictures", "Loss gap (alone it decides nothing)"]
    assert {plot.star for plot in plots.values()} == {300.0}
    assert plots_of_prompts(0.82)["Prompt following"].star is None
    variety = plots["Variety of bare pictures"]
    assert [(curve.label, curve.of) for curve in variety.curves] == [
        ("as a share of the training photos' variety", "training photos")
    ]
    assert [limit.value for limit in variety.limits] == [DIVERSITY_TO_PHOTOS_LEAST], "no limit for what is not drawn"
    drawn = line_plot(variety)
    assert drawn.svg.count("★") == 1
    assert [line.text for line in drawn.key] == [
        "as a share of the training photos' variety",
        "gate: at least 0.35 of the training photos'",
    ]
    assert 'stroke-dasharray="5 3"' in drawn.key[1].mark


def test_one_meaning_has_one_colour_in_every_plot() -> None:
    likeness = Curve("to training photos", (1, 2), (0.1, 0.2), of="training photos")
    loss = Curve("training photos", tuple(range(20)), tuple(range(20)), of="training photos")
    others = [Curve(name, (1, 2), (0.3, 0.4), of=name) for name in MEANINGS if name != "training photos"]
    first, second = (
        line_plot(LinePlot("a", "y", (others[0], likeness))),
        line_plot(LinePlot("b", "y", (loss, *others))),
    )
    colour = MEANINGS["training photos"].colour
    assert [colour in first.key[1].mark, colour in second.key[0].mark] == [True, True]
    assert [line.mark.count("<path") for line in second.key[:2]] == [1, 2], "no marks on long curves"
    assert len({style.colour for style in MEANINGS.values()}) == len(MEANINGS) - 1, "two are of the base model"


def test_labels_of_any_length_leave_the_plot_its_size() -> None:
    def edges(label: str) -> list[str]:
        curves = (Curve(label, (1, 2), (0.1, 0.2)), Curve("b", (1, 2), (0.3, 0.4)))
        return re.findall(r'<g id="patch_2">\s*<path d="([^"]+)"', line_plot(LinePlot("t", "y", curves)).svg)

    assert edges("a") == edges("strategy dreambooth (learning_rate 0.001, identifier_learning_rate 0.01) " * 3) != []


def test_a_drawing_is_an_image_with_words() -> None:
    svg = line_plot(LinePlot("Loss <b>", "y", (Curve("a & b", (1, 20), (0.25, 0.5)),))).svg
    assert svg.startswith('<svg role="img" aria-label="Loss &lt;b&gt;. a &amp; b: 0.25 at 1, 0.5 at 20"')


def test_what_is_recommended_stands_first_and_what_decides_nothing_last() -> None:
    sources = ["photos", "copies", "base", "described", "step-000060", "step-000120", "step-000300"]
    assert columns(sources, ["step-000120"]) == [
        "step-000120",
        "base",
        "described",
        "step-000060",
        "step-000300",
        "photos",
        "copies",
    ]
    assert columns(sources, [])[:3] == ["base", "described", "step-000060"]
    assert columns(["base", "step-000060"], [None, "step-000300"]) == ["base", "step-000060"]


def test_sources_are_named_for_people() -> None:
    sources = ["photos", "base", "described", "step-000060", "step-000120"]
    assert compared(sources) == "2 snapshots · the base model, without and with a description · the photos themselves"
    assert compared(["base", "step-000060"]) == "1 snapshot · the base model"
    assert source_title("step-000120", ["step-000120"]) == "step 120 ★"
    assert source_title("described", []) == "base, described"


def test_the_title_is_not_said_twice() -> None:
    def ruling(chosen: str | None, reason: str) -> RulingView:
        verdict = {"recommended": chosen, "reason": reason}
        return RulingView("ada", verdict, None, (), "step-000120", (), ())

    taken = ruling("step-000120", "Take step 120: likeness 0.76.")
    assert (verdict_title(taken), without_title(taken)) == ("Take step 120", "Likeness 0.76.")
    none = ruling(None, "No snapshot is good.")
    assert (verdict_title(none), without_title(none)) == ("Take none of these snapshots", "No snapshot is good.")


def test_fresh_scores_are_the_ones_to_expect() -> None:
    fresh = {
        "likeness": {"value": 0.73, "low": 0.55, "high": 0.9, "n": 20},
        "prompt": {"value": 0.88, "low": None, "high": None, "n": 1},
    }
    assert fresh_scores(fresh) == "likeness 0.73 (95 % CI 0.55 to 0.90), prompt following 0.88"
    assert fresh_scores({"likeness": None, "prompt": {"value": None, "low": None, "high": None, "n": 0}}) == ""
    assert fresh_scores(None) == ""


def test_of_one_snapshot_no_numbers_chose_it() -> None:
    fresh = {"likeness": {"value": 0.73, "low": None, "high": None, "n": 20}, "prompt": None}
    one, two = ({"judgements": [{"name": f"step-{k}"} for k in range(count)]} for count in (1, 2))
    assert on_fresh_pictures(one, fresh) == ("On fresh pictures: likeness 0.73.", ALONE)
    assert "optimistic" not in ALONE
    assert on_fresh_pictures(two, fresh) == (
        "On fresh pictures, which had no part in the choice: likeness 0.73.",
        CHOSE,
    )
    assert on_fresh_pictures(one, None) == ("", "")


def test_rows_of_scores_begin_with_the_words_of_the_verdict() -> None:
    words = {word for word, _ in HEADLINE.values()}
    gates = {gate.name.capitalize() for gate in judged_gates(Measured("step-1", 1))}
    assert gates <= words, "every gate has its row"
