"""What every metric promises. A new line in ``metrics/__init__.py`` is all it takes to be tested here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image, ImageFilter

from boothlab.evaluation.evaluate import Unavailable, evaluate
from boothlab.features.feature import Pictures, Vectors
from boothlab.generation.generate import Picture
from boothlab.metrics import METRICS
from boothlab.metrics.metric import AnyMetric, Metric, Reference, SetMetric
from photos_made import made_photo

SIZE = (64, 64)


@pytest.fixture(params=METRICS, ids=lambda metric: metric.name)
def metric(request: pytest.FixtureRequest) -> AnyMetric:
    """Every metric whose feature can be computed here."""
    found = cast(AnyMetric, request.param)
    reason = found.needs.missing()
    if reason is not None:
        pytest.skip(reason)
    return found


def pictures(first: int, count: int) -> list[np.ndarray]:
    return [np.asarray(made_photo(first + k, SIZE)) for k in range(count)]


def blurred(pixels: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def noisy(pixels: np.ndarray, strength: float) -> np.ndarray:
    noise = np.random.default_rng(3).normal(0, strength, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def features(metric: AnyMetric, images: Pictures) -> Vectors:
    return metric.needs.extract(images)


def score(metric: AnyMetric, generated: Vectors, references: Vectors) -> np.ndarray:
    """(n,) values of a metric, or (1,) of a metric of sets."""
    if isinstance(metric, Metric):
        return metric.values(generated, references)
    return np.array([metric.value(generated, references)])


def no_better(metric: AnyMetric, value: float, best: float) -> bool:
    return value >= best - 1e-9 if metric.better == "lower" else value <= best + 1e-9


def test_facts(metric: AnyMetric) -> None:
    assert metric.name.isidentifier()
    assert metric.name == metric.name.lower()
    assert [other.name for other in METRICS].count(metric.name) == 1
    assert metric.question.endswith("?")
    assert len(metric.question) > 15
    assert metric.unit.strip()
    assert any(character.isdigit() for character in metric.source), "a source has a year or an identifier"
    assert metric.better in ("higher", "lower", "neither")
    low, high = metric.bounds
    assert low < high
    assert not math.isnan(low + high) or (math.isinf(low) and math.isinf(high))
    assert metric.references
    assert set(metric.references) <= {"held_out", "train", "none"}
    assert metric.needs.name
    assert metric.needs.version
    if metric.better == "neither":
        assert metric.caution, "a number without a direction needs a word on how to read it"


def test_values_are_numbers_within_bounds(metric: AnyMetric) -> None:
    rows = features(metric, pictures(0, 6))
    values = score(metric, rows, features(metric, pictures(20, 4)))
    assert values.shape == ((6,) if isinstance(metric, Metric) else (1,))
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert (values >= metric.bounds[0]).all()
    assert (values <= metric.bounds[1]).all()


def test_a_picture_of_the_reference_set_is_best(metric: AnyMetric) -> None:
    rows = features(metric, pictures(0, 6))
    if metric.references == ("none",):
        alike = float(score(metric, np.repeat(rows[:1], 6, axis=0), rows[:0])[0])
        assert alike == pytest.approx(metric.bounds[0] if metric.better == "higher" else metric.bounds[1], abs=1e-6)
        return
    if isinstance(metric, SetMetric):
        best = metric.value(rows, rows)
        others = [metric.value(features(metric, pictures(30 * k, 6)), rows) for k in (1, 2)]
    else:
        best = float(metric.values(rows[:1], rows[:1])[0])
        others = [float(value) for value in metric.values(rows[1:], rows[:1])]
    directed = metric if metric.better != "neither" else replace(metric, better="lower")
    assert all(no_better(directed, value, best) for value in others)
    assert max(abs(value - best) for value in others) > 1e-3
    assert best == pytest.approx(directed.bounds[0] if directed.better == "lower" else directed.bounds[1], abs=1e-6)


@pytest.mark.parametrize("damage", [blurred, noisy], ids=["blur", "noise"])
def test_grows_worse_with_damage(metric: AnyMetric, damage: object) -> None:
    originals = pictures(0, 4)
    rows = features(metric, originals)
    if metric.references == ("none",):
        means = alike_series(metric, originals)
    elif metric.better == "neither":
        pytest.skip("has no direction")
    else:
        means = []
        for strength in (0, 2, 6, 20):
            damaged = features(metric, [damage(image, strength) for image in originals])  # type: ignore[operator]
            pairs = [score(metric, damaged[k : k + 1], rows[k : k + 1]) for k in range(4)]
            means.append(float(np.mean(pairs)))
    for better, worse in zip(means, means[1:], strict=False):
        assert no_better(metric, worse, better)
    assert abs(means[-1] - means[0]) > 1e-3


def alike_series(metric: AnyMetric, originals: Sequence[np.ndarray]) -> list[float]:
    """Values while all pictures move towards one of them."""
    shares = (0.0, 0.3, 0.6, 1.0)
    mixed = [[(1 - s) * image + s * originals[0] for image in originals] for s in shares]
    rows = [features(metric, [image.astype(np.uint8) for image in images]) for images in mixed]
    values = [float(score(metric, row, row[:0])[0]) for row in rows]
    return values if metric.better == "higher" else values[::-1]


def test_order_and_batches_do_not_matter(metric: AnyMetric) -> None:
    images = pictures(0, 6)
    generated, references = features(metric, images), features(metric, pictures(20, 5))
    values = score(metric, generated, references)
    order = np.array([3, 0, 5, 1, 4, 2])
    shuffled = score(metric, generated[order], references[::-1])
    expected = values[order] if isinstance(metric, Metric) else values
    np.testing.assert_allclose(shuffled, expected, rtol=0, atol=1e-9)
    one_by_one = np.concatenate([features(metric, [image]) for image in images])
    np.testing.assert_allclose(one_by_one, generated, rtol=1e-5, atol=1e-6)
    if isinstance(metric, Metric):
        parts = [metric.values(generated[:2], references), metric.values(generated[2:], references)]
        np.testing.assert_allclose(np.concatenate(parts), values, rtol=0, atol=1e-9)


def test_inputs_are_not_written_to(metric: AnyMetric) -> None:
    images = pictures(0, 3)
    rows = features(metric, images)
    for array in (*images, rows):
        array.setflags(write=False)
    features(metric, images)
    score(metric, rows, rows)


def on_disk(folder: Path, images: Sequence[np.ndarray]) -> list[Picture]:
    found = []
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{index}.png")
        found.append(Picture(folder / f"{index}.png", f"prompt {index}", index))
    return found


def test_scores_carry_what_they_belong_to(metric: AnyMetric, tmp_path: Path) -> None:
    drawn = on_disk(tmp_path, pictures(0, 3))
    photos: Mapping[Reference, Pictures] = {"held_out": pictures(20, 4), "train": pictures(40, 2)}
    scores, missing = evaluate("run-1", {"step-000003": drawn}, photos, [metric])
    assert missing == []
    for reference in metric.references:
        mine = [s for s in scores if s.reference == reference]
        expected = score(
            metric,
            features(metric, [picture.pixels() for picture in drawn]),
            features(metric, photos[reference]) if reference != "none" else np.zeros((0, 1)),
        )
        assert [s.value for s in mine] == pytest.approx(list(expected), abs=1e-9)
        assert {(s.run, s.snapshot, s.metric) for s in mine} == {("run-1", "step-000003", metric.name)}
        if isinstance(metric, Metric):
            assert [(s.prompt, s.seed) for s in mine] == [(f"prompt {k}", str(k)) for k in range(3)]
        else:
            assert [(s.prompt, s.seed) for s in mine] == [("", "")]


def test_what_cannot_be_known_is_said_not_guessed(metric: AnyMetric, tmp_path: Path) -> None:
    drawn = on_disk(tmp_path, pictures(0, 3))
    photos: Mapping[Reference, Pictures] = {"held_out": [], "train": []}
    gone = replace(metric, needs=replace(metric.needs, missing=lambda: "the weights are not here"))
    scores, missing = evaluate("r", {"s": drawn}, photos, [gone])
    assert scores == []
    assert {m.reason for m in missing} == {"the weights are not here"}
    scores, missing = evaluate("r", {"s": drawn}, photos, [metric])
    wanted = [reference for reference in metric.references if reference != "none"]
    assert sorted(m.reference for m in missing) == sorted(wanted)
    assert all(isinstance(m, Unavailable) and "photos" in m.reason for m in missing)
    if isinstance(metric, SetMetric):
        assert metric.minimum >= 1
        some: Mapping[Reference, Pictures] = {"held_out": pictures(20, 2), "train": pictures(40, 2)}
        scores, missing = evaluate("r", {"s": drawn[: metric.minimum - 1]}, some, [metric])
        assert scores == []
        assert {m.metric for m in missing} == {metric.name}
        assert all(f"needs {metric.minimum}" in m.reason for m in missing)
