"""`generation.spacing` is told where it is said, and where it is not, everything is known by its old name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from boothlab.api.class_requests import class_requests
from boothlab.api.demonstration import demo_plan
from boothlab.api.resolving import require_sampling, resolve
from boothlab.errors import PlanError
from boothlab.generation import generate
from boothlab.generation.config import Generation
from boothlab.generation.picture import Order
from boothlab.models.config import Base, Sampler, Spacing, most_steps, scheduler_settings
from boothlab.models.sampling import make_scheduler
from boothlab.photos.photoset import PhotoSet
from boothlab.plan import RunPlan, _without_places, digest, plan_from
from boothlab.training import class_images
from boothlab.training.class_request import ClassRequest


def plan(**generation: object) -> RunPlan:
    """A plan that differs in how pictures are made."""
    subjects = [{"name": "ada", "photos": "ada", "identifier": "nlwx"}]
    return plan_from({"subjects": subjects, "generation": generation}, "test")


def request(spacing: Spacing | None = None) -> ClassRequest:
    """Class images that differ in how they are made."""
    return ClassRequest("base", ("a photo of a person",), 16, 8, "dpm++", 2, 7.5, 0, spacing)


def test_plans_and_pictures_of_before_keep_their_names() -> None:
    assert Generation().as_made() == {"sampler": "dpm++", "steps": 25, "guidance": 7.5, "batch_size": 4}
    assert Generation(spacing="trailing").as_made() == {**Generation().as_made(), "spacing": "trailing"}
    assert "spacing" not in _without_places(plan())["generation"], "plans from before had no such setting"
    assert "spacing" not in request().described()
    assert request("trailing").described() == {**request().described(), "spacing": "trailing"}
    assert request().key() != request("trailing").key()
    assert len({digest(plan(spacing=one), {}) for one in (None, "leading", "linspace", "trailing")}) == 4


def test_what_the_plan_says_reaches_pictures_and_class_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOTHLAB_HOME", str(tmp_path / "home"))
    told: list[tuple[object, ...]] = []

    def sampled(model: object, prompts: Sequence[str], seeds: Sequence[int], *how: object) -> np.ndarray[Any, Any]:
        told.append(how)
        return np.random.default_rng(0).integers(0, 256, (len(seeds), 16, 16, 3), dtype=np.uint8)

    monkeypatch.setattr(generate, "sample", sampled)
    monkeypatch.setattr(class_images, "sample", sampled)
    made = plan(spacing="trailing", steps=2)
    photos = PhotoSet(tmp_path, (), (), frozenset(), "none")
    (asked,) = class_requests(made, "base", {"ada": photos}).values()
    class_images.class_images(replace(asked, count=8), lambda: None)  # type: ignore[arg-type, return-value]
    order = Order("one", "a photo of a person", 1)
    generate.generate(lambda: None, "base", [order], made.generation, tmp_path)  # type: ignore[arg-type, return-value]
    assert [how[:4] for how in told] == [("dpm++", 2, 7.5, "trailing")] * 2


def test_a_spacing_goes_before_the_base_models_own() -> None:
    kind, settings = scheduler_settings("dpm++sde", "trailing")
    assert (kind, settings["timestep_spacing"]) == ("DPMSolverMultistepScheduler", "trailing")
    assert "timestep_spacing" not in scheduler_settings("dpm++sde")[1]


def test_a_word_that_is_no_spacing_is_said_with_those_that_are() -> None:
    with pytest.raises(PlanError, match="generation.spacing") as told:
        plan(spacing="karras")
    assert all(word in str(told.value) for word in ("leading", "linspace", "trailing"))


def test_numbers_of_steps_that_diffusers_lays_out_one_too_many_of_are_refused() -> None:
    """The one more would be timestep -1, which DDIM takes for the noisiest."""

    def timesteps(steps: int) -> list[int]:
        scheduler = make_scheduler("ddim", {"num_train_timesteps": 1000}, "trailing")
        scheduler.set_timesteps(steps)
        return [int(t) for t in scheduler.timesteps]

    refused = []
    for steps in range(1, 130):
        try:
            Generation(steps=steps, spacing="trailing")
        except ValueError:
            refused.append(steps)
    assert refused == [steps for steps in range(1, 130) if len(timesteps(steps)) != steps]
    assert 61 in refused
    assert timesteps(61)[-1] == -1
    assert Generation(steps=61).steps == 61
    with pytest.raises(PlanError, match="steps = 61 cannot be laid out with spacing trailing.*Take 60"):
        plan(steps=61, spacing="trailing")


def test_what_is_advised_instead_can_be_laid_out() -> None:
    """Of 121 and 122 neither can."""
    with pytest.raises(PlanError, match="steps = 122 cannot be laid out.*Take 120,"):
        plan(steps=122, spacing="trailing")


@pytest.mark.parametrize("timesteps", [50, 1000])
@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
@pytest.mark.parametrize("sampler", ["dpm++", "dpm++sde", "ddim"])
def test_the_most_steps_are_laid_out_by_every_sampler(sampler: Sampler, spacing: Spacing, timesteps: int) -> None:
    """With Stable Diffusion's offset of one. Of 1,000, dpm++ put two at one timestep and drew black pictures."""
    config = {"num_train_timesteps": timesteps, "steps_offset": 1, "beta_schedule": "scaled_linear"}
    assert most_steps(998, None) == 998
    for steps in {1, 2, most_steps(timesteps, spacing, timesteps)}:
        scheduler = make_scheduler(sampler, config, spacing)
        scheduler.set_timesteps(steps)
        latents = torch.full((1, 1, 1, 1), 0.3)
        fresh = {"generator": torch.Generator().manual_seed(0)} if sampler == "dpm++sde" else {}
        for timestep in scheduler.timesteps:
            latents = scheduler.step(torch.full((1, 1, 1, 1), 0.1), timestep, latents, **fresh).prev_sample
        laid = [int(timestep) for timestep in scheduler.timesteps]
        assert (len(set(laid)), len(laid)) == (steps, steps)
        assert 0 <= min(laid) <= max(laid) < timesteps
        assert bool(torch.isfinite(latents).all())


def test_more_steps_than_samplers_lay_out_are_refused() -> None:
    with pytest.raises(PlanError, match="generation.steps: must be 998 or less"):
        plan(steps=999)


def test_a_base_models_own_spacing_and_timesteps_count_too(tiny_sd: Path, tmp_path: Path) -> None:
    base = Base(model=str(shutil.copytree(tiny_sd, tmp_path / "model")))
    require_sampling(Generation(steps=61), base)
    require_sampling(Generation(steps=998), base)
    file = tmp_path / "model" / "scheduler" / "scheduler_config.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps(told | {"timestep_spacing": "trailing"}))
    with pytest.raises(PlanError, match=r"steps = 61 cannot be laid out with spacing trailing(.|\n)*Take 60"):
        resolve(plan(steps=61).model_copy(update={"base": base}))
    require_sampling(Generation(steps=61, spacing="linspace"), base)
    file.write_text(json.dumps(told | {"num_train_timesteps": 50}))
    with pytest.raises(PlanError, match=r"steps = 60 cannot be laid out over the 50 timesteps(.|\n)*Take 48"):
        require_sampling(Generation(steps=60), base)


def test_the_demo_draws_ten_trailing_steps_at_guidance_three() -> None:
    """docs/decisions/045, 046."""
    made = demo_plan(None, "person", Base(model="toon")).generation
    assert (made.steps, made.spacing, made.guidance) == (10, "trailing", 3.0)
