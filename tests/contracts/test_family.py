"""What every family of models promises, measured against stock diffusers on a model of that family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from boothlab.models.config import Base
from boothlab.models.load import load
from boothlab.models.locate import base_size
from boothlab.models.model import Model
from boothlab.models.sampling import from_uint8, make_scheduler, noise_sources, sample, to_uint8
from tiny import SIZE, build_tiny_sd

PROMPTS = ["a photo of rinn person", "", "two dogs, " * 60]


@pytest.fixture(scope="module", params=["epsilon", "v_prediction"])
def folder(request: pytest.FixtureRequest, tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of each family and prediction type, in diffusers format."""
    if request.param == "epsilon":
        return tiny_sd
    return build_tiny_sd(tmp_path_factory.mktemp("models") / "v", prediction=request.param, seed=1)


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load(Base(model=str(folder), device="cpu"))


@pytest.fixture(scope="module")
def stock(folder: Path) -> Any:
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_is_frozen_and_in_eval(model: Model) -> None:
    parts = model.parts()
    assert {"backbone", "text_encoder", "autoencoder"} <= parts.keys()
    assert parts["backbone"] is model.backbone()
    assert model.text_encoders().items() <= parts.items()
    assert model.tokenizers().keys() == model.text_encoders().keys()
    for module in parts.values():
        assert not module.training
        assert not any(p.requires_grad for p in module.parameters())
        assert {p.dtype for p in module.parameters()} == {torch.float32}


def test_sizes_agree(model: Model, folder: Path) -> None:
    assert model.size == SIZE == base_size(Base(model=str(folder)))
    channels, height, width = model.latent_shape
    assert (channels, height, width) == (4, SIZE // 8, SIZE // 8)
    pixels = torch.zeros((2, 3, SIZE, SIZE))
    posterior = model.encode_image(pixels)
    assert posterior.mean_BCHW.shape == posterior.std_BCHW.shape == (2, channels, height, width)
    assert model.decode(posterior.mean_BCHW).shape == pixels.shape
    assert model.decode(100 * torch.randn((1, channels, height, width))).abs().max() <= 1


def test_adapter_targets_are_linear_layers_that_exist(model: Model) -> None:
    for role, suffixes in model.adapter_targets().items():
        names = dict(model.parts()[role].named_modules())
        for suffix in suffixes:
            layers = [module for name, module in names.items() if name.endswith("." + suffix)]
            assert layers, f"{role} has no layer {suffix}"
            assert all(isinstance(layer, torch.nn.Linear) for layer in layers)


def test_text_equals_stock(model: Model, stock: Any) -> None:
    ours = model.encode_text(PROMPTS).states_BLD
    with torch.no_grad():
        theirs, _ = stock.encode_prompt(PROMPTS, "cpu", 1, False)
    assert ours.shape == (3, 77, 16)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    one = model.encode_text(PROMPTS[:1]).states_BLD
    torch.testing.assert_close(one, ours[:1], rtol=1e-5, atol=1e-6)


def test_latents_equal_stock(model: Model, stock: Any) -> None:
    pixels = from_uint8(np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8))
    posterior = model.encode_image(pixels)
    with torch.no_grad():
        theirs = stock.vae.encode(pixels).latent_dist
    scale = stock.vae.config.scaling_factor
    torch.testing.assert_close(posterior.mean_BCHW, theirs.mean * scale, rtol=1e-5, atol=1e-6)
    noise = torch.randn(posterior.mean_BCHW.shape)
    drawn = posterior.draw(noise)
    torch.testing.assert_close(drawn, (theirs.mean + theirs.std * noise) * scale, rtol=1e-5, atol=1e-6)


def test_schedule_equals_stock(model: Model, folder: Path) -> None:
    from diffusers import DDPMScheduler

    stock = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    schedule = model.schedule
    assert schedule.prediction == stock.config.prediction_type
    assert len(schedule) == 1000
    torch.testing.assert_close(schedule.alpha_T, stock.alphas_cumprod.sqrt(), rtol=0, atol=0)
    torch.testing.assert_close(schedule.sigma_T, (1 - stock.alphas_cumprod).sqrt(), rtol=0, atol=0)


