"""Memorisation: the label-permutation test keeps its table, and copies are flagged where collapse is not."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from boothlab.statistics.memorisation import Copies, copies, expected_minimum_weights, memorisation, spread_out

SPECTRUM = np.sqrt(1 / np.arange(1, 2049))
"""SDs of 2048 independent features with a 1/k spectrum, a stand-in for those of portraits."""

TRAIN = np.arange(18) < 12


def squared(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0.0))


def drawn(kind: str, photos: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Twenty pictures of a model that memorises in a known way; photos are the training photos."""
    fresh = random.normal(size=(20, len(SPECTRUM))) * SPECTRUM
    copied = photos[random.integers(0, len(photos), 20)]
    if kind.startswith("blend"):
        part = float(kind.split()[1])
        return part * copied + np.sqrt(1 - part**2) * fresh
    number = {"all copies": 20, "half copies": 10, "two copies": 2}.get(kind, 0)
    fresh[:number] = copied[:number]
    return 0.5 * fresh if kind == "collapsed" else fresh


def rejections(kind: str, repeats: int, permutations: int) -> float:
    """Share of repeats in which the test at 0.05 says memorised."""
    random = np.random.default_rng(sum(kind.encode()))
    hits = 0
    for _ in range(repeats):
        photos = random.normal(size=(18, len(SPECTRUM))) * SPECTRUM
        distances = away(drawn(kind, photos[TRAIN], random), photos, kind)
        hits += memorisation(distances, TRAIN, random, permutations).p < 0.05
    return hits / repeats


def away(pictures: NDArray[np.float64], photos: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    # Blends on squared distances, as LPIPS is one; on plain ones 0.86 of the 40 % blends are seen.
    distances = squared(pictures, photos)
    return distances if kind.startswith("blend") else np.sqrt(distances)


def beside_a_control(kind: str, repeats: int, permutations: int) -> NDArray[np.float64]:
    """p by themselves and beside pictures of a model that knows no photo, of the same pictures: (repeats, 2)."""
    random, found = np.random.default_rng(sum(kind.encode())), []
    for _ in range(repeats):
        photos = random.normal(size=(18, len(SPECTRUM))) * SPECTRUM
        own, control = (away(drawn(one, photos[TRAIN], random), photos, kind) for one in (kind, "perfect"))
        test = memorisation(own, TRAIN, random, permutations, control)
        found.append((test.p_alone, test.p))
    return np.array(found)


TABLE = {
    "perfect": 0.04,
    "collapsed": 0.04,
    "all copies": 1.0,
    "half copies": 0.94,
    "two copies": 0.12,
    "blend 0.7": 1.0,
    "blend 0.4": 0.80,
}


@pytest.mark.parametrize(("kind", "share"), TABLE.items())
def test_the_table_of_memorising_models(kind: str, share: float) -> None:
    assert rejections(kind, 120, 499) == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "least", "most"), [("perfect", 0.0, 0.1), ("half copies", 0.78, 1.0), ("blend 0.4", 0.7, 1.0)]
)
def test_beside_a_control_that_goes_its_own_way_little_is_lost(kind: str, least: float, most: float) -> None:
    alone, beside = (beside_a_control(kind, 120, 499) < 0.05).mean(axis=0)
    assert least <= beside <= most
    assert abs(alone - beside) <= 0.12


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "share"), TABLE.items())
def test_the_table_of_memorising_models_in_full(kind: str, share: float) -> None:
    assert rejections(kind, 500, 9_999) == pytest.approx(share, abs=0.05)


def test_p_is_uniform_under_the_null() -> None:
    random = np.random.default_rng(1)
    p = [memorisation(random.random((20, 9)), np.arange(9) < 6, random).p for _ in range(200)]
    # Exact p values come in steps of 1/84; half a step of noise makes them continuous.
    jittered = np.array(p) - random.random(200) / 84
    assert stats.kstest(jittered, "uniform").pvalue > 0.05


def plain(random: np.random.Generator, photos: int, noise: float = 0.5) -> tuple[NDArray[np.float64], ...]:
    """How near pictures come to each of some photos, and to each of the same two lots of pictures, with noise."""
    each = random.normal(size=photos)
    return each, *(5 + each + noise * random.normal(size=(20, photos)) for _ in range(2))


