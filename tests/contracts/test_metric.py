"""What every metric promises. A new line in ``metrics/__init__.py`` is all it takes to be tested here.

Each metric is tried on photographs and on drawings. Vectors come from its feature where that can be computed here
and finds something in made pictures; elsewhere random vectors stand for them, since a metric only sees vectors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
import pytest

from boothlab.errors import NoWeights
from boothlab.features.feature import Feature, Vectors
from boothlab.metrics import METRICS
from boothlab.metrics.metric import PAIRED, AnyMetric, Domain, Metric, Reference, Role, feature_of
from boothlab.metrics.related import Related
from photos_made import made_photo

SIZE = (64, 64)
PICTURES, PHOTOS = 8, 6
ROLES: tuple[Role, ...] = ("context", "bare", "class", "unrelated")
KNOWN: tuple[Reference, ...] = ("held_out", "train", "originals", "base", "prompt", "none")
PROMPTS = [f"a photo of a person with a {c} background" for c in ("red", "blue", "green", "yellow") * 2]


@dataclass(frozen=True)
class Case:
    """A metric, the feature it works on, and vectors of pictures and of what they are compared with."""

    metric: AnyMetric
    feature: Feature
    generated: Vectors
    references: Vectors

    @property
    def paired(self) -> bool:
        return set(self.metric.references) <= set(PAIRED)

    @property
    def alone(self) -> bool:
        return self.metric.references == ("none",)

    def score(self, generated: Vectors, references: Vectors | None = None) -> np.ndarray:
        """(n,) values of a metric, or (1,) of a metric of sets."""
        compared = self.references if references is None else references
        if isinstance(self.metric, Metric):
            return self.metric.values(generated, compared)
        return np.array([self.metric.value(generated, compared)])


@cache
def vectors(feature: Feature, first: int, count: int) -> Vectors:
    """Of made pictures, or of nothing but chance where the feature is not here or sees nothing in them."""
    if feature.missing() is None:
        found = feature.extract([np.asarray(made_photo(first + k, SIZE)) for k in range(count)])
        if not np.isnan(found).any():
            return found
        return np.random.default_rng(first).normal(size=(count, found.shape[1])) / np.sqrt(found.shape[1])
    return np.random.default_rng(first).normal(size=(count, 24)) / np.sqrt(24)


@pytest.fixture(params=METRICS, ids=lambda metric: metric.name)
def metric(request: pytest.FixtureRequest) -> AnyMetric:
    return cast(AnyMetric, request.param)


@pytest.fixture(params=["photographs", "drawings"])
def case(metric: AnyMetric, request: pytest.FixtureRequest) -> Case:
    feature = feature_of(metric, cast(Domain, request.param))
    generated = vectors(feature, 0, PICTURES)
    if metric.references == ("none",):
        return Case(metric, feature, generated, generated[:0])
    if metric.references == ("prompt",) and feature.texts is not None and feature.missing() is None:
        return Case(metric, feature, generated, feature.texts(PROMPTS))
    paired = set(metric.references) <= set(PAIRED)
    return Case(metric, feature, generated, vectors(feature, 20, PICTURES if paired else PHOTOS))


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
    assert set(metric.references) <= set(KNOWN)
    assert len({reference in PAIRED for reference in metric.references}) == 1, "row by row or not, never both"
    assert metric.on
    assert set(metric.on) <= set(ROLES)
    assert metric.minimum_references >= 1
    assert isinstance(metric, Metric) or metric.minimum >= 1
    if metric.better == "neither":
        assert metric.caution, "a number without a direction needs a word on how to read it"


def test_what_is_missing_is_said_and_never_replaced(case: Case) -> None:
    assert case.feature.name
    assert case.feature.version
    assert case.feature.source
    reason = case.feature.missing()
    if reason is None:
        found = case.feature.extract([np.asarray(made_photo(0, SIZE))])
        assert found.ndim == 2
        assert len(found) == 1
        return
    assert len(reason) > 30, "say what is not there and what to do"
    with pytest.raises(NoWeights) as raised:
        case.feature.extract([np.asarray(made_photo(0, SIZE))])
    assert raised.value.message == reason


def test_its_feature_looks_at_each_picture_alone(case: Case) -> None:
    """So vectors may be kept by a picture's content, and pictures given in any batches."""
    if case.feature.missing() is not None:
        pytest.skip("its weights are not here")
    pictures = [np.asarray(made_photo(k, SIZE)).copy() for k in range(3)]
    for pixels in pictures:
        pixels.setflags(write=False)
    together = case.feature.extract(pictures)
    alone = np.concatenate([case.feature.extract([pixels]) for pixels in reversed(pictures)])[::-1]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)
    if case.feature.texts is not None:
        texts = case.feature.texts(PROMPTS[:2])
        assert texts.shape == (2, together.shape[1]), "texts and pictures lie in one space"


