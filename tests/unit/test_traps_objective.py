"""Traps that other trainers fell into, in the loss and in what it is fed with: each test fails where they failed.

The numbers (L1 …) are those of the project's list of traps; what each trainer did wrong is said at each test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.training_utils import compute_snr
from torch import Tensor

from boothlab.diffusion import objective as objectives
from boothlab.diffusion.config import Objective
from boothlab.diffusion.objective import Noised, loss, snr_weight
from boothlab.diffusion.schedule import (
    Prediction,
    Schedule,
    resolution_shift,
    scaled_linear_betas,
    straight_path,
    variance_preserving,
    zero_terminal_snr,
)
from boothlab.diffusion.timesteps import draw_timestep
from boothlab.errors import PlanError
from boothlab.models.model import Model
from boothlab.models.sampling import from_uint8
from boothlab.photos.photo import Photo
from boothlab.plan import plan_from
from boothlab.runs.events import Stepped
from boothlab.strategies.dreambooth.config import DreamBooth
from boothlab.training.assemble import TrainingSet, build_pool
from boothlab.training.batches import Dealt, Draw, Draws, Pool, deal, draw, noised, prompts
from boothlab.training.class_images import ClassImage, read_class_image
from boothlab.training.config import Training
from jobs_made import SUBJECT, example, make_job, pool, run, settings
from photos_made import photo_folder

Fresh = Callable[[], Model]

GAMMA = 5.0
BETAS = scaled_linear_betas(0.00085, 0.012, 1000)
SHAPE = (4, 3, 3)


def made(schedule: Schedule, photos: int, prior_weight: float, seed: int = 0) -> tuple[Noised, Tensor]:
    """A batch of ``photos`` photos and as many class images, and a prediction that is wrong everywhere."""
    generator = torch.Generator().manual_seed(seed)
    both = 2 * photos
    clean, noise, off = (torch.randn((both, *SHAPE), generator=generator) for _ in range(3))
    timestep_B = torch.randint(0, len(schedule), (both,), generator=generator)
    weight_B = torch.tensor([1.0] * photos + [prior_weight] * photos)
    sample = Noised(clean, noise, timestep_B, weight_B, photos)
    return sample, objectives.target(schedule, sample) + off


def by_hand(
    schedule: Schedule, sample: Noised, prediction: Tensor, gamma: float | None, prior_weight: float
) -> float:
    """mean(w·e over photos) + λ·mean(w·e over class images), each weight from its own timestep, in float64."""
    error = ((prediction - objectives.target(schedule, sample)).double() ** 2).mean(dim=(1, 2, 3))
    alpha, sigma = (table.double()[sample.timestep_B] for table in (schedule.alpha_T, schedule.sigma_T))
    ratio = (alpha / sigma) ** 2
    picture = ratio.clamp(max=gamma) if gamma else None
    factor = {"epsilon": 1 / ratio, "v_prediction": 1 / (ratio + 1), "flow": sigma**2}[schedule.prediction]
    weighted = error if picture is None else error * picture * factor
    return float(weighted[: sample.num_instance].mean() + prior_weight * weighted[sample.num_instance :].mean())


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("photos", [1, 2, 3])
def test_l1_min_snr_weighs_every_sample_by_its_own_timestep(photos: int, prediction: Prediction) -> None:
    """diffusers weighs B photo losses with 2B weights: broadcast for B = 1, an error for more."""
    schedule = variance_preserving(BETAS, prediction)
    for seed in range(20):
        sample, predicted = made(schedule, photos, 0.7, seed)
        value = float(loss(schedule, predicted, sample, GAMMA))
        assert value == pytest.approx(by_hand(schedule, sample, predicted, GAMMA, 0.7), rel=1e-5)


def test_l1_where_the_reference_has_no_meaning_its_imitation_is_refused() -> None:
    tree = {
        "subjects": [{"name": "ada", "photos": "photos"}],
        "training": {"compat": "diffusers"},
        "objective": {"snr_gamma": 5.0},
    }
    with pytest.raises(PlanError, match="mixes the weights"):
        plan_from(tree, "test")
    for objective in ({"snr_gamma": 5.0, "prior_preservation": False}, {}):
        assert plan_from({**tree, "objective": objective}, "test").training.compat == "diffusers"
    assert plan_from({**tree, "training": {}}, "test").training.compat == "none"


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("timestep", [0, 1, 250, 500, 999])
def test_l2_prior_weight_means_the_same_with_and_without_gamma(timestep: int, prediction: Prediction) -> None:
    """diffusers leaves the class part unweighted, so that λ grows as γ shrinks the photos' part."""
    schedule = variance_preserving(BETAS, prediction)
    sample, _ = made(schedule, 1, 0.7)
    same_t = Noised(sample.clean_BCHW, sample.noise_BCHW, torch.full((2,), timestep), sample.weight_B, 1)
    target = objectives.target(schedule, same_t)
    parts = []
    for which in (0, 1):
        off = torch.zeros_like(target)
        off[which] = 1.0
        parts.append([float(loss(schedule, target + off, same_t, gamma)) for gamma in (None, GAMMA, 1.0)])
    assert [other / photo for photo, other in zip(*parts, strict=True)] == pytest.approx([0.7] * 3, rel=1e-5)


