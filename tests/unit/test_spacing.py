"""`generation.spacing` is told where it is said, and where it is not, everything is known by its old name."""

from __future__ import annotations

import pytest

from boothlab.api.demonstration import demo_plan
from boothlab.errors import PlanError
from boothlab.generation.config import Generation
from boothlab.models.config import Base, scheduler_settings
from boothlab.plan import RunPlan, digest, plan_from


def plan(**generation: object) -> RunPlan:
    """A plan that differs in how pictures are made."""
    subjects = [{"name": "ada", "photos": "ada", "identifier": "nlwx"}]
    return plan_from({"subjects": subjects, "generation": generation}, "test")


def test_plans_and_pictures_of_before_keep_their_names() -> None:
    assert Generation().as_made() == {"sampler": "dpm++", "steps": 25, "guidance": 7.5, "batch_size": 4}
    assert Generation(spacing="trailing").as_made() == {**Generation().as_made(), "spacing": "trailing"}
    assert digest(plan(), {}) == digest(plan(spacing=None), {})
    assert len({digest(plan(spacing=one), {}) for one in (None, "leading", "linspace", "trailing")}) == 4


def test_a_spacing_goes_before_the_base_models_own() -> None:
    kind, settings = scheduler_settings("dpm++sde", "trailing")
    assert (kind, settings["timestep_spacing"]) == ("DPMSolverMultistepScheduler", "trailing")
    assert "timestep_spacing" not in scheduler_settings("dpm++sde")[1]


def test_a_word_that_is_no_spacing_is_said_with_those_that_are() -> None:
    with pytest.raises(PlanError, match="generation.spacing") as told:
        plan(spacing="karras")
    assert all(word in str(told.value) for word in ("leading", "linspace", "trailing"))


def test_the_demo_draws_ten_trailing_steps() -> None:
    """docs/decisions/045."""
    made = demo_plan(None, "person", Base(model="toon")).generation
    assert (made.steps, made.spacing, made.guidance) == (10, "trailing", 4.0)
