"""The page of a run: what it says, and that it can be read aloud, printed and looked at on any screen."""

from __future__ import annotations

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