def test_values_are_numbers_within_bounds(case: Case) -> None:
    values = case.score(case.generated)
    assert values.shape == ((PICTURES,) if isinstance(case.metric, Metric) else (1,))
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert (values >= case.metric.bounds[0]).all()
    assert (values <= case.metric.bounds[1]).all()


def test_copies_stand_at_one_end(case: Case) -> None:
    copies, rows = case.metric.copies, case.generated
    if copies is None:
        pytest.skip("copies are not at an end of this scale")
    if case.alone:
        values = case.score(np.repeat(rows[:1], PICTURES, axis=0))
    elif case.paired or not isinstance(case.metric, Metric):
        values = case.score(rows, rows)
    else:
        values = np.concatenate([case.score(rows[k : k + 1], rows[k : k + 1]) for k in range(PICTURES)])
    np.testing.assert_allclose(values, copies, rtol=0, atol=2e-6)
    others = case.score(rows)
    inside = others >= copies - 1e-9 if copies <= values_middle(case.metric) else others <= copies + 1e-9
    assert inside.all()


def values_middle(metric: AnyMetric) -> float:
    """A number between the ends of the scale."""
    low, high = metric.bounds
    return 1.5 * low + 0.5 if math.isinf(high) and low > 0 else (low + high) / 2


def test_a_planted_better_set_scores_better(case: Case) -> None:
    """References in one small cloud, rows in that cloud and rows on the other side; rows spread widely or hardly,
    or holding nothing, where there are no references.
    """
    noise = np.random.default_rng(1).normal(size=case.generated.shape)
    scale = float(np.abs(case.generated).mean())
    references = case.references
    if case.alone and isinstance(case.metric, Metric):
        near, far = case.generated, np.full_like(case.generated, np.nan, dtype=np.float64)
    elif case.alone:
        near, far = case.generated, case.generated[:1] + 0.01 * (case.generated - case.generated[:1])
    else:
        if not case.paired:
            references = references[:1] + 0.05 * (references - references[:1])
        middle = np.resize(references, case.generated.shape)
        near, far = middle + 1e-4 * scale * noise, -2.0 * middle + 0.05 * scale * noise
    good, bad = (float(case.score(rows, references).mean()) for rows in (near, far))
    if case.metric.copies is not None and not case.alone:
        assert abs(good - case.metric.copies) < abs(bad - case.metric.copies)
    elif case.metric.better == "higher":
        assert good > bad
    else:
        assert good < bad


def test_copies_are_the_best_unless_likeness_is_a_fault(metric: AnyMetric) -> None:
    low, high = metric.bounds
    if metric.copies is None or metric.references == ("none",) or metric.better == "neither":
        pytest.skip("copies are not at an end of this scale, or the scale has no good end")
    best, worst = (high, low) if metric.better == "higher" else (low, high)
    if metric.copies != best:
        assert metric.copies == worst
        assert set(metric.on) <= {"class", "bare"}, "in pictures of the subject likeness is what was asked for"


