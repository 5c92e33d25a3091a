"""The page of a run: what it says, and that it can be read aloud, printed and looked at on any screen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from boothlab.evaluation.summaries import Summary
from boothlab.metrics import METRICS
from boothlab.photos.photoset import PhotoSet
from boothlab.reports.info import Grid, GridRow, RunInfo, score_table
from boothlab.reports.page import render
from boothlab.reports.rulings import RulingView

FRESH = {"likeness": {"value": 0.73, "low": None, "high": None, "n": 20}, "prompt": None}


def page(snapshots: tuple[str, ...] = ("step-000004",), prompt: str = "a photo of a person", **more: Any) -> str:
    """The page of a run with these snapshots, the last of which is recommended and scored again."""
    photos = PhotoSet(Path("."), (), (), frozenset(), "hash")
    judged = [{"name": name, "word": "good", "findings": [], "gates": []} for name in snapshots]
    verdict = {"recommended": snapshots[-1], "reason": "Take it.", "caution": "Mind.", "judgements": judged}
    line = Summary("base", "context", "lpips_cross", "held_out", 4, 0.5, None, None, "none")
    facts: dict[str, Any] = {
        "name": "ada-1234abcd",
        "state": "finished",
        "steps": 4,
        "mean_of": "",
        "seconds_per_step": 0.5,
        "warnings": (),
        "photo_sets": {"ada": photos, "bob": photos},
        "loss": (),
        "validation": (),
        "grids": (Grid("ada", "context", ("base",), (GridRow(prompt, 1, (Path("gone/1.png"),)),)),),
        "snapshots": ("base", *snapshots),
        "table": score_table([line], METRICS, ["base", *snapshots]),
        "lacking": (),
        "rulings": (RulingView("ada", verdict, FRESH, (), snapshots[-1], (), ()),),
        "crossings": ({"snapshot": "base", "drawn": "ada", "compared": "bob", "similarity": 0.125},),
        "advice": ("Go on:", "boothlab generate"),
        "plan_toml": "",
        "provenance": {},
    }
    return render(RunInfo(**facts | more))


def test_of_a_lone_snapshot_no_numbers_chose_it() -> None:
    alone = page()
    assert "On fresh pictures: likeness 0.73." in alone
    assert "neither set of numbers chose it" in alone
    assert "optimistic" not in alone
    several = page(("step-000002", "step-000004"))
    assert "On fresh pictures, which had no part in the choice: likeness 0.73." in several
    assert "those above chose the snapshot, and are optimistic" in several


def test_a_reader_of_pages_aloud_finds_the_verdict_and_the_heads_of_every_table() -> None:
    text = page()
    assert '<h2 class="big">Take step 4</h2>' in text
    assert re.findall(r"<th\b(?![^>]* scope=)[^>]*>", text) == []
    rows = re.findall(r"<tr>\s*(<t[dh][^>]*>)", text.partition("<tbody>")[2])
    assert len(rows) > 3
    assert [cell for cell in rows if "scope=" not in cell] == [], "every row begins with its head"


def test_a_step_takes_seconds_in_plain_digits_and_one_is_one() -> None:
    assert "<b>0.004 s</b> per step" in page(seconds_per_step=0.004)
    assert "<b>100 s</b> per step" in page(seconds_per_step=99.6)
    assert "<b>4</b> steps" in page()
    assert re.search(r"<b>1</b> step\b(?!s)", page(steps=1))


def test_the_page_can_be_printed_whole() -> None:
    text = page()
    (rules,) = re.findall(r"@media print \{(.*?)</style>", text, re.DOTALL)
    assert re.search(r"\.wide \{[^}]*overflow: visible", rules)
    assert 'addEventListener("beforeprint"' in text
    assert 'querySelectorAll("details:not([open])")' in text


def test_a_prompt_of_one_long_word_is_broken_beside_its_pictures() -> None:
    text = page(prompt="x" * 200)
    assert re.search(r"\.grid \.prompt \{[^}]*overflow-wrap: anywhere", text)
    assert f'class="prompt">{"x" * 200}<' in text
