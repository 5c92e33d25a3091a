"""Prior preservation without images: the class half is held to what the frozen base model predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from boothlab.diffusion import objective
from boothlab.diffusion.config import Objective
from boothlab.models.model import Model
from boothlab.runs.events import Stepped
from boothlab.strategies import DreamBooth
from boothlab.training.assemble import photos_as_class
from boothlab.training.batches import Pool
from boothlab.training.config import Compute, Training
from boothlab.training.job import Job
from boothlab.training.kept import Kept
from jobs_made import make_job, pool, predictions, run, same

Fresh = Callable[[], Model]


def job_with_prior(
    model: Model, steps: int = 1, text_encoder: bool = False, weight: float = 1.0, compute: Compute | None = None
) -> Job:
    """A job on three photos whose prior is the model's own prediction."""
    wanted = Objective(prior_from="prediction", prior_weight=weight)
    photos = pool(model.latent_shape, photos=3, class_images=0).instances
    return make_job(
        model,
        DreamBooth(learning_rate=1e-2, text_encoder=text_encoder),
        training=Training(steps=steps, threads=1, compute=compute or Compute()),
        objective=wanted,
        examples=Pool(photos, photos_as_class(photos, "a photo of a CLASS")),
    )


def test_photos_stand_in_for_class_images_under_the_class_prompt(fresh: Fresh) -> None:
    found = job_with_prior(fresh()).pool.classes["person"]
    assert [example.id for example in found] == [f"photo-{k} as person" for k in range(3)]
    assert {example.prompt for example in found} == {"a photo of a person"}


def test_they_are_dealt_and_noised_as_class_images_are_and_keep_their_masks(fresh: Fresh) -> None:
    """As docs/objective.md says: not the very latents of the other half."""
    job = job_with_prior(fresh())
    pairs = []
    for step in range(20):
        photo, again = job.draws.deal(step)[0]
        drawn = [job.draws.draw(step, dealt) for dealt in (photo, again)]
        assert not torch.equal(drawn[0].noise_CHW, drawn[1].noise_CHW)
        pairs.append((photo.example.id != again.example.id.removesuffix(" as person"), drawn))
    assert any(other for other, _ in pairs)
    assert any(drawn[0].timestep != drawn[1].timestep for _, drawn in pairs)
    mask = torch.full((1, 1, 2, 2), 0.5)
    (masked,) = photos_as_class([replace(job.pool.instances[0], mask_11HW=mask)], "a photo of a CLASS")["person"]
    assert masked.mask_11HW is mask


def test_before_the_first_step_the_class_half_costs_nothing(fresh: Fresh) -> None:
    """The tuned model still is the base model, so it predicts its own target."""
    first = next(event for event in run(job_with_prior(fresh())) if isinstance(event, Stepped))
    assert first.class_loss == pytest.approx(0.0, abs=1e-10)
    assert first.instance_loss > 0.1


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("text_encoder", [False, True])
def test_the_prior_predicts_in_the_number_format_of_the_training(
    fresh: Fresh, precision: Literal["bf16", "fp16"], text_encoder: bool
) -> None:
    """In another one its target would be off by what rounding makes of the same weights, from the first step on."""
    job = job_with_prior(fresh(), text_encoder=text_encoder, compute=Compute(precision=precision))
    first = next(event for event in run(job) if isinstance(event, Stepped))
    assert first.class_loss == pytest.approx(0.0, abs=2e-8)
    assert job.prior is not None
    # Of weights that take no gradient autocast keeps no rounded copy: the frozen ones would be in memory one and a
    # half times.
    frozen = job.prior._model.parts().items()
    assert not any(p.requires_grad for role, part in frozen if role != "autoencoder" for p in part.parameters())


def test_what_is_kept_for_other_trainings_is_encoded_in_full(fresh: Fresh, tmp_path: Path) -> None:
    model = fresh()
    expected = model.encode_text(["a photo of a person"]).states_BLD.detach()
    job = job_with_prior(model, compute=Compute(precision="bf16"))
    assert job.prior is not None
    job.prior._kept = Kept(tmp_path, "base")
    run(job)
    (file,) = tmp_path.rglob("*.safetensors")
    assert same(load_file(file)["states"], expected)


@pytest.mark.parametrize("text_encoder", [False, True])
def test_the_prior_stays_frozen_while_the_model_moves(fresh: Fresh, text_encoder: bool) -> None:
    job = job_with_prior(fresh(), steps=4, text_encoder=text_encoder)
    assert job.prior is not None
    frozen = job.prior._model
    before = predictions(frozen)
    events = [event for event in run(job) if isinstance(event, Stepped)]
    assert same(predictions(frozen), before)
    assert not same(predictions(job.model), before)
    assert events[-1].class_loss is not None
    assert events[-1].class_loss > 0.0


def test_it_holds_the_class_prompt_still(fresh: Fresh) -> None:
    """With a heavy prior the prediction under the class prompt moves less than without any weight on it."""
    base = predictions(fresh(), ("a photo of a person",))

    def moved(weight: float) -> float:
        job = job_with_prior(fresh(), steps=30, weight=weight)
        run(job)
        return float((predictions(job.model, ("a photo of a person",)) - base).abs().mean())

    assert moved(10.0) < 0.8 * moved(0.0)


def test_target_of_the_class_half_is_replaced_and_that_of_photos_is_not() -> None:
    from boothlab.diffusion.schedule import scaled_linear_betas, variance_preserving

    schedule = variance_preserving(scaled_linear_betas(0.00085, 0.012, 1000), "epsilon")
    noise: Tensor = torch.arange(16.0).reshape(4, 1, 2, 2)
    given = torch.full((2, 1, 2, 2), -1.0)
    sample = objective.Noised(
        torch.zeros(4, 1, 2, 2), noise, torch.tensor([1, 2, 3, 4]), torch.ones(4), 2, None, given
    )
    wanted = objective.target(schedule, sample)
    assert same(wanted[:2], noise[:2])
    assert same(wanted[2:], given)
