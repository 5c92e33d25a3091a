"""A model gone astray draws what is no numbers: its pictures are black, and that is said wherever they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from boothlab import api
from boothlab.models import sampling
from boothlab.models.sampling import to_uint8
from boothlab.plan import RunPlan, plan_from
from boothlab.runs.events import Previewed, Warned
from photos_made import photo_folder


@pytest.fixture
def plan(tiny_sd: Path, tmp_path: Path) -> RunPlan:
    """Two steps with previews, two sampling steps, few pictures."""
    photo_folder(tmp_path / "photos", 3)
    tree: dict[str, Any] = {
        "subjects": [{"name": "ada", "photos": str(tmp_path / "photos"), "identifier": "nlwx"}],
        "base": {"model": str(tiny_sd), "device": "cpu"},
        "objective": {"prior_preservation": False},
        "training": {"steps": 2, "threads": 1, "validation": {"preview": {"every": 2}}},
        "generation": {"steps": 2},
        "evaluation": {"prompts": ["{it} at sea"], "seeds_per_prompt": 2, "unrelated": [], "base": False},
    }
    return plan_from(tree, "test")


def spoil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every model decode to what is no number, somewhere in a picture."""
    whole = sampling.to_uint8

    def astray(pixels_B3HW: torch.Tensor) -> Any:
        pixels_B3HW[:, 1, 5, 7] = torch.nan
        return whole(pixels_B3HW)

    monkeypatch.setattr(sampling, "to_uint8", astray)


def test_a_picture_with_a_value_that_is_no_number_is_black_and_its_neighbour_whole() -> None:
    pixels = torch.full((2, 3, 4, 4), 0.5)
    pixels[0, 2, 1, 1] = torch.nan
    with np.errstate(invalid="raise"):
        first, second = to_uint8(pixels)
    assert not first.any()
    assert (second == 191).all()


def test_previews_that_are_black_are_warned_of_and_the_training_goes_on(
    plan: RunPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch)
    run = api.train(plan, tmp_path / "runs")
    assert run.status().state == "finished"
    assert [event.step for event in run.events() if isinstance(event, Previewed)] == [0, 2]
    told = [e for e in run.events() if isinstance(e, Warned) and e.code == "black-preview"]
    assert [event.step for event in told] == [0, 2]
    assert told[1].message.startswith(
        "1 of 1 pictures of step 2 are black: what the model made of them was no numbers"
    )


def test_scores_of_black_pictures_say_so_first(
    plan: RunPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = api.train(plan, tmp_path / "runs")
    spoil(monkeypatch)
    drawn = api.generate(run.path, ["{it} on a beach"], 2)
    assert any("2 of 2 pictures of step 2 are black" in warning for warning in drawn.warnings)
    remarks = api.evaluate(run.path).remarks
    assert any("pictures of step 2 are black" in remark for remark in remarks)
    assert api.evaluate(run.path).remarks == remarks, "also where scores are looked up"


def test_of_pictures_that_show_something_nothing_is_said(plan: RunPlan, tmp_path: Path) -> None:
    run = api.train(plan, tmp_path / "runs")
    assert not any(isinstance(event, Warned) and "black" in event.message for event in run.events())
    assert not any("black" in remark for remark in api.evaluate(run.path).remarks)
