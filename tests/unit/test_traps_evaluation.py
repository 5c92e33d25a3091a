"""Traps that other evaluations fell into, numbered as in the notes: those that lie in features and metrics."""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from boothlab.evaluation.derived import COPIED, DERIVED, MEMORISATION
from boothlab.features import lpips, transforms
from boothlab.features.background import WORDS
from boothlab.features.clip import TOON_CLIP, pixels_for
from boothlab.features.faces import Domain
from boothlab.features.feature import Feature
from boothlab.features.identity import TOON_IDENTITY
from boothlab.features.inception import INCEPTION
from boothlab.metrics import METRICS
from boothlab.metrics.background_asked import METRIC as BACKGROUND_ASKED
from boothlab.metrics.clip_i import METRIC as CLIP_I
from boothlab.metrics.clip_t import METRIC as CLIP_T
from boothlab.metrics.discrepancy import mmd_squared, polynomial_kernel
from boothlab.metrics.drift_lpips import METRIC as DRIFT
from boothlab.metrics.face_found import METRIC as FACE_FOUND
from boothlab.metrics.frechet import frechet_distance
from boothlab.metrics.identity import METRIC as IDENTITY
from boothlab.metrics.match import METRIC as MATCH
from boothlab.metrics.metric import PAIRED, AnyMetric, Metric, feature_of
from boothlab.models.config import Base
from boothlab.models.load import load
from boothlab.models.model import Model
from boothlab.training.validation import fixed_loss
from drawings_made import drawn
from jobs_made import pool
from photos_made import made_photo
from source_tree import modules

DOMAINS: tuple[Domain, ...] = ("photographs", "drawings")


def toon_texts(prompts: list[str]) -> np.ndarray:
    assert TOON_CLIP.texts is not None
    return np.asarray(TOON_CLIP.texts(prompts))


def test_e1_preprocessing_is_pinned_by_values() -> None:
    """Of a ramp from 0 to 239 over 40 × 60 pixels: what every resize here makes of it."""
    ramp = np.repeat(np.linspace(0, 239, 60).astype(np.uint8)[None, :, None], 40, axis=0).repeat(3, axis=2)
    np.testing.assert_allclose(transforms.resized(ramp, 4)[0, :, 0], [29.357, 87.356, 150.640, 208.687], atol=2e-3)
    np.testing.assert_allclose(transforms.cropped(ramp, 20, 20)[0, ::5, 0], [42, 83, 123, 164], atol=1)
    pixels = pixels_for([ramp], 20)
    assert pixels.shape == (1, 3, 20, 20)
    np.testing.assert_allclose(pixels[0, :, 0, 0], [-1.179, -1.122, -0.883], atol=0.016)


def test_e1_another_resize_is_another_number() -> None:
    noise = np.random.default_rng(0).normal(0, 60, (512, 512, 1))
    fine = np.clip(np.asarray(made_photo(0, (512, 512))) + noise, 0, 255).astype(np.uint8)
    pinned = TOON_CLIP.extract([fine])
    careless = TOON_CLIP.extract([np.asarray(Image.fromarray(fine).resize((128, 128), Image.Resampling.NEAREST))])
    assert 1 - float(CLIP_I.values(pinned, careless)[0]) > 1e-3


def test_e2_the_identifier_would_move_clip_t() -> None:
    """So prompts are read with the class alone: metrics on texts ask for "prompt", which says so."""
    image = TOON_CLIP.extract(drawn("mira", 1))
    texts = toon_texts(["a photo of a person", "a photo of zqx person"])
    scores = CLIP_T.values(np.repeat(image, 2, axis=0), texts)
    assert abs(scores[0] - scores[1]) > 1e-3
    asking = [metric for metric in METRICS if "prompt" in metric.references]
    assert {metric.name for metric in asking} >= {"background_asked", "clip_t"}
    assert all(feature_of(metric, domain).texts for metric in asking for domain in DOMAINS)