@pytest.mark.parametrize(("photos", "ways"), [(9, 84), (20, 500)])
def test_p_is_uniform_under_the_null_beside_a_control(photos: int, ways: int) -> None:
    """Where all labelings are tried (84), and where 499 of many are."""
    random, found = np.random.default_rng(2), []
    for _ in range(200):
        _, own, control = plain(random, photos)
        found.append(memorisation(own, np.arange(photos) < 6, random, 499, control).p)
    jittered = np.array(found) - random.random(200) / ways
    assert stats.kstest(jittered, "uniform").pvalue > 0.05


@pytest.mark.parametrize("spread", [0.0, 1e-9, 1e-7, 1e-5])
def test_a_control_that_hardly_varies_neither_decides_nor_breaks_the_count(spread: float) -> None:
    random = np.random.default_rng(6)
    for _ in range(50):
        own, control = random.random((5, 8)), 1 + spread * random.random((5, 8))
        found = memorisation(own, np.arange(8) < 5, random, control=control)
        assert found.p >= found.smallest_p
        assert spread > 1e-6 or found.p == found.p_alone


def test_pictures_beside_themselves_remember_nothing() -> None:
    own = np.random.default_rng(7).random((5, 8))
    assert memorisation(own, np.arange(8) < 5, np.random.default_rng(0), control=own).p == 1.0


@pytest.mark.parametrize("control", [np.full((4, 8), np.nan), np.ones((4, 7)), np.ones((0, 8))])
def test_a_control_that_cannot_be_compared_is_refused(control: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="for 8 photos"):
        memorisation(np.ones((3, 8)), np.arange(8) < 5, np.random.default_rng(0), control=control)


def test_what_pictures_that_cannot_remember_show_as_well_is_no_memory() -> None:
    """By chance the plainest photos are those trained on: everybody's pictures are nearer to them."""
    each, own, control = plain(np.random.default_rng(3), 18)
    train = np.isin(np.arange(18), np.argsort(each)[:12])
    random = np.random.default_rng(0)
    found = memorisation(own, train, random, control=control)
    assert found.p_control is not None
    assert max(found.p_alone, found.p_control) < 0.001
    assert found.p > 0.1
    assert memorisation(own, train, random).p_control is None


def test_memory_of_photos_that_nobody_else_comes_near_is_found_beside_a_control_only() -> None:
    each, own, control = plain(np.random.default_rng(4), 18)
    train = np.isin(np.arange(18), np.argsort(each)[[0, 2, 4, 6, 8, 9, 11, 12, 14, 15, 16, 17]])
    own = own - 0.5 * train
    found = memorisation(own, train, np.random.default_rng(0), control=control)
    assert found.p_alone > 0.3
    assert found.p < 0.001


def test_a_control_takes_off_what_its_line_over_all_labelings_explains() -> None:
    random = np.random.default_rng(5)
    _, own, control = plain(random, 8)
    mask = np.arange(8) < 5
    gaps = []
    for held_out in itertools.combinations(range(8), 3):
        labels = ~np.isin(np.arange(8), held_out)
        gaps.append((by_enumeration(own, labels), by_enumeration(control, labels)))
    own_gap, control_gap = np.array(gaps).T
    slope = np.polyfit(control_gap, own_gap, 1)[0]
    left = own_gap - slope * control_gap
    truly = by_enumeration(own, mask) - slope * by_enumeration(control, mask)
    found = memorisation(own, mask, random, control=control)
    assert found.p == pytest.approx(float((left >= truly - 1e-9).mean()))
    assert found.p != found.p_alone
    flat = memorisation(own, mask, random, control=np.ones((4, 8)))
    assert (flat.p, flat.p_control) == (found.p_alone, 1.0)


