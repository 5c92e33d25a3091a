"""A setting that would do nothing is refused or told of: a study over it would train one run many times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boothlab.api.resolving import resolve
from boothlab.errors import PlanError
from boothlab.plan import RunPlan, plan_from
from boothlab.training.config import Rate
from boothlab.training.rates import factor
from photos_made import photo_folder
from study_made import base_plan


def plan(**nodes: Any) -> RunPlan:
    """A plan of one subject."""
    return plan_from({"subjects": [{"name": "ada", "photos": "ada", "identifier": "nlwx"}], **nodes}, "test")


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ({"kind": "lora", "text_encoder_learning_rate": 1e-4}, "text_encoder_learning_rate needs text_encoder"),
        ({"kind": "lora", "text_encoder_steps": 5}, "text_encoder_steps needs text_encoder = true"),
        ({"kind": "dreambooth", "text_encoder_learning_rate": 1e-4}, "text_encoder_learning_rate needs text_encoder"),
        ({"kind": "dreambooth", "text_encoder_steps": 5}, "needs text_encoder = true or identifier_learning_rate"),
        (
            {"kind": "dreambooth", "identifier_learning_rate": 1e-3, "text_encoder_learning_rate": 1e-4},
            "the rate of the identifier's vector is identifier_learning_rate",
        ),
    ],
)
def test_a_setting_of_a_text_encoder_that_stands_still_is_refused(strategy: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        plan(strategy=strategy)


@pytest.mark.parametrize(
    "strategy",
    [
        {"kind": "lora", "text_encoder": True, "text_encoder_learning_rate": 1e-4, "text_encoder_steps": 5},
        {"kind": "dreambooth", "text_encoder": True, "text_encoder_learning_rate": 1e-4, "text_encoder_steps": 5},
        {"kind": "dreambooth", "identifier_learning_rate": 1e-3, "text_encoder_steps": 5},
    ],
)
def test_a_setting_of_what_moves_is_taken(strategy: dict[str, Any]) -> None:
    assert plan(strategy=strategy).strategy.model_dump(exclude_none=True).items() >= strategy.items()


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ({"prior_preservation": False}, "leave one of the two out; a study of both varies prior_weight"),
        ({"prior_from": "prediction"}, "class_folder is not read with prior_from = 'prediction'"),
    ],
)
def test_a_folder_of_class_pictures_that_nobody_reads_is_refused(objective: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        plan(objective={"class_folder": "people", **objective})
    assert plan(objective={"class_folder": "people"}).objective.class_folder == Path("people")


def test_pictures_of_a_class_folder_that_are_left_out_are_told_of(tiny_sd: Path, tmp_path: Path) -> None:
    """They were left out without a word, a hundred being the default."""
    photo_folder(tmp_path / "photos", 3)
    photo_folder(tmp_path / "people", 5, size=(72, 64))
    tree = base_plan(tiny_sd, tmp_path / "photos")

    def warnings(count: int) -> list[str]:
        objective = {"class_folder": str(tmp_path / "people"), "class_images": count}
        told = resolve(plan_from({**tree, "objective": objective}, "test")).warnings
        return [text for text in told if "class_folder" in text]

    (told,) = warnings(4)
    assert told.startswith("Of the 5 pictures in objective.class_folder the first 4 by name are used")
    assert "objective.class_images = 5" in told
    assert warnings(5) == warnings(100) == []


READ = {
    "constant": (),
    "linear": ("floor",),
    "cosine": ("floor",),
    "polynomial": ("floor", "power"),
    "stable_decay": ("floor", "decay"),
}
"""Kind of a rate → what it reads."""


@pytest.mark.parametrize("kind", READ)
def test_a_setting_that_this_kind_of_rate_does_not_read_is_refused(kind: str) -> None:
    for name, value in {"floor": 0.1, "power": 2.0, "decay": 3}.items():
        tree = {"rate": {"kind": kind, name: value}}
        if name in READ[kind]:
            assert getattr(plan(training=tree).training.rate, name) == value
            usual = Rate(kind=kind)  # type: ignore[arg-type]
            assert any(factor(Rate(**tree["rate"]), k, 20) != factor(usual, k, 20) for k in range(20))
        else:
            with pytest.raises(PlanError, match=f"{name} = {value} does nothing with kind = '{kind}'"):
                plan(training=tree)


def test_defaults_that_are_written_out_are_no_settings() -> None:
    """As in the plan.json of a run."""
    written = plan().model_dump(mode="json")
    assert plan_from(written, "test") == plan()


def test_settings_of_captions_where_there_are_none_are_told_of(tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 3)
    tree = base_plan(tiny_sd, tmp_path / "photos")

    def told(compat: str = "none", **objective: Any) -> list[str]:
        asked = {**tree, "objective": objective, "training": {**tree["training"], "compat": compat}}
        return [text for text in resolve(plan_from(asked, "test")).warnings if "does nothing" in text]

    both = {"instance_prompt_share": 0.5, "caption_lifts_mask": True}
    first, second = told(**both)
    assert first.startswith("objective.instance_prompt_share does nothing: no photo has a caption")
    assert second == "objective.caption_lifts_mask does nothing: no photo has a caption."
    assert told() == []
    for photo in (tmp_path / "photos").iterdir():
        photo.with_suffix(".txt").write_text("a photo of {it} at sea")
    assert told(instance_prompt_share=0.5) == []
    assert told(**both) == ["objective.caption_lifts_mask does nothing: no photo with a caption has a mask."]
    assert told("diffusers", instance_prompt_share=0.5) == [
        "objective.instance_prompt_share does nothing with training.compat = 'diffusers'."
    ]
