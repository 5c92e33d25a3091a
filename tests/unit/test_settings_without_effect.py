"""A setting that would do nothing is refused or told of: a study over it would train one run many times."""

from __future__ import annotations

from typing import Any

import pytest

from boothlab.errors import PlanError
from boothlab.plan import RunPlan, plan_from


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