def test_order_and_batches_do_not_matter(case: Case) -> None:
    values = case.score(case.generated)
    order = np.array([3, 0, 5, 1, 4, 2, 7, 6])
    references = case.references[order] if case.paired else case.references[::-1]
    shuffled = case.score(case.generated[order], references)
    expected = values[order] if isinstance(case.metric, Metric) else values
    np.testing.assert_allclose(shuffled, expected, rtol=0, atol=1e-9)
    if isinstance(case.metric, Metric) and not case.metric.ranks:
        halves = [slice(0, 2), slice(2, None)]
        parts = [case.score(case.generated[h], case.references[h] if case.paired else None) for h in halves]
        np.testing.assert_allclose(np.concatenate(parts), values, rtol=0, atol=1e-9)


def test_the_same_vectors_give_the_same_bits_whatever_their_precision(case: Case) -> None:
    single = case.generated.astype(np.float32), case.references.astype(np.float32)
    first, second = case.score(*single), case.score(*single)
    assert first.tobytes() == second.tobytes()
    double = case.score(single[0].astype(np.float64), single[1].astype(np.float64))
    np.testing.assert_allclose(first, double, rtol=0, atol=1e-9)


def test_rows_of_nothing_count_as_absent(case: Case) -> None:
    holes = np.full((1, case.generated.shape[1]), np.nan)
    values = case.score(case.generated)
    if case.paired:
        with_hole = case.score(
            np.concatenate([case.generated, case.generated[:1], holes]),
            np.concatenate([case.references, holes, case.references[:1]]),
        )
        assert np.isnan(with_hole[PICTURES:]).all()
    else:
        references = case.references if case.alone else np.concatenate([holes, case.references])
        with_hole = case.score(np.concatenate([case.generated, holes]), references)
    if isinstance(case.metric, Metric):
        np.testing.assert_allclose(with_hole[:PICTURES], values, rtol=0, atol=1e-9)
        assert np.isnan(with_hole[PICTURES:]).all() or (case.alone and with_hole[PICTURES] == case.metric.bounds[0])
    else:
        np.testing.assert_allclose(with_hole, values, rtol=0, atol=1e-9)


def test_values_are_means_over_pairs(case: Case) -> None:
    """A formula has one home; and a metric that averages over photos gives the pairs that its interval needs."""
    if not isinstance(case.metric, Metric) or case.paired or case.alone:
        pytest.skip("no number per picture and photo")
    single = np.stack([case.score(case.generated, case.references[k : k + 1]) for k in range(PHOTOS)], axis=1)
    values = case.score(case.generated)
    averages = np.allclose(single.mean(axis=1), values, rtol=0, atol=1e-9)
    if case.metric.pairs is None:
        assert not averages or case.metric.unit == "1 or 0", "it is a mean over photos: give it pairs"
        return
    found = case.metric.pairs(case.generated, case.references)
    assert found.shape == (PICTURES, PHOTOS)
    np.testing.assert_allclose(found, single, rtol=0, atol=1e-9)
    assert averages


def test_many_sets_at_once_score_as_each_alone(case: Case) -> None:
    """What a permutation test draws from one pool of pictures."""
    if isinstance(case.metric, Metric):
        return  # a set's mean is a matter of its pictures' values
    value = case.metric.value
    assert isinstance(value, Related), "runs are compared by sets drawn again: make it of relations between rows"
    picked = np.array([[[0, 1, 2, 3, 4], [7, 6, 5, 4, 3]], [[2, 4, 6, 0, 1], [1, 3, 5, 7, 0]]])
    found = value.of_pool(case.generated, case.references)(picked)
    assert found.shape == (2, 2)
    each = [value(case.generated[rows], case.references) for rows in picked.reshape(4, 5)]
    np.testing.assert_allclose(found.ravel(), each, rtol=1e-9, atol=1e-9)
    assert len(set(np.round(each, 9))) > 1 or case.metric.unit.startswith("share")


def test_inputs_are_not_written_to(case: Case) -> None:
    generated, references = case.generated.copy(), case.references.copy()
    for array in (generated, references):
        array.setflags(write=False)
    case.score(generated, references)
    np.testing.assert_array_equal(generated, case.generated)
