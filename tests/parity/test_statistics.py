"""Our intervals and tests against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from boothlab.statistics.comparisons import compare_paired, minimum_detectable
from boothlab.statistics.intervals import t_interval, two_way_interval, wilson
from boothlab.statistics.permutations import Scored, paired_swap, two_sample_null


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (1, 20), (7, 20), (20, 20), (1, 2), (0, 1)])
def test_wilson(hits: int, n: int) -> None:
    theirs = stats.binomtest(hits, n).proportion_ci(method="wilson")
    ours = wilson(hits, n)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_t_interval() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=20)
    theirs = stats.ttest_1samp(values, 0.0).confidence_interval()
    ours = t_interval(values)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)


def test_sign_flips() -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(size=10), random.normal(0.4, 1.0, size=10)
    theirs = stats.permutation_test(
        (b, a), lambda x, y: float(np.mean(x) - np.mean(y)), permutation_type="samples", n_resamples=np.inf
    )
    ours = compare_paired(a, b, random)
    assert ours.exact
    assert ours.p == pytest.approx(theirs.pvalue, abs=1e-12)
    assert ours.difference == pytest.approx(float(theirs.statistic))
    # Random flips of more pairs agree with the t test, which they approach.
    c = random.normal(0.5, 1.0, size=40)
    assert compare_paired(np.zeros(40), c, random).p == pytest.approx(stats.ttest_1samp(c, 0.0).pvalue, abs=0.01)


def test_paired_swaps_of_a_mean_are_sign_flips() -> None:
    random = np.random.default_rng(2)
    pictures = random.normal(size=18)
    ours = paired_swap([Scored(lambda rows: pictures[rows].mean(axis=-1), 9)], random)
    assert ours.exact
    assert ours.p == pytest.approx(compare_paired(pictures[:9], pictures[9:], random).p, abs=1e-12)


def test_relabeling() -> None:
    random = np.random.default_rng(3)
    x, y = random.normal(size=8), random.normal(0.8, 1.0, size=7)
    theirs = stats.permutation_test(
        (x, y), lambda a, b: abs(float(np.mean(a) - np.mean(b))), alternative="greater", n_resamples=np.inf
    )
    pool = np.concatenate([x, y])
    ours = two_sample_null(lambda i, j: abs(float(pool[i].mean() - pool[j].mean())), 8, 7, random, 4999)
    assert ours.p_upper == pytest.approx(theirs.pvalue, abs=0.02)
    assert ours.value == pytest.approx(float(theirs.statistic))


@pytest.mark.parametrize("pictures", [1, 2])
def test_two_way_interval_has_the_variance_of_the_two_way_bootstrap(pictures: int) -> None:
    """Owen 2007: prompts, with all their pictures, and photos drawn again, 20,000 times."""
    random, prompts, photos, draws = np.random.default_rng(4), 30, 25, 20_000
    rows = np.repeat(random.normal(size=(prompts, 1)), pictures, axis=0)
    rows = rows + random.normal(size=(prompts * pictures, 1))
    matrix = rows + random.normal(size=(1, photos)) + 0.5 * random.normal(size=(prompts * pictures, photos))
    together = matrix.reshape(prompts, pictures, photos).mean(axis=1)
    first = random.multinomial(prompts, np.full(prompts, 1 / prompts), size=draws) / prompts
    second = random.multinomial(photos, np.full(photos, 1 / photos), size=draws) / photos
    drawn = ((first @ together) * second).sum(axis=1)
    found = two_way_interval(matrix, np.repeat(np.arange(prompts), pictures).tolist())
    assert found.low is not None
    assert found.high is not None
    freedom = stats.t.ppf(0.975, [prompts + photos - 2, min(prompts, photos) - 1])
    few = np.sqrt([photos / (photos - 1), prompts / (prompts - 1)])
    least, most = 2 * freedom[0] * drawn.std() * few[1], 2 * freedom[1] * drawn.std() * few[0]
    assert 0.98 * least < found.high - found.low < 1.02 * most


def test_minimum_detectable_against_simulated_power() -> None:
    random = np.random.default_rng(5)
    effect = minimum_detectable(12, comparisons=3)
    data = random.normal(effect, 1.0, size=(6000, 12))
    found = np.mean(stats.ttest_1samp(data, 0.0, axis=1).pvalue < 0.05 / 3)
    assert found == pytest.approx(0.8, abs=0.02)
