"""The statistics keep what they promise: coverage, uniform p, known values."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from boothlab.statistics.comparisons import (
    compare_paired,
    differences,
    holm,
    least_holm,
    minimum_detectable,
    paired_differences,
    rise,
    sentence,
)
from boothlab.statistics.intervals import (
    Interval,
    cluster_interval,
    clusters_of,
    jackknife_se,
    t_interval,
    two_way_interval,
    wilson,
    within,
)
from boothlab.statistics.permutations import ENOUGH, Scored, coordinates, paired_swap, smallest_p, two_sample_null
from boothlab.statistics.variance import components
from clock import quickest


def covered(interval: Interval, truth: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high


def uniform(p: list[float]) -> float:
    """p of the KS test against the uniform distribution."""
    return float(stats.kstest(p, "uniform").pvalue)


# Intervals


def test_t_interval_by_hand() -> None:
    found = t_interval([1.0, 2.0, np.nan, 3.0])
    assert (found.value, found.n) == (2.0, 3)
    assert found.low == pytest.approx(2.0 - 4.302653 / np.sqrt(3), abs=1e-5)
    assert t_interval([1.5]) == Interval(1.5, None, None, 1)
    with pytest.raises(ValueError, match="no value"):
        t_interval([np.nan])


@pytest.mark.parametrize("skewed", [False, True])
def test_t_interval_covers_at_twenty(skewed: bool) -> None:
    random = np.random.default_rng(0)
    draws = random.beta(2, 5, (1000, 20)) - 2 / 7 if skewed else random.normal(size=(1000, 20))
    assert 0.92 <= np.mean([covered(t_interval(row), 0.0) for row in draws]) <= 0.97


def test_wilson_is_honest_at_the_edges() -> None:
    none = wilson(0, 20)
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(0.1611, abs=1e-4)
    assert wilson(20, 20).low == pytest.approx(1 - 0.1611, abs=1e-4)
    for hits, n in ((1, 0), (3, 2), (-1, 4)):
        with pytest.raises(ValueError, match="is not a rate"):
            wilson(hits, n)


def test_wilson_covers_at_twenty() -> None:
    random = np.random.default_rng(1)
    for rate in (0.1, 0.3, 0.5):
        hits = random.binomial(20, rate, 500)
        assert 0.92 <= np.mean([covered(wilson(int(k), 20), rate) for k in hits]) <= 0.98


def test_pictures_of_the_one_prompt_that_is_left_are_not_a_sample_of_prompts() -> None:
    """Faces found under one prompt alone gave an interval over pairs, and none over pictures."""
    nan = float("nan")
    pairs, prompts = [[1.0, 1.5], [2.0, 2.6], [nan, nan], [nan, nan]], ["a", "a", "b", "b"]
    over_pairs = two_way_interval(pairs, prompts)
    over_pictures = cluster_interval([1.25, 2.3, nan, nan], prompts)
    assert (over_pairs.low, over_pairs.high, over_pairs.n) == (None, None, 1)
    assert (over_pictures.low, over_pictures.high, over_pictures.n) == (None, None, 1)


def test_two_way_interval_by_hand() -> None:
    """Two photos that differ by 2, two pictures that differ by 4: SE² = 4²/4 + 2²/4; (A + B)²/(A² + B²) freedom."""
    found = two_way_interval([[0.0, 2.0], [4.0, 6.0]])
    half = stats.t.ppf(0.975, 25 / 17) * np.sqrt(5)
    assert (found.value, found.n) == (3.0, 2)
    assert (found.low, found.high) == pytest.approx((3.0 - half, 3.0 + half))


def test_two_way_interval_leaves_out_what_has_no_face_and_needs_two_of_each() -> None:
    matrix = np.arange(12.0).reshape(4, 3)
    one = two_way_interval(matrix)
    assert two_way_interval(np.vstack([matrix, np.full((1, 3), np.nan)])) == one
    assert two_way_interval(matrix[:1]) == Interval(1.0, None, None, 1)
    assert two_way_interval(matrix[:, :1]) == Interval(4.5, None, None, 4)
    assert two_way_interval(np.ones((3, 2))) == Interval(1.0, 1.0, 1.0, 3, 0.0)
    matrix[1, 1] = np.nan
    with pytest.raises(ValueError, match="not measured"):
        two_way_interval(matrix)
    with pytest.raises(ValueError, match="2 prompts for 3 pictures"):
        two_way_interval(np.ones((3, 2)), ["a", "b"])


def test_pictures_of_one_prompt_count_together_in_two_way_intervals() -> None:
    matrix = np.arange(12.0).reshape(4, 3)
    doubled = np.repeat(matrix, 2, axis=0)
    names = ["a", "a", "b", "b", "c", "c", "d", "d"]
    together, single = two_way_interval(doubled, names), two_way_interval(matrix)
    assert (together.low, together.high) == pytest.approx((single.low, single.high)), "nothing is gained by copies"
    assert together.n == 4
    assert two_way_interval(doubled, list(range(8))) == two_way_interval(doubled)
    assert two_way_interval(doubled, ["a"] * 8) == two_way_interval(doubled), "of one prompt each is its own unit"
    doubled[1] = np.nan
    assert two_way_interval(doubled, names).n == 4


def test_cluster_interval_of_single_pictures_is_students() -> None:
    values = np.random.default_rng(4).normal(size=12)
    found = cluster_interval(values, list("abcdefghijkl"))
    assert found == t_interval(values)
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 11, values.mean(), stats.sem(values)))


def test_cluster_interval_of_unequal_clusters() -> None:
    found = cluster_interval([1.0, 1.0, 1.0, 5.0, np.nan], ["a", "a", "a", "b", "b"])
    half = stats.t.ppf(0.975, 1) * np.sqrt(2 / 1 * (3.0**2 + 3.0**2) / 4**2)
    assert (found.value, found.n) == (2.0, 2)
    assert (found.low, found.high) == pytest.approx((2.0 - half, 2.0 + half))
    assert cluster_interval([1.0, 2.0], ["a", "a"]) == Interval(1.5, None, None, 1)
    with pytest.raises(ValueError, match="cluster names"):
        cluster_interval([1.0, 2.0], ["a"])
    with pytest.raises(ValueError, match="prompts for 3"):
        clusters_of(["a"], 3)


def test_jackknife_of_a_mean_is_the_textbook_error() -> None:
    random = np.random.default_rng(6)
    values, others = random.normal(size=12), random.normal(size=9)
    assert jackknife_se(lambda i: float(values[i].mean()), 12) == pytest.approx(stats.sem(values))
    both = jackknife_se(lambda i, j: float(values[i].mean() - others[j].mean()), 12, 9)
    assert both == pytest.approx(np.hypot(stats.sem(values), stats.sem(others)))
    with pytest.raises(ValueError, match="needs two"):
        jackknife_se(lambda i: 0.0, 1)


# Comparisons


def test_an_infinite_score_takes_no_difference_away() -> None:
    first, second = np.array([0.1, 0.2, 0.3, 0.4, 1.0]), np.array([0.5, 0.6, 0.7, 0.8, np.inf])
    assert differences(first, second).tolist() == pytest.approx([0.4, 0.4, 0.4, 0.4, np.inf])
    assert first.tolist() == [0.1, 0.2, 0.3, 0.4, 1.0]
    assert np.isnan(differences([np.nan, 1.0], [np.inf, 1.0])).tolist() == [True, False]
    assert differences([], []).shape == (0,)
    assert differences([1e-17, 1e-17], [2e-17, 1e-17]).tolist() == [1e-17, 0.0], "small numbers are numbers"
    assert differences([0.0, 1.0], [1e-17, 1.0]).tolist() == [0.0, 0.0], "but not beside large ones"


def test_scores_that_differ_in_their_last_bits_are_equal() -> None:
    third = np.full(20, 1 / 3)
    noisy = third + np.where(np.arange(20) % 3, 5e-17, -1.1e-16)
    assert (noisy != third).sum() > 0
    same = compare_paired(third, noisy, np.random.default_rng(0), prompts=[k // 2 for k in range(20)])
    assert (same.difference, same.low, same.high, same.p, same.smallest_p, same.improvement) == (0, 0, 0, 1, 1, 0.5)
    third[::4], noisy[::4] = 0.0, 1e-17
    assert compare_paired(third, noisy, np.random.default_rng(0)).improvement == 0.5
    # 0.1 + 0.2 − 0.3 is not 0 in binary: neither is a unit's sum then, nor the mean, though nothing differs.
    around = np.array([0.1, 0.2, -0.3])
    assert around.sum() != 0
    level = compare_paired(np.zeros(6), np.tile(around, 2), np.random.default_rng(0), prompts=[0] * 3 + [1] * 3)
    assert (level.difference, level.low, level.high, level.p, level.smallest_p) == (0, 0, 0, 1, 1)
    assert level.detectable == 0
    assert "shown" not in sentence(level, ("a", "b"), "likeness", "higher")
    real = compare_paired(np.zeros(6), np.tile(around, 2) + 1e-6, np.random.default_rng(0), prompts=[0] * 3 + [1] * 3)
    assert real.difference == pytest.approx(1e-6, rel=1e-6)
    assert real.smallest_p == 0.5


def test_paired_by_hand() -> None:
    found = compare_paired([0.0, 0.0, 0.0, 0.0, np.nan], [1.0, 2.0, 3.0, 0.0, 1.0], np.random.default_rng(0))
    assert (found.n, found.dropped, found.difference, found.exact) == (4, 1, 1.5, True)
    assert found.p == 4 / 16  # |±1 ±2 ±3| = 6 for two choices of signs, each with two of the zero's
    assert found.improvement == (3 + 0.5) / 4
    assert found.low == pytest.approx(1.5 - 3.182446 * np.sqrt(5 / 3) / 2, abs=1e-5)
    same = compare_paired([1.0, 2.0], [1.0, 2.0], np.random.default_rng(0))
    assert (same.p, same.difference, same.improvement) == (1.0, 0.0, 0.5)
    with pytest.raises(ValueError, match="cannot be paired"):
        compare_paired([1.0], [1.0, 2.0], np.random.default_rng(0))
    with pytest.raises(ValueError, match="both sides"):
        compare_paired([np.nan], [1.0], np.random.default_rng(0))


def test_pictures_of_the_one_prompt_that_is_left_are_one_unit_of_paired_pictures() -> None:
    """Eight pictures of one prompt of ten, the others without a face, were eight units: p = 0.008."""
    prompts = [f"{k}" for k in range(10) for _ in range(8)]
    first = np.full(80, np.nan)
    first[:8] = np.linspace(0.1, 0.2, 8)
    difference, clusters = paired_differences(first, first + 1, prompts)
    assert (len(difference), clusters) == (8, ["0"] * 8)
    assert cluster_interval(difference, clusters).low is None


def test_prompts_are_the_units_of_paired_pictures() -> None:
    """Four prompts, two pictures of each that differ alike: no more is known than from one of each."""
    random, names = np.random.default_rng(0), ["a", "a", "b", "b", "c", "c", "d", "d"]
    once = compare_paired(np.zeros(4), [1.0, 2.0, 3.0, 0.5], random)
    twice = compare_paired(np.zeros(8), np.repeat([1.0, 2.0, 3.0, 0.5], 2), random, prompts=names)
    assert (twice.n, twice.units, once.units) == (8, 4, 4)
    assert (twice.p, twice.exact, twice.smallest_p) == (once.p, True, 1 / 8) == (1 / 8, True, once.smallest_p)
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    assert twice.detectable == pytest.approx(once.detectable)
    holed = compare_paired(np.zeros(8), [1.0, 1.0, np.nan, 2.0, 3.0, 3.0, 0.5, 0.5], random, prompts=names)
    assert (holed.n, holed.units, holed.dropped) == (7, 4, 1)
    assert "7 pairs of 4 prompts could only have shown" in sentence(holed, ("a", "b"), "identity", "higher")
    apart = compare_paired(np.zeros(8), np.repeat([1.0, 2.0, 3.0, 0.5], 2), random)
    assert (apart.units, apart.smallest_p) == (8, 1 / 128)
    assert compare_paired(np.zeros(20), np.ones(20), random).smallest_p == 1 / 10_000


def test_units_without_a_difference_cannot_make_p_small() -> None:
    random = np.random.default_rng(0)
    few = compare_paired(np.zeros(10), [0.5, 0.4, 0.3, *[0.0] * 7], random)
    assert (few.p, few.smallest_p) == (1 / 4, 1 / 4)
    many = compare_paired(np.zeros(40), [0.5, 0.4, 0.3, *[0.0] * 37], random)
    assert many.smallest_p == 1 / 4
    assert many.p == pytest.approx(1 / 4, abs=0.02)
    assert compare_paired(np.zeros(5), np.zeros(5), random).smallest_p == 1


@pytest.mark.parametrize("n", [12, 20])
def test_sign_flip_p_is_uniform_under_the_null(n: int) -> None:
    random = np.random.default_rng(7)
    p = [compare_paired(np.zeros(n), random.laplace(size=n), random).p for _ in range(250)]
    assert uniform(p) > 0.05


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_least_that_holms_p_could_have_been() -> None:
    p = [0.01, 0.04, 0.03, 0.005]
    assert least_holm(p, p) == holm(p)
    assert least_holm(p, [None, 0.001, 0.02, 0.0]) == [None, pytest.approx(0.004), pytest.approx(0.04), 0.0]
    assert least_holm([0.9, 0.8], [0.6, 0.3]) == [1.0, 0.6]
    # As Holm's p itself, with this one p in place of the one that was found.
    random = np.random.default_rng(3)
    found, least = random.uniform(0, 0.2, 12), random.uniform(0, 0.05, 12)
    anew = [holm([*found[:i], min(least[i], found[i]), *found[i + 1 :]])[i] for i in range(12)]
    assert least_holm(found, np.minimum(least, found)) == pytest.approx(anew)


def test_minimum_detectable_is_the_notes_table() -> None:
    table = {20: (0.66, 0.78, 0.91, 1.07), 40: (0.45, 0.53, 0.61, 0.70), 80: (0.32, 0.37, 0.42, 0.47)}
    table[100] = (0.28, 0.33, 0.37, 0.42)
    for n, row in table.items():
        found = [minimum_detectable(n, tests) for tests in (1, 3, 10, 45)]
        assert found == pytest.approx(row, abs=0.0051)
    with pytest.raises(ValueError, match="two pairs"):
        minimum_detectable(1)


def test_a_detectable_difference_is_detected_four_times_in_five() -> None:
    random = np.random.default_rng(8)
    data = random.normal(minimum_detectable(20), 1.0, (4000, 20))
    assert np.mean(stats.ttest_1samp(data, 0.0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.02)


def test_sentences_never_say_equal() -> None:
    random = np.random.default_rng(9)
    a = random.normal(size=20)
    near, far = (compare_paired(a, a + shift + 0.1 * random.normal(size=20), random) for shift in (0.0, 0.4))
    said = sentence(near, ("step 100", "step 200"), "identity", "higher")
    assert "no difference found" in said
    assert f"20 pairs could only have shown ≥ {near.detectable:.2g}" in said
    assert "equal" not in said
    better = sentence(far, ("step 100", "step 200"), "identity", "higher", adjusted=0.02)
    assert "step 200 is better than step 100" in better
    assert "Holm p = 0.02" in better
    assert "is worse than" in sentence(far, ("a", "b"), "drift", "lower")
    assert "is higher than" in sentence(far, ("a", "b"), "yaw", "neither")
    assert "no difference found" in sentence(far, ("a", "b"), "identity", "higher", adjusted=0.2)
    one = compare_paired([1.0], [2.0], random)
    assert "1 pair can show no difference" in sentence(one, ("a", "b"), "identity", "higher")


# Permutations of set scores


def frechet(rows: np.ndarray) -> Callable[[np.ndarray, np.ndarray], float]:
    """The low-rank Fréchet distance between two choices of rows, for the tests."""

    def score(first: np.ndarray, second: np.ndarray) -> float:
        x, y = rows[first], rows[second]
        a, b = x - x.mean(0), y - y.mean(0)
        cross = np.linalg.svd(a @ b.T, compute_uv=False).sum() / np.sqrt((len(x) - 1) * (len(y) - 1))
        spread = (a**2).sum() / (len(x) - 1) + (b**2).sum() / (len(y) - 1)
        return float(((x.mean(0) - y.mean(0)) ** 2).sum() + spread - 2 * cross)

    return score


def test_coordinates_keep_the_frechet_distance_and_are_small() -> None:
    rows = np.random.default_rng(10).normal(size=(38, 2048))
    small = coordinates(rows)
    assert small.shape == (38, 37)
    first, second = np.arange(20), np.arange(20, 38)
    assert frechet(small)(first, second) == pytest.approx(frechet(rows)(first, second), rel=1e-10)
    assert coordinates(rows[:, :5]).shape == (38, 5)


def test_relabelings_of_a_frechet_distance_take_a_second_at_most() -> None:
    rows = np.random.default_rng(11).normal(size=(38, 2048))
    taken, found = quickest(
        lambda: two_sample_null(frechet(coordinates(rows)), 20, 18, np.random.default_rng(0)),
        time.process_time,  # the threads of linear algebra count, and some may be an earlier test's
    )
    assert taken < 1.0
    assert found.permutations == 999
    assert found.low < found.mean < found.high


def test_the_null_sees_a_collapsed_set_that_bare_frechet_prefers() -> None:
    random = np.random.default_rng(12)
    scale = 1 / np.sqrt(np.arange(1, 513))
    photos, perfect = (random.normal(size=(k, 512)) * scale for k in (18, 20))
    values = {}
    for name, drawn in {"perfect": perfect, "collapsed": 0.5 * perfect}.items():
        pool = coordinates(np.vstack([drawn, photos]))
        values[name] = two_sample_null(frechet(pool), 20, 18, np.random.default_rng(0), 499)
    assert values["collapsed"].value < values["perfect"].value
    assert values["collapsed"].p_upper <= 0.01
    assert 0.05 < values["perfect"].p_upper < 0.95
    near = photos[random.integers(0, 18, 20)] + 0.1 * random.normal(size=(20, 512)) * scale
    copied = two_sample_null(frechet(coordinates(np.vstack([near, photos]))), 20, 18, np.random.default_rng(0), 499)
    assert copied.p_lower < 0.2 < copied.p_upper


def mean_gap(values: np.ndarray) -> Callable[[np.ndarray, np.ndarray], float]:
    return lambda first, second: abs(float(values[first].mean() - values[second].mean()))


def test_two_sample_p_is_uniform_under_the_null() -> None:
    random = np.random.default_rng(13)
    p = [two_sample_null(mean_gap(random.normal(size=30)), 16, 14, random, 199).p_upper for _ in range(200)]
    assert uniform(p) > 0.05
    assert smallest_p(5, 3) == 1 / 56


def total(values: list[float]) -> Scored:
    """Sums of values: A's and then B's."""
    stacked = np.array(values)
    return Scored(lambda rows: stacked[rows].sum(axis=-1), len(values) // 2)


def test_paired_swap_by_hand() -> None:
    found = paired_swap([total([0.0, 0.0, 0.0, 1.0, 2.0, 3.0])], np.random.default_rng(0))
    assert (found.difference, found.exact, found.permutations) == (6.0, True, 4)
    assert found.p == found.smallest_p == 1 / 4
    assert found.spread == pytest.approx(np.std([6.0, 4.0, 2.0, 0.0, -6.0, -4.0, -2.0, 0.0])), "over all swaps"
    for nothing in ([], [total([])]):
        with pytest.raises(ValueError, match="no pair"):
            paired_swap(nothing, np.random.default_rng(0))


def test_several_pairs_of_sets_are_swapped_together() -> None:
    """Half of (1 + 2) and of (3 − 0), whose pictures of the first noise go together: ± 4 ± 2 reaches 6 in one of two
    choices."""
    found = paired_swap([total([0.0, 0.0, 1.0, 2.0]), total([0.0, 3.0])], np.random.default_rng(0))
    assert (found.difference, found.p, found.exact) == (3.0, 1 / 2, True)


def test_the_same_pictures_four_times_are_no_more_than_once() -> None:
    """As snapshots of one training nearly are, beside those of another one."""
    one = total(np.random.default_rng(18).normal(size=40).tolist())
    assert paired_swap([one] * 4, np.random.default_rng(0)) == paired_swap([one], np.random.default_rng(0))


def test_swaps_stop_when_the_answer_is_clear() -> None:
    values = np.random.default_rng(16).normal(size=20).tolist()
    found = paired_swap([total([*values, *values[::-1]])], np.random.default_rng(0), 9_999)
    assert found.permutations == 100
    assert found.p == 1.0, "no swap differs less than not at all"
    near = paired_swap(
        [
            total(
                [
                    *values,
                    *[v + 0.3 * (-1) ** k for k, v in enumerate(values)],
                ]
            )
        ],
        np.random.default_rng(0),
        9_999,
    )
    assert near.permutations < 1_000
    assert ENOUGH / near.p == pytest.approx(round(ENOUGH / near.p), abs=1e-9)
    clear = paired_swap([total([*values, *[v + 5.0 for v in values]])], np.random.default_rng(0), 4_999)
    assert (clear.p, clear.permutations, clear.smallest_p) == (1 / 5_000, 4_999, 1 / 5_000)


def test_paired_swap_p_is_uniform_under_the_null_and_small_under_a_shift() -> None:
    random = np.random.default_rng(14)
    photos = random.normal(size=(18, 6))

    def test(shift: float) -> float:
        pictures = random.normal(size=(40, 6))
        pictures[20:] += shift
        near = ((pictures[:, None] - photos) ** 2).sum(-1).mean(1)
        return paired_swap([Scored(lambda rows: near[rows].mean(axis=-1), 20)], random, 199).p

    assert uniform([test(0.0) for _ in range(200)]) > 0.05
    assert test(2.0) == 1 / 200


# Several training seeds


def test_components_by_hand() -> None:
    found = components({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]})
    assert found.between_seeds == pytest.approx(1.0)
    assert found.between_settings == pytest.approx((13.5 - 1.0) / 3)
    assert found.p == pytest.approx(stats.f_oneway([1, 2, 3], [4, 5, 6]).pvalue)
    assert found.settings["a"] == t_interval([1.0, 2.0, 3.0])
    assert found.about_settings
    assert "SD between training seeds 1," in found.sentence


def test_fewer_than_three_seeds_say_nothing_about_a_setting() -> None:
    found = components({"a": [1.0, 2.0, 3.0], "b": [4.0]})
    assert not found.about_settings
    assert found.settings["b"] == Interval(4.0, None, None, 1)
    assert "needs 3 training seeds; one of them has 1 training seed" in found.sentence
    assert components({"a": [1.0, 2.0], "b": [4.0, 5.0]}).settings["a"] == Interval(1.5, None, None, 2)
    alone = components({"a": [1.0, 2.0, 4.0]})
    assert (alone.between_seeds, alone.p, alone.sentence) == (None, None, "One setting, 3 training seeds.")
    with pytest.raises(ValueError, match="needs a score"):
        components({"a": []})


def test_components_find_the_variances_they_were_made_from() -> None:
    random = np.random.default_rng(15)
    made = {str(k): (random.normal(0, 2) + random.normal(0, 1, 3 + k % 3)).tolist() for k in range(400)}
    found = components(made)
    assert found.between_seeds == pytest.approx(1.0, abs=0.1)
    assert found.between_settings == pytest.approx(4.0, abs=0.6)


def test_no_interval_goes_beyond_what_a_number_can_be() -> None:
    shares = t_interval([1.0, 1.0, 1.0, 0.92])
    assert shares.high is not None
    assert shares.high > 1
    cut = within(shares, (0.0, 1.0))
    assert (cut.value, cut.low, cut.high, cut.error) == (shares.value, shares.low, 1.0, shares.error)
    assert within(shares, (-1.0, 2.0)) == shares
    assert within(Interval(0.01, -0.03, 0.05, 4), (0.0, 1.0)) == Interval(0.01, 0.0, 0.05, 4)
    assert within(Interval(0.5, None, None, 1), (0.0, 1.0)) == Interval(0.5, None, None, 1)
    # A value beyond its bounds by rounding stays inside its interval.
    rounded = within(Interval(1.0000001, 0.9, 1.1, 4), (0.0, 1.0))
    assert (rounded.low, rounded.high) == (0.9, 1.0000001)


def test_a_rise_is_that_of_the_least_squares_line() -> None:
    for values in ([0.2, 0.9], [0.1, 0.5, 0.4], [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]):
        line = stats.linregress(range(len(values)), values)
        assert rise(values) == pytest.approx(line.slope * (len(values) - 1), rel=1e-12)
    assert rise([0.3, 0.1 + 0.2, 0.3]) == 0.0
    assert rise([0.1, 0.1, 0.1 + 1e-17]) == 0.0
    with pytest.raises(ValueError, match="no line"):
        rise([0.5])