def by_enumeration(distances: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
    """The statistic by its definition: a mean over all subsets."""
    held_out, train = distances[:, ~mask], distances[:, mask]
    k = min(held_out.shape[1], train.shape[1])

    def expected(side: NDArray[np.float64]) -> NDArray[np.float64]:
        subsets = itertools.combinations(range(side.shape[1]), k)
        return np.asarray(np.mean([side[:, list(subset)].min(1) for subset in subsets], axis=0))

    return float((expected(held_out) - expected(train)).mean())


@pytest.mark.parametrize(("train", "held_out"), [(5, 3), (3, 5), (4, 4), (6, 1)])
def test_order_statistics_give_the_definition_and_all_labelings_are_tried(train: int, held_out: int) -> None:
    random = np.random.default_rng(2)
    distances = random.random((7, train + held_out))
    mask = random.permutation(np.arange(train + held_out) < train)
    found = memorisation(distances, mask, random)
    assert found.gap == pytest.approx(by_enumeration(distances, mask))
    every = []
    for chosen in itertools.combinations(range(len(mask)), train):
        labels = np.isin(np.arange(len(mask)), chosen)
        every.append(by_enumeration(distances, labels) >= found.gap - 1e-9)
    assert found.exact
    assert found.p == pytest.approx(np.mean(every))


@pytest.mark.parametrize(("train", "held_out", "smallest"), [(4, 2, 1 / 15), (5, 3, 1 / 56), (9, 3, 1 / 220)])
def test_the_smallest_p_says_whether_anything_was_tested(train: int, held_out: int, smallest: float) -> None:
    mask = np.arange(train + held_out) < train
    copied = np.where(mask, 0.0, 1.0) + np.random.default_rng(3).random((20, train + held_out)) * 1e-3
    found = memorisation(copied, mask, np.random.default_rng(0))
    assert found.p == found.smallest_p == pytest.approx(smallest)
    assert found.testable(0.05) == (smallest < 0.05)
    assert (found.nearest_train, found.nearest_train_null) == (1.0, train / (train + held_out))
    assert (found.train, found.held_out, found.pictures) == (train, held_out, 20)


def test_many_photos_are_relabelled_at_random() -> None:
    distances = np.where(TRAIN, 0.0, 1.0) + np.random.default_rng(4).random((20, 18)) * 0.1
    found = memorisation(distances, TRAIN, np.random.default_rng(0))
    assert not found.exact
    # About one random labeling in 18,564 is the true one.
    assert 1 / 10_000 <= found.p <= 4 / 10_000
    assert found.smallest_p == 1 / 10_000
    assert found == memorisation(distances, TRAIN, np.random.default_rng(0))


def test_effect_is_the_gap_in_sds_of_the_pictures() -> None:
    distances = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]])
    found = memorisation(distances, [True, False], np.random.default_rng(0))
    assert (found.gap, found.effect, found.p) == (2.0, 2.0, 0.5)
    assert memorisation(distances[:1], [True, False], np.random.default_rng(0)).effect is None


def test_a_photo_given_twice_does_not_decide() -> None:
    found = memorisation(np.array([[0.1, 0.1, 0.9]]), [True, False, True], np.random.default_rng(0))
    assert found.nearest_train == 0.5


@pytest.mark.parametrize(
    ("distances", "train"),
    [
        (np.ones((2, 3)), [True, True, True]),
        (np.ones((2, 3)), [True, False]),
        (np.full((2, 2), np.nan), [True, False]),
        (np.ones((0, 2)), [True, False]),
    ],
)
def test_what_cannot_be_tested_is_refused(distances: NDArray[np.float64], train: list[bool]) -> None:
    with pytest.raises(ValueError, match="photos"):
        memorisation(distances, train, np.random.default_rng(0))


def test_weights_of_order_statistics() -> None:
    assert expected_minimum_weights(4, 1) == pytest.approx([0.25] * 4)
    assert expected_minimum_weights(4, 4) == pytest.approx([1, 0, 0, 0])
    assert expected_minimum_weights(12, 6).sum() == pytest.approx(1.0)


# Copies, picture by picture


def test_flags_name_the_photo_and_the_mirror() -> None:
    between = np.array([[0.0, 0.5, 0.8], [0.5, 0.0, 0.7], [0.8, 0.7, 0.0]])
    plain = np.array([[0.6, 0.1, 0.7], [0.6, 0.6, 0.55], [0.9, 0.9, 0.9]])
    turned = np.array([[0.6, 0.6, 0.6], [0.6, 0.6, 0.6], [0.9, 0.9, 0.2]])
    found = copies(plain, between, turned, np.full((3, 3), 0.6))
    assert found.limit == 0.5
    assert [(flag.photo, flag.mirrored, flag.flagged) for flag in found.flags] == [
        (1, False, True),
        (2, False, False),
        (2, True, True),
    ]
    assert found.flagged == 2
    assert [flag.distance for flag in found.flags] == [0.1, 0.55, 0.2]
    assert copies(plain, between, turned, np.full((3, 3), 0.3), factor=0.5).limit == 0.15
    assert copies(plain, between, factor=0.1).flagged == 0


