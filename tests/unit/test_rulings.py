"""What the page draws of one subject's verdict."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from boothlab.evaluation.verdict_data import Measured
from boothlab.photos.photoset import PhotoSet
from boothlab.reports.rulings import ruling_view
from boothlab.statistics.intervals import Interval


def curve_of_prompts(described: float | None) -> dict[str, tuple[float, ...]]:
    """Label → values over two snapshots."""

    def seen(step: int, prompt: float) -> Measured:
        told = None if described is None else Interval(described, None, None, 20)
        own, base = Interval(prompt, prompt - 0.1, prompt + 0.1, 20), Interval(0.96, None, None, 20)
        return Measured(f"step-{step}", step, prompt=own, prompt_base=base, prompt_described=told)

    measured = [asdict(seen(120, 0.9)), asdict(seen(300, 0.8))]
    names = [{"name": found["name"]} for found in measured]
    verdict = {"judgements": names, "recommended": None}
    tree = {"subject": "ada", "verdict": verdict, "near": [], "fresh": None, "measured": measured}
    photos = PhotoSet(Path("."), (), (), frozenset(), "hash")
    view = ruling_view(tree, {"step-300": {}}, photos)
    return {curve.label: tuple(curve.y) for curve in view.curves["Prompt following"]}


def test_prompt_following_stands_beside_what_the_gate_holds_it_against() -> None:
    assert curve_of_prompts(0.82) == {
        "tuned": (0.9, 0.8),
        "base model": (0.96, 0.96),
        "base model, described": (0.82, 0.82),
    }
    assert set(curve_of_prompts(None)) == {"tuned", "base model"}