def test_e3_likeness_is_also_asked_of_photos_never_trained_on() -> None:
    for metric in METRICS:
        if set(metric.references) & {"train", "originals"} and metric.name != "context_glue":
            assert "held_out" in metric.references, metric.name
    train, held_out = drawn("mira")[:4], drawn("mira")[4:]
    photos = {name: TOON_CLIP.extract(rows) for name, rows in (("train", train), ("held_out", held_out))}
    copied = TOON_CLIP.extract(train)
    gap = CLIP_I.values(copied, photos["train"]).mean() - CLIP_I.values(copied, photos["held_out"]).mean()
    assert gap > 0.02, "copies look good on training photos alone"


def test_e4_pictures_without_a_face_do_not_vanish() -> None:
    pictures = [*drawn("mira", 3), np.full((128, 128, 3), 120, np.uint8)]
    rows, photos = TOON_IDENTITY.extract(pictures), TOON_IDENTITY.extract(drawn("mira", 8)[3:])
    values, verdicts = IDENTITY.values(rows, photos), MATCH.values(rows, photos)
    assert len(values) == 4
    assert np.isnan(values).tolist() == np.isnan(verdicts).tolist() == [False, False, False, True]
    assert FACE_FOUND.values(rows, rows[:0]).mean() == pytest.approx(3 / 4)
    by_name = {metric.name: metric for metric in METRICS}
    assert "face_found" in by_name["identity"].caution
    assert by_name["face_found"].on == by_name["match"].on


def test_e5_a_picture_of_two_people_has_one_face_the_largest() -> None:
    """A list of faces compared with a number would never be one face."""
    large, small = drawn("mira", 1)[0], drawn("tomo", 1)[0]
    both = np.full((192, 192, 3), 235, np.uint8)
    both[:128, :128] = large
    both[128:, 128:] = np.asarray(Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC))
    rows = TOON_IDENTITY.extract([both])
    photos = [TOON_IDENTITY.extract(drawn(name)) for name in ("mira", "tomo")]
    mira, tomo = (float(IDENTITY.values(rows, side)[0]) for side in photos)
    assert FACE_FOUND.values(rows, rows[:0]).tolist() == [1.0]
    assert mira > tomo


def test_e6_few_pictures_a_frechet_distance_is_bias_and_says_so() -> None:
    """20 against 18 vectors of one source, and the same with half the spread, which ought to be worse."""
    rng = np.random.default_rng(0)
    scale = 1 / np.arange(1, 513) ** 0.5
    draws = [[rng.normal(size=(n, 512)) * scale for n in (20, 18)] for _ in range(20)]
    perfect = np.array([frechet_distance(g, r) for g, r in draws])
    collapsed = np.array([frechet_distance(0.5 * g, r) for g, r in draws])
    assert perfect.min() > 2.0, "far from 0 although nothing differs"
    assert collapsed.mean() < perfect.mean(), "and it prefers the collapsed set"
    unbiased = np.array([mmd_squared(g, r, polynomial_kernel) for g, r in draws])
    assert abs(unbiased.mean()) < 3 * unbiased.std() / np.sqrt(20)
    for metric in METRICS:
        if metric.name == "fid" or metric.name.startswith("frechet"):
            assert "permutation" in metric.caution
            assert "published" in metric.caution


def test_e7_the_resize_before_inception_is_pinned() -> None:
    fine = np.asarray(made_photo(1, (512, 512)))
    pinned = transforms.resized(fine, 299)
    careless = torch.nn.functional.interpolate(
        torch.from_numpy(fine.copy()).permute(2, 0, 1)[None].float(), 299, mode="bilinear"
    )[0].permute(1, 2, 0)
    assert float(np.abs(pinned - careless.numpy()).mean()) > 0.1
    edge = np.zeros((64, 64, 3), np.uint8)
    edge[:, 32:] = 255
    sharp = transforms.resized(edge, 299)
    assert (sharp.min(), sharp.max()) == (0.0, 255.0), "the filter overshoots at an edge, clean-fid cuts it off"
    assert "clean" in INCEPTION.version
    assert "clean" in next(metric.unit for metric in METRICS if metric.name == "fid")