def test_who_is_as_near_to_photos_never_trained_on_is_no_copy() -> None:
    """Of six pictures below the limit two are nearest to one of four held-out photos: 1.5 to one of three others."""
    between = np.full((3, 3), 1.0)
    near = np.array([[0.1, 0.9, 0.9]] * 4 + [[0.3, 0.9, 0.9]] * 2 + [[0.9, 0.9, 0.9]])
    others = np.array([[0.9] * 4] * 4 + [[0.2, 0.9, 0.9, 0.9]] * 2 + [[0.9] * 4])
    alone, beside = copies(near, between, factor=0.5), copies(near, between, factor=0.5, held_out=others)
    assert (alone.flagged, alone.expected) == (6, 0.0)
    assert [flag.flagged for flag in beside.flags] == [True] * 4 + [False] * 3
    assert (beside.flagged, beside.expected, beside.limit) == (4, 1.5, 0.5)
    assert copies(near, between, factor=0.5, held_out=np.full((7, 4), 0.9)).flagged == 6
    assert copies(near, np.zeros((3, 3)), held_out=others).expected == 0, "without a limit nothing was looked at"
    with pytest.raises(ValueError, match="held-out photos do not fit 7 pictures"):
        copies(near, between, held_out=others[:3])


def test_without_a_limit_nothing_is_flagged() -> None:
    assert copies(np.zeros((2, 1)), np.zeros((1, 1))).limit is None
    twins = copies(np.zeros((2, 2)), np.zeros((2, 2)))
    assert (twins.limit, twins.flagged) == (None, 0)
    with pytest.raises(ValueError, match=r"\(pictures, photos\)"):
        copies(np.zeros((2, 2)), np.zeros((3, 3)))


def test_exchangeable_pictures_fall_below_the_smallest_distance_as_often_as_said() -> None:
    random = np.random.default_rng(5)
    shares = []
    for _ in range(300):
        pool = random.normal(size=(12 + 20, 64))
        found = copies(squared(pool[12:], pool[:12]), squared(pool[:12], pool[:12]))
        shares.append(found.flagged / 20)
    assert found.by_chance == 2 / 13
    assert np.mean(shares) == pytest.approx(2 / 13, abs=0.03)


@pytest.mark.parametrize(("kind", "least", "most"), [("perfect", 0, 0), ("collapsed", 0, 0), ("two copies", 2, 2)])
def test_half_the_smallest_distance_tells_copies_from_collapse(kind: str, least: int, most: int) -> None:
    """Squared distances, as LPIPS is one."""
    random = np.random.default_rng(6)
    counts = []
    for _ in range(60):
        photos = random.normal(size=(12, len(SPECTRUM))) * SPECTRUM
        pictures = drawn(kind, photos, random)
        counts.append(copies(squared(pictures, photos), squared(photos, photos), factor=0.5).flagged)
    assert least <= min(counts)
    assert max(counts) <= most


def test_two_nearly_equal_photos_do_not_hide_the_copies_of_others() -> None:
    among = np.array([[0, 0.01, 0.8], [0.01, 0, 0.9], [0.8, 0.9, 0]], dtype=float)
    near = np.array([[0.9, 0.8, 0.1]])  # an eighth of the way to the third photo
    assert not copies(near, among, factor=0.5).flags[0].flagged, "the limit is 0.005"
    spared = copies(near, among, factor=0.5, leave_out=1)
    assert spared.limit == pytest.approx(0.45)
    assert spared.flags[0].flagged
    assert spread_out(among, 1) == [1, 2], "without the one whose absence leaves the larger distance"
    assert spread_out(among, 9) == [1, 2], "two stay"


GROUPS = (0, 0, 1, 2, 2, 3, 4, 4)
"""Eight photos that chance dealt as five; the last two were held out."""


