"""What a study's page says before its subjects, and of one subject's differences."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from boothlab.api.studies.effects import effects_view
from boothlab.api.studies.overview import overview_view
from boothlab.api.studies.plots import forests
from boothlab.reports.study import AgainView, CellView, EffectCell
from boothlab.studies.across import Difference
from boothlab.studies.compare import effects
from boothlab.studies.points import COLUMNS, Point
from study_made import made_point

FRESH, FIRST = CellView(0.64, 0.44, 0.84, 20, ""), CellView(0.7, None, None, 20, "")


def subject(name: str, *words: str, chosen: str | None = None, advice: str = "", caution: str = "") -> Any:
    """What the overview looks at."""
    rows = tuple(SimpleNamespace(word=word, state="done" if word != "not yet" else word) for word in words)
    again = AgainView((("likeness", FIRST, FRESH),), "") if chosen else None
    return SimpleNamespace(name=name, chosen=chosen, rows=rows, again=again, advice=advice, caution=caution)


def difference(key: str, value: float, adjusted: float, **more: Any) -> Difference:
    column = next(column for column in COLUMNS if column.key == key)
    low, high = value - 0.1, value + 0.1
    return replace(
        Difference("framing", column, "head", "smart", 8, value, low, high, adjusted, adjusted=adjusted), **more
    )


def test_several_subjects_begin_with_how_many_have_a_run_and_what_settings_do() -> None:
    once, few = "Every setting was trained once.", "Take fewer steps."
    subjects = [
        subject("ada", "good", "copying", chosen="smart", caution=once),
        subject("bob", "copying", "copying", "overfitted", advice=few, caution=once),
        subject("cyd", "copying", "good", advice=few, caution=once),
        subject("dan", "not yet", caution=once),
    ]
    apart = [
        difference("likeness", -0.18, 0.01),
        difference("prompt", 0.3, 0.002, a="1", b="9", values=3, axis="steps", where="monster"),
        difference("prompt", 0.3, 0.2),
        difference("variety", 0.3, 0.001),
    ]
    found = overview_view(subjects, apart)
    assert found is not None
    assert found.sentences == (
        "1 of 4 subjects has a run to take. Of the other 3's 5 finished runs 3 are copying, 1 is overfitted, 1 is "
        "good but for a failed gate.",
        "Over all subjects, prompt following rises from steps 1 to 9 (monster), by 0.3 [0.2, 0.4].",
        "Over all subjects, likeness is higher with framing head than with smart, by 0.18 [0.08, 0.28].",
        "Settings also change variety by more than chance.",
    )
    assert found.heads == ("likeness", "prompt following")
    assert [(row.subject, row.take, row.none) for row in found.rows] == [
        ("ada", "smart", ""),
        ("bob", None, "2 are copying, 1 is overfitted"),
        ("cyd", None, "1 is copying, 1 is good but for a failed gate"),
        ("dan", None, "no run is finished"),
    ]
    assert [row.cells for row in found.rows] == [(FRESH, None), *[(None, None)] * 3]
    assert found.notes == ("What to try for bob, cyd: take fewer steps.", once)


def test_the_box_says_so_where_all_or_none_have_a_run_and_where_nothing_is_real() -> None:
    assert overview_view([subject("ada", "good", chosen="smart")], []) is None
    every = overview_view([subject(name, "good", chosen="smart") for name in ("ada", "bob")], [])
    assert every is not None
    assert every.sentences == ("All 2 subjects have a run to take.",)
    none = overview_view(
        [subject(name, "copying") for name in ("ada", "bob")],
        [difference("likeness", 0.3, 0.2), difference("prompt", 0.3, 0.2), difference("variety", 0.3, 0.3)]
        + [difference(key, 0.3, 0.01) for key in ("leak", "drift", "leak", "copied")],
    )
    assert none is not None
    assert none.sentences == (
        "None of 2 subjects has a run to take. Of their 2 finished runs 2 are copying.",
        "Over all subjects no difference in likeness or prompt following is more than chance.",
        "Settings do change class face like the subject, drift elsewhere and copies by more than chance.",
    )
    assert none.heads == ()
    many = overview_view([subject("ada", "copying"), subject("bob", "good", chosen="smart")],
                         [difference("likeness", 0.3, 0.01)] * 6)  # fmt: skip
    assert many is not None
    assert many.sentences[0].endswith("Of ada's 1 finished run 1 is copying.")
    assert len(many.sentences) == 6
    assert many.sentences[-1] == "2 more differences are real; they stand under Over all subjects."
    five = overview_view(
        [subject("ada", "copying"), subject("bob", "copying")], [difference("likeness", 0.3, 0.01)] * 5
    )
    assert five is not None
    assert five.sentences[-1] == "1 more difference is real; it stands under Over all subjects."


def points(prompts: int, seeds: int = 1, gain: float = 0.3) -> list[Point]:
    random = np.random.default_rng(0)
    found = []
    for framing in ("head", "smart"):
        for seed in range(seeds):
            values = 0.4 + gain * (framing == "smart") + random.normal(0, 0.02, prompts)
            found.append(
                made_point(
                    f"{framing} {seed}", {"photos.framing": framing}, seed, values, values[::-1], setting=framing
                )  # fmt: skip
            )
    return found


def test_differences_are_a_table_a_row_a_change() -> None:
    own = points(20)
    likeness, prompt = found = effects(own)
    view = effects_view(found, own, "ada", "Said already.")
    assert view.heads == ("likeness ↑", "prompt following ↑")
    (row,) = view.rows
    assert row.change == "framing: smart against head"
    assert row.cells == tuple(
        EffectCell(one.difference, one.low, one.high, f"better, p = {one.adjusted:.2g}", True)
        for one in (likeness, prompt)
    )
    assert view.notes == ()


def test_what_no_correction_would_let_pass_is_said_once_and_not_per_line() -> None:
    own = points(5)
    found = effects(own)
    view = effects_view(found, own, "ada", "Said already.")
    assert [cell.finding for row in view.rows for cell in row.cells if cell] == ["not testable"] * 2
    assert view.notes == (
        "Fewer than 3 training seeds: what is tested are 5 prompts, and with so few no difference here can pass the "
        "correction for the study's 2 comparisons (p could not have been below 0.12). The numbers say how large a "
        "difference seems, and decide nothing.",
    )
    (spread, _) = effects_view(found, own, "ada", "").notes
    assert spread == (
        "These scores are about these runs. A statement about a setting needs 3 training seeds; one of them has 1 "
        "training seed."
    )


def test_spreads_of_seeds_stand_by_column_and_what_is_not_found_names_what_would_have_been_seen() -> None:
    own = points(20, seeds=3, gain=0.0)
    view = effects_view(effects(own), own, "ada", "")
    assert [text.split(":")[0] for text in view.notes] == ["likeness", "prompt following"]
    finding = view.rows[0].cells[0]
    assert finding is not None
    assert finding.finding.startswith("none found, p = ")
    assert "; seen if ≥ " in finding.finding
    empty = effects_view([], own[:1], "ada", "Said already.")
    assert (empty.heads, empty.rows) == ((), ())
    assert empty.notes == (
        "No two finished runs differ in one setting only, so nothing can be said about any setting.",
    )


def test_two_settings_with_one_last_name_have_rows_of_their_own() -> None:
    random = np.random.default_rng(5)
    gains = {25: 0.0, 50: 0.3}
    own = [
        made_point(
            f"{length} {drawn} {seed}",
            {"training.steps": length, "generation.steps": drawn},
            seed,
            gains[length] - gains[drawn] / 3 + random.normal(0, 0.01, 20),
            random.normal(0, 0.01, 20),
        )
        for length in gains
        for drawn in gains
        for seed in range(3)
    ]
    rows = effects_view(effects(own), own, "ada", "").rows
    assert [row.change for row in rows] == ["training.steps: 50 against 25", "generation.steps: 50 against 25"]
    found = [row.cells[0].value for row in rows if row.cells[0] is not None]
    assert found == [pytest.approx(0.3, abs=0.01), pytest.approx(-0.1, abs=0.01)]
    (forest, *_) = forests(effects(own), own)
    assert [bar.axis for bar in forest.bars] == ["training.steps", "generation.steps"]
