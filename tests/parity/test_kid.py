"""KID and CMMD against torch-fidelity and against their formulas written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from boothlab.metrics.discrepancy import gaussian_kernel, mmd_squared, polynomial_kernel
from clouds_made import clouds

GOLDEN_KID = 0.007853884535315547
"""torch-fidelity 0.4.0 on ``clouds(20, 20, 256)``, one subset of 20."""


def test_kid_golden_value() -> None:
    assert mmd_squared(*clouds(20, 20, 256), polynomial_kernel) == pytest.approx(GOLDEN_KID, rel=1e-6)


def test_kid_equals_torch_fidelity() -> None:
    kid = pytest.importorskip("torch_fidelity.metric_kid")
    left, right = clouds(24, 24, 64)
    settings = {"kid_kernel": "poly", "kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None}
    found = kid.kid_features_to_metric(
        *(torch.from_numpy(rows) for rows in (left, right)),
        kid_subsets=1,
        kid_subset_size=24,
        kid_kernel_poly_coef0=1,
        rng_seed=0,
        verbose=False,
        **settings,
    )["kernel_inception_distance_mean"]
    assert mmd_squared(left, right, polynomial_kernel) == pytest.approx(found, rel=1e-6)


def test_kid_is_the_sum_over_pairs() -> None:
    left, right = clouds(5, 4, 6)
    kernel = lambda x, y: (float(x @ y) / 6 + 1) ** 3  # noqa: E731 - the formula on one line
    own = sum(kernel(a, b) for i, a in enumerate(left) for j, b in enumerate(left) if i != j) / 20
    own += sum(kernel(a, b) for i, a in enumerate(right) for j, b in enumerate(right) if i != j) / 12
    cross = 2 * sum(kernel(a, b) for a in left for b in right) / 20
    assert mmd_squared(left, right, polynomial_kernel) == pytest.approx(own - cross, rel=1e-9)


def test_cmmd_as_published_is_the_biased_sum() -> None:
    left, right = clouds(7, 6, 12)
    x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (left, right))
    kernel = lambda a, b: math.exp(-float((a - b) @ (a - b)) / 200)  # noqa: E731
    value = sum(kernel(a, b) for a in x for b in x) / 49 + sum(kernel(a, b) for a in y for b in y) / 36
    value -= 2 * sum(kernel(a, b) for a in x for b in y) / 42
    found = 1000.0 * mmd_squared(left, right, gaussian_kernel, biased=True)
    assert found == pytest.approx(1000 * value, abs=1e-9)
    # Distances of unit vectors are small beside the bandwidth: it is nearly a distance of means.
    assert found == pytest.approx(10 * float(((x.mean(0) - y.mean(0)) ** 2).sum()), rel=0.02)


@pytest.mark.parametrize("kernel", [polynomial_kernel, gaussian_kernel], ids=["kid", "cmmd"])
def test_unbiased_under_the_null(kernel: object) -> None:
    rng = np.random.default_rng(2)
    draws = np.array(
        [mmd_squared(1 + rng.normal(size=(20, 32)), 1 + rng.normal(size=(18, 32)), kernel) for _ in range(400)]  # type: ignore[arg-type]
    )
    assert abs(draws.mean()) < 3 * draws.std() / np.sqrt(len(draws))
    biased = mmd_squared(1 + rng.normal(size=(20, 32)), 1 + rng.normal(size=(18, 32)), kernel, biased=True)  # type: ignore[arg-type]
    assert biased > 5 * abs(draws.mean())


def test_one_picture_is_too_few() -> None:
    with pytest.raises(ValueError, match="needs two pictures; there are 1 and 3"):
        mmd_squared(np.ones((1, 4)), np.ones((3, 4)), polynomial_kernel)