def test_photos_that_were_dealt_together_are_permuted_together() -> None:
    """Every choice of two of five groups, by the definition: expectations over all subsets of as many photos."""
    random = np.random.default_rng(6)
    distances = random.random((4, 8))
    train = np.array([group not in (3, 4) for group in GROUPS])

    def statistic(held_out: set[int]) -> float:
        sides = [[p for p, group in enumerate(GROUPS) if (group in held_out) is out] for out in (True, False)]
        k = min(map(len, sides))
        of_least = [
            np.mean([distances[:, list(some)].min(axis=1) for some in itertools.combinations(side, k)], axis=0)
            for side in sides
        ]
        return float((of_least[0] - of_least[1]).mean())

    every = [statistic({a, b}) for a, b in itertools.combinations(range(5), 2)]
    found = memorisation(distances, train, random, groups=GROUPS)
    assert found.gap == pytest.approx(statistic({3, 4}))
    assert found.p == np.mean([one >= statistic({3, 4}) - 1e-12 for one in every])
    assert (found.smallest_p, found.exact, found.train, found.held_out) == (1 / 10, True, 5, 3)
    alone = memorisation(distances, train, random)
    assert alone.smallest_p == 1 / 56
    assert memorisation(distances, train, random, groups=range(8)) == alone, "each a group of its own"
    torn = memorisation(distances, train, random, groups=(0, 0, 0, 0, 0, 0, 1, 1))
    assert torn == alone, "a group of both kinds was not dealt as one"
    with pytest.raises(ValueError, match="3 groups for 8 photos"):
        memorisation(distances, train, random, groups=(0, 1, 2))


def test_bursts_are_not_taken_for_memorised() -> None:
    """Eight bursts of two nearly equal photos, three held out, and pictures of a model that knows none of them."""
    random = np.random.default_rng(7)
    groups = np.repeat(np.arange(8), 2)
    calls = np.zeros(2)
    for _ in range(200):
        photos = (random.normal(size=(8, len(SPECTRUM))) * SPECTRUM)[groups]
        photos = photos + 0.05 * random.normal(size=photos.shape) * SPECTRUM
        distances = away(drawn("perfect", photos, random), photos, "perfect")
        train = ~np.isin(groups, random.choice(8, 3, replace=False))
        calls += [
            memorisation(distances, train, random, 299, groups=known).p < 0.05 for known in (groups.tolist(), ())
        ]
    assert calls[0] / 200 < 0.09
    assert calls[1] / 200 > 0.15


def test_copies_of_a_burst_are_one_chance() -> None:
    """Two pictures near either photo of one burst of two: of five groups, three of which are trained on, chance
    gives both to the training photos in three of five choices."""
    train, held_out = np.full((2, 5), 10.0), np.full((2, 3), 10.0)
    train[0, 0] = train[1, 1] = 0.1
    among = np.full((5, 5), 1.0)
    found = copies(train, among, held_out=held_out, groups=GROUPS)
    assert found.flagged == 2
    assert found.p == pytest.approx(3 / 5)
    single = copies(train, among, held_out=held_out)
    assert single.p == pytest.approx((5 * 4) / (8 * 7))


def test_photos_that_are_nearly_equal_make_no_limit_that_no_copy_meets() -> None:
    """With two of eight photos there twice, saved anew, none of twenty copies was one, and the gate passed."""
    random = np.random.default_rng(0)
    among = np.full((8, 8), 0.2)
    np.fill_diagonal(among, 0)
    to_train = random.uniform(0.15, 0.25, (20, 8))
    to_train[np.arange(20), np.arange(20) % 8] = 0.01
    to_others = random.uniform(0.15, 0.25, (20, 3))
    of = [*range(8), 0, 1]
    twice, near = among[np.ix_(of, of)] + 0.0002, to_train[:, of] + 0.0001

    def seen(groups: Sequence[int]) -> Copies:
        return copies(near, twice, factor=0.5, leave_out=1, held_out=to_others, groups=groups)

    alone = copies(to_train, among, factor=0.5, leave_out=1, held_out=to_others)
    assert (alone.flagged, alone.limit) == (20, 0.1)
    blind = seen(())
    assert (blind.flagged, blind.limit) == (0, pytest.approx(0.0001))
    told = seen([*of, 8, 9, 10])
    assert (told.flagged, told.limit, told.by_chance) == (20, pytest.approx(0.1001), 2 / 9)