def test_e8_wrong_ranges_are_refused() -> None:
    pixels = np.asarray(made_photo(2, (64, 64)))
    assert float(DRIFT.values(lpips.extract([pixels]), lpips.extract([pixels]))[0]) == 0.0
    for feature in (lpips.LPIPS_ALEX, lpips.ALEXNET_POOLED, TOON_CLIP):
        with pytest.raises(ValueError, match="of uint8, not .64, 64, 3. of float32"):
            feature.extract([pixels.astype(np.float32) / 255])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="not .64, 64. of uint8"):
        lpips.extract([pixels[..., 0]])


@pytest.mark.parametrize(
    "metric", [m for m in METRICS if set(m.references) <= set(PAIRED)], ids=lambda metric: metric.name
)
def test_e9_rows_that_belong_together_cannot_be_stretched(metric: AnyMetric) -> None:
    assert isinstance(metric, Metric)
    rows = np.random.default_rng(0).normal(size=(4, 24))
    for fewer in (rows[:1], rows[:3]):
        with pytest.raises(ValueError, match="belong together"):
            metric.values(rows, fewer)


def test_e9_shuffled_prompts_score_worse() -> None:
    colors = ["red", "blue", "yellow", "green"]
    pictures = [np.full((128, 128, 3), WORDS[color], np.uint8) for color in colors]
    prompts = [f"a photo of a person with a {color} background" for color in colors]
    feature: Feature = feature_of(BACKGROUND_ASKED, "drawings")
    assert feature.texts is not None
    rows, texts = feature.extract(pictures), feature.texts(prompts)
    assert BACKGROUND_ASKED.values(rows, texts).tolist() == [1.0] * 4
    assert BACKGROUND_ASKED.values(rows, texts[[1, 2, 3, 0]]).tolist() == [0.0] * 4
    two = feature.texts(
        ["on a red and white background", "before a blue  and\ngrey wall", "a red hat, white background"]
    )
    assert np.isnan(two).all(axis=1).tolist() == [True, True, False]


def test_e11_the_look_at_held_out_photos_has_one_noise_whatever_was_drawn_before(fresh: Callable[[], Model]) -> None:
    """Else the curve moves by itself; and the mean is of the photos alone, however they are gathered."""
    model = fresh()
    photos = pool(model.latent_shape, photos=3, class_images=0).instances
    texts = [model.encode_text([photo.prompt]) for photo in photos]
    first = fixed_loss(model, photos, texts, timesteps=3)
    torch.manual_seed(99)
    torch.randn(7)
    assert fixed_loss(model, photos, texts, timesteps=3) == first
    each = [fixed_loss(model, [photo], [text], timesteps=3) for photo, text in zip(photos, texts, strict=True)]
    assert np.mean(each[::-1]) == pytest.approx(first, rel=1e-6)
    assert len(set(each)) == 3


def test_e12_no_safety_checker_blackens_pictures(tiny_sd: Path, tmp_path: Path) -> None:
    """A folder that names one, which is damaged, loads all the same; and no pipeline is ever loaded with one."""
    shutil.copytree(tiny_sd, tmp_path / "checked")
    index = json.loads((tmp_path / "checked" / "model_index.json").read_text())
    index |= {
        "requires_safety_checker": True,
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    }
    (tmp_path / "checked" / "model_index.json").write_text(json.dumps(index))
    (tmp_path / "checked" / "safety_checker").mkdir()
    (tmp_path / "checked" / "safety_checker" / "config.json").write_text("damaged")
    with_checker, without = (load(Base(model=str(at), device="cpu")) for at in (tmp_path / "checked", tiny_sd))
    assert with_checker.parts().keys() == without.parts().keys()
    calls = [
        node
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and re.fullmatch(r"\w*Pipeline\.from_\w+", ast.unparse(node.func))
    ]
    assert calls
    for call in calls:
        assert {k.arg: ast.unparse(k.value) for k in call.keywords}.get("safety_checker") == "None"


def test_every_metric_has_its_page() -> None:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    sections = [line.removeprefix("### ").strip("`") for line in text.splitlines() if line.startswith("### ")]
    assert sorted(sections) == sorted(facts.name for facts in (*METRICS, *DERIVED, COPIED, MEMORISATION))