@pytest.mark.parametrize("sampler", ["dpm++", "dpm++sde", "ddim"])
@pytest.mark.parametrize("guidance", [7.5, 1.0])
@pytest.mark.parametrize("spacing", [None, "leading", "trailing"])
def test_picture_equals_stock(model: Model, stock: Any, sampler: Any, guidance: float, spacing: Any) -> None:
    prompts, seeds = PROMPTS[:1] * 2, [11, 12]
    ours = sample(model, prompts, seeds, sampler, 6, guidance, spacing)
    stock.scheduler = make_scheduler(sampler, dict(stock.scheduler.config), spacing)
    theirs = stock(
        prompts,
        num_inference_steps=6,
        guidance_scale=guidance,
        generator=noise_sources(seeds),
        output_type="np",
    ).images
    theirs = (theirs * 255).round().astype(int)
    assert ours.shape == (2, SIZE, SIZE, 3)
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert (ours.astype(int) != theirs).mean() < 0.01
    assert np.abs(ours[0].astype(int) - ours[1]).mean() > 1, "two seeds, two pictures"


def test_negative_prompts_lead_where_the_stock_pipelines_do(model: Model, stock: Any) -> None:
    prompts, negatives, seeds = PROMPTS[:1] * 2, ["a red wall", ""], [11, 12]
    ours = sample(model, prompts, seeds, "ddim", 6, 7.5, None, negatives)
    stock.scheduler = make_scheduler("ddim", model.scheduler_config())
    settings = {"num_inference_steps": 6, "guidance_scale": 7.5, "output_type": "np"}
    theirs = stock(prompts, negative_prompt=negatives, generator=noise_sources(seeds), **settings).images
    theirs = (theirs * 255).round().astype(int)
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    plain = sample(model, prompts, seeds, "ddim", 6, 7.5)
    assert np.abs(ours[0].astype(int) - plain[0]).mean() > 0.5
    assert np.abs(ours[1].astype(int) - plain[1]).max() <= 1
    with pytest.raises(ValueError, match="1 negative prompts for 2 prompts"):
        sample(model, prompts, seeds, "ddim", 6, 7.5, None, ["blue"])


@pytest.mark.parametrize("sampler", ["dpm++", "dpm++sde"])
def test_picture_depends_on_its_own_seed_only(model: Model, sampler: Any) -> None:
    alone = sample(model, PROMPTS[:1], [5], sampler, 4, 7.5)[0]
    torch.manual_seed(99)
    among = sample(model, [PROMPTS[1], PROMPTS[0], PROMPTS[0]], [8, 5, 9], sampler, 4, 7.5)[1]
    assert np.abs(alone.astype(int) - among).max() <= 1
    again = sample(model, PROMPTS[:1], [5], sampler, 4, 7.5)[0]
    np.testing.assert_array_equal(alone, again)


def test_fresh_noise_makes_another_picture_of_the_same_start(model: Model) -> None:
    still, stirred = (sample(model, PROMPTS[:1], [5], one, 4, 7.5)[0].astype(int) for one in ("dpm++", "dpm++sde"))
    assert np.abs(still - stirred).mean() > 1


@pytest.mark.parametrize(("spacing", "first"), [("trailing", 999), ("linspace", 999), ("leading", 801)])
def test_steps_are_laid_over_the_timesteps_as_the_spacing_says(model: Model, spacing: Any, first: int) -> None:
    """Four of a thousand timesteps (Lin et al. 2024, table 2; ``leading`` with diffusers' offset of one)."""
    scheduler = make_scheduler("dpm++sde", {**model.scheduler_config(), "steps_offset": 1}, spacing)
    scheduler.set_timesteps(4)
    assert int(scheduler.timesteps[0]) == first
    for own in ("leading", "trailing"):
        kept = make_scheduler("dpm++sde", {**model.scheduler_config(), "timestep_spacing": own})
        assert kept.config.timestep_spacing == own, "nothing said is the base model's own"


def test_every_picture_has_its_seed(model: Model) -> None:
    with pytest.raises(ValueError, match="2 prompts for 1 seeds"):
        sample(model, PROMPTS[:2], [5], "dpm++", 4, 7.5)


def test_pixels_there_and_back() -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    tensor = from_uint8(pixels)
    assert (float(tensor.min()), float(tensor.max())) == (-1.0, 1.0)
    np.testing.assert_array_equal(to_uint8(tensor), pixels)


def test_gradient_reaches_the_text_encoder(folder: Path) -> None:
    model = load(Base(model=str(folder), device="cpu"))
    for module in (*model.text_encoders().values(), model.backbone()):
        module.requires_grad_(True)
    text = model.encode_text(PROMPTS[:1])
    noisy = torch.randn((1, *model.latent_shape))
    model.predict(noisy, torch.tensor([500]), text).square().mean().backward()
    for module in (*model.text_encoders().values(), model.backbone()):
        norms = [float(p.grad.norm()) for p in module.parameters() if p.grad is not None]
        assert max(norms) > 0
    assert all(p.grad is None for p in model.parts()["autoencoder"].parameters())