@pytest.mark.parametrize("photos", [1, 2, 3])
@pytest.mark.parametrize(("gamma", "prior_weight"), list(product([None, GAMMA], [0.0, 0.7, 1.0])))
@pytest.mark.parametrize("how", ["uniform", "logit_normal"])
def test_l3_flow_weights_go_with_their_samples(
    photos: int, gamma: float | None, prior_weight: float, how: str
) -> None:
    """Several flow trainers multiply the photos' half with weights of the whole batch."""
    schedule = straight_path(1000, shift=3.0)
    sample, predicted = made(schedule, photos, prior_weight)
    generator = torch.Generator().manual_seed(photos)
    timesteps = [draw_timestep(how, 1000, generator) for _ in range(2 * photos)]  # type: ignore[arg-type]
    sample = Noised(sample.clean_BCHW, sample.noise_BCHW, torch.tensor(timesteps), sample.weight_B, photos)
    predicted = objectives.target(schedule, sample) + predicted
    value = float(loss(schedule, predicted, sample, gamma))
    assert value == pytest.approx(by_hand(schedule, sample, predicted, gamma, prior_weight), rel=1e-5)
    torch.testing.assert_close(objectives.target(schedule, sample), sample.noise_BCHW - sample.clean_BCHW)


@pytest.mark.parametrize("gamma", [1.0, 5.0, 20.0])
def test_l4_min_snr_for_velocity_divides_by_snr_plus_one(gamma: float) -> None:
    """Three scripts have min(SNR, γ)/SNR + 1 instead, which weighs noisy timesteps the wrong way round."""
    timestep_B = torch.tensor([0, 1, 500, 999])
    theirs = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    ratio = compute_snr(theirs, timestep_B).double()
    capped = ratio.clamp(max=gamma)
    for prediction, expected in (("epsilon", capped / ratio), ("v_prediction", capped / (ratio + 1))):
        weight = snr_weight(variance_preserving(BETAS, prediction), timestep_B, gamma).double()  # type: ignore[arg-type]
        torch.testing.assert_close(weight, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_l5_min_snr_is_finite_where_nothing_of_the_picture_is_left(prediction: Prediction) -> None:
    """kohya divided by the SNR of the last timestep, which is 0 when betas are rescaled."""
    schedule = variance_preserving(zero_terminal_snr(BETAS), prediction)
    assert float(schedule.alpha_T[-1]) == 0.0
    sample, predicted = made(schedule, 2, 1.0)
    last = Noised(sample.clean_BCHW, sample.noise_BCHW, torch.full((4,), 999), sample.weight_B, 2)
    predicted = predicted.requires_grad_(True)
    value = loss(schedule, predicted, last, GAMMA)
    value.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(value)
    assert predicted.grad is not None
    assert torch.isfinite(predicted.grad).all()
    expected = 1.0 if prediction == "epsilon" else 0.0
    assert snr_weight(schedule, torch.tensor([999]), GAMMA).tolist() == [expected]


@pytest.mark.parametrize("photos", [1, 2, 4])
def test_l6_ours_is_the_sum_of_two_means_and_kohyas_is_half_of_it(photos: int) -> None:
    """Two formulas go by the name of prior preservation; docs/objective.md says what to set for the other one."""
    schedule = variance_preserving(BETAS, "epsilon")
    sample, predicted = made(schedule, photos, 0.7)
    error = ((predicted - sample.noise_BCHW) ** 2).mean(dim=(1, 2, 3))
    two_means = error[:photos].mean() + 0.7 * error[photos:].mean()
    mixed_mean = (error * sample.weight_B).mean()
    value = loss(schedule, predicted, sample)
    torch.testing.assert_close(value, two_means)
    torch.testing.assert_close(value, 2 * mixed_mean)


def test_l7_the_cached_class_embedding_is_that_of_the_class_prompt(fresh: Fresh) -> None:
    """diffusers once pre-computed the instance prompt for both halves."""
    job = make_job(fresh(), DreamBooth())
    (batch,) = job.draws.deal(0)
    texts = prompts(batch, [job.draws.draw(0, dealt) for dealt in batch])
    assert texts == ["a photo of nlwx person", "a photo of a person"]
    for _ in range(2):  # filled, then read
        cached = job.condition(texts).states_BLD
        live = torch.cat([job.model.encode_text([text]).states_BLD for text in texts])
        assert torch.equal(cached, live)
        assert not torch.equal(cached[0], cached[1])


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_l8_masks_cover_photos_and_class_images(batch_size: int) -> None:
    """diffusers once forgot the class half when it put the (attention) masks together."""
    mask = torch.zeros((1, 1, *SHAPE[1:]))
    mask[..., 0] = 1.0
    photos = [example(f"photo-{k}", SHAPE, k, "a photo of nlwx person") for k in range(3)]
    masked = replace(photos[0], id="photo-masked", mask_11HW=mask)
    examples = Pool((masked, *photos), pool(SHAPE).classes)
    for step in range(4):
        (batch,) = deal(examples, 0, step, batch_size, 1)
        draws = [draw(dealt, 0, step, Objective(), 1000) for dealt in batch]
        sample = noised(batch, draws, 1.0, torch.device("cpu"))
        shapes = {len(t) for t in (sample.clean_BCHW, sample.noise_BCHW, sample.timestep_B, sample.weight_B)}
        assert shapes == {2 * batch_size}
        if sample.mask_B1HW is not None:
            assert sample.mask_B1HW.shape == (2 * batch_size, 1, *SHAPE[1:])
            for dealt, row in zip(batch, sample.mask_B1HW, strict=True):
                assert float(row.mean()) == pytest.approx(1 / 3 if dealt.example is masked else 1.0)


class Spy:
    """Stands in for a model's ``predict`` and notes (noisy latents, text) of every sample."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, model: Model) -> None:
        self.seen: list[tuple[Tensor, Tensor, int]] = []
        predict = type(model).predict

        def noted(inner: Model, noisy: Tensor, timestep_B: Tensor, text: object) -> Tensor:
            states = text.states_BLD.detach()  # type: ignore[attr-defined]
            self.seen += list(zip(noisy.detach(), states, timestep_B.tolist(), strict=True))
            return predict(inner, noisy, timestep_B, text)  # type: ignore[arg-type]

        monkeypatch.setattr(type(model), "predict", noted)


@pytest.mark.parametrize(("batch_size", "accumulate"), [(1, 1), (2, 1), (1, 3), (3, 2)])
def test_l9_picture_and_prompt_stay_together(
    batch_size: int, accumulate: int, tmp_path: Path, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six repairs in one year: prompt i met latent j after a cache, a shuffle, or in the second epoch.

    Here every photo has a caption of its own. Without noise the model sees the latents themselves, which say what
    picture it is; the text embedding says what prompt it is. Followed over three turns through the photos.
    """
    model = fresh()
    names = [f"{k}.png" for k in range(4)]
    random = np.random.default_rng(0)
    photos = tuple(
        Photo(
            name, random.integers(0, 256, (model.size, model.size, 3), dtype=np.uint8), "", caption=f"{{it}} no {k}"
        )
        for k, name in enumerate(names)
    )
    class_files = sorted(photo_folder(tmp_path / "class", 3, (model.size, model.size)).iterdir())
    classes = [ClassImage(path, "a photo of a person") for path in class_files]
    examples = build_pool(model, Objective(), [TrainingSet(SUBJECT, photos)], {"person": classes})
    wanted = {f"ada/{name}": f"nlwx person no {k}" for k, name in enumerate(names)}
    wanted |= {f"person/{path.name}": "a photo of a person" for path in class_files}
    pixels = {f"ada/{photo.name}": photo.pixels for photo in photos}
    pixels |= {f"person/{path.name}": np.asarray(read_class_image(path, model.size)) for path in class_files}
    latents = {name: model.encode_image(from_uint8(found[None])).mean_BCHW[0] for name, found in pixels.items()}
    embeddings = {text: model.encode_text([text]).states_BLD[0].detach() for text in wanted.values()}

    steps = 3 * 4 // (batch_size * accumulate) + 1
    training = Training(steps=steps, threads=1, batch_size=batch_size, accumulate=accumulate)
    job = make_job(model, DreamBooth(learning_rate=1e-12), training=training, examples=examples)
    still = torch.zeros(model.latent_shape)
    job.draws = Draws(job.draws.deal, lambda step, dealt: Draw(still, still, 0))
    spy = Spy(monkeypatch, model)
    run(job)
    alpha = float(model.schedule.alpha_T[0])
    seen = [(closest(noisy / alpha, latents), closest(states, embeddings)) for noisy, states, _ in spy.seen]
    assert len(seen) == 2 * steps * batch_size * accumulate
    assert all(wanted[picture] == prompt for picture, prompt in seen)
    counts = [sum(picture == f"ada/{name}" for picture, _ in seen) for name in names]
    assert min(counts) >= 3
    assert max(counts) - min(counts) <= 1 + (steps * batch_size * accumulate) % 4


def closest(seen: Tensor, known: dict[str, Tensor]) -> str:
    """The key whose tensor is nearest; it must be near."""
    distances = {key: float((tensor - seen).abs().max()) for key, tensor in known.items()}
    best = min(distances, key=lambda key: distances[key])
    assert distances[best] < 1e-3
    return best


def test_l10_training_leaves_the_noise_schedule_as_it_is(fresh: Fresh) -> None:
    """kohya's scheduler tables were changed in place while noise was added."""
    model = fresh()

    def digest() -> str:
        tables = (model.schedule.alpha_T, model.schedule.sigma_T)
        return hashlib.sha256(b"".join(table.numpy().tobytes() for table in tables)).hexdigest()

    before = digest()
    run(make_job(model, DreamBooth(), training=settings(4), objective=Objective(snr_gamma=5.0, offset_noise=0.1)))
    assert digest() == before


def test_l11_every_timestep_is_drawn_both_ends_included() -> None:
    """OneTrainer drew one timestep never and another twice as often."""
    generator = torch.Generator().manual_seed(0)
    count, draws = 20, 40_000
    histogram = np.bincount([draw_timestep("uniform", count, generator) for _ in range(draws)], minlength=count)
    assert len(histogram) == count
    expected = draws / count
    assert np.abs(histogram - expected).max() < 5 * np.sqrt(expected)
    seen = {draw_timestep("uniform", 1000, generator) for _ in range(20_000)}
    assert min(seen) == 0
    assert max(seen) == 999
    middle = [draw_timestep("logit_normal", 10, generator) for _ in range(20_000)]
    assert (min(middle), max(middle)) == (0, 9)


def test_l11_the_model_is_told_the_timestep_that_was_drawn(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fresh()
    job = make_job(model, DreamBooth(), training=settings(6))
    drawn = [
        job.draws.draw(step, dealt).timestep for step in range(6) for batch in job.draws.deal(step) for dealt in batch
    ]
    spy = Spy(monkeypatch, model)
    run(job)
    assert [timestep for _, _, timestep in spy.seen] == drawn
    assert len(set(drawn)) > 6


@pytest.mark.parametrize("size_px", [256, 512, 768, 1024])
def test_l13_shift_counts_the_tokens_of_the_resolution(size_px: int) -> None:
    """OneTrainer counted four times too few tokens."""
    latents = size_px // 8
    table = {256: 1.6487, 512: 1.8776, 768: 2.3319, 1024: 3.1582}
    shift = resolution_shift(latents, latents)
    assert shift == pytest.approx(table[size_px], abs=1e-4)
    mu = calculate_shift((size_px // 16) ** 2)
    assert shift == pytest.approx(float(np.exp(mu)), rel=1e-9)
    theirs = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    straight = torch.arange(1, 1001) / 1000
    torch.testing.assert_close(straight_path(1000, shift).sigma_T, theirs.time_shift(mu, 1.0, straight))


def test_l14_the_offset_is_part_of_the_target_and_changes_no_other_draw() -> None:
    """What is added to the noise must also be what the model is asked for."""
    dealt = Dealt(example("photo", SHAPE, 0, "a photo of nlwx person"), "instance", 0)
    plain, offset = (draw(dealt, 3, 5, Objective(offset_noise=strength), 1000) for strength in (0.0, 0.1))
    difference = offset.noise_CHW - plain.noise_CHW
    per_channel = difference.mean(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(difference, per_channel.expand_as(difference), rtol=0, atol=1e-6)
    assert len({round(float(value), 6) for value in per_channel.flatten()}) == SHAPE[0]
    assert torch.equal(offset.posterior_CHW, plain.posterior_CHW)
    assert offset.timestep == plain.timestep
    sample = noised([dealt], [offset], 1.0, torch.device("cpu"))
    for prediction in ("epsilon", "v_prediction"):
        schedule = variance_preserving(BETAS, prediction)  # type: ignore[arg-type]
        theirs = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
        noise = offset.noise_CHW[None]
        told = noise if prediction == "epsilon" else theirs.get_velocity(sample.clean_BCHW, noise, sample.timestep_B)
        torch.testing.assert_close(objectives.target(schedule, sample), told)
        seen = theirs.add_noise(sample.clean_BCHW, noise, sample.timestep_B)
        torch.testing.assert_close(objectives.noisy(schedule, sample), seen)


def test_p7_no_window_is_short_and_accumulating_is_the_big_batch(fresh: Fresh) -> None:
    """The last window of an epoch is divided by N although it holds fewer batches; here there is no such window."""
    examples = pool(fresh().latent_shape, photos=7, class_images=4)
    seen = []
    for batch_size, accumulate in ((1, 3), (3, 1)):
        training = Training(steps=6, threads=1, batch_size=batch_size, accumulate=accumulate)
        job = make_job(fresh(), DreamBooth(learning_rate=1e-12), training=training, examples=examples)
        assert {sum(len(batch) for batch in job.draws.deal(step)) for step in range(50)} == {6}
        seen.append([(e.loss, e.norm) for e in run(job) if isinstance(e, Stepped)])
    for one_by_one, at_once in zip(*seen, strict=True):
        assert one_by_one == pytest.approx(at_once, rel=1e-5)


def test_p7_compat_has_the_short_window_and_still_divides_by_n(fresh: Fresh) -> None:
    training = Training(steps=3, threads=1, accumulate=3, compat="diffusers")
    examples = pool(fresh().latent_shape, photos=7, class_images=0)
    job = make_job(fresh(), DreamBooth(), training=training, examples=examples)
    assert [len(job.draws.deal(step)) for step in range(6)] == [3, 3, 1, 3, 3, 1]
    for first in (0, 3):
        ids = [d.example.id for step in range(first, first + 3) for batch in job.draws.deal(step) for d in batch]
        assert sorted(ids) == sorted(e.id for e in examples.instances)
    one, norms = Dealt(examples.instances[0], "instance", 0), []
    for accumulate in (1, 3):
        training = Training(steps=1, threads=1, accumulate=accumulate, compat="diffusers")
        job = make_job(fresh(), DreamBooth(), training=training, examples=examples)
        job.draws = Draws(lambda step: [[one]], lambda step, dealt: draw(dealt, 0, 0, Objective(), 1000))
        norms += [event.norm for event in run(job) if isinstance(event, Stepped)]
    assert norms[0] == pytest.approx(3 * norms[1], rel=1e-5)
