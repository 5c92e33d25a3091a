"""How often an interval holds the truth where prompts, pictures and photos each have effects of their own.

    python tests/unit/test_statistics_coverage.py

prints the table of docs/statistics.md, 4,000 made tables per row; the tests look at the same cases with fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from boothlab.statistics.comparisons import compare_paired
from boothlab.statistics.intervals import (
    Interval,
    cluster_interval,
    cluster_wilson,
    t_interval,
    two_way_interval,
    wilson,
    within,
)

Matrix = NDArray[np.float64]

PROMPTS = {"none": 0.0, "moderate": 0.5, "as strong as pictures": 1.0, "strong": 2.0}
"""SD between prompts, in SDs between pictures of one prompt."""

DESIGNS = ((10, 2), (20, 1), (10, 4))
"""Prompts × pictures of each."""

PHOTOS = (3, 5, 8)

PHOTO_EFFECTS = (0.3, 1.0)
"""SD between photos, in SDs between pictures of one prompt."""

LEAST = 0.92
"""Share of intervals that must hold the truth."""

MOST_WIDE = 1.25
"""Where prompts do not matter: mean width over that of who knows it and takes every picture for independent."""


@dataclass
class Tried:
    """How often the intervals held 0, the truth, and how wide each was."""

    held: list[bool] = field(default_factory=list)
    wide: list[float] = field(default_factory=list)

    def add(self, found: Interval) -> None:
        assert found.low is not None
        assert found.high is not None
        self.held.append(found.low <= 0.0 <= found.high)
        self.wide.append(found.high - found.low)

    @property
    def coverage(self) -> float:
        return float(np.mean(self.held))

    @property
    def width(self) -> float:
        return float(np.mean(self.wide))


def made(random: np.random.Generator, design: tuple[int, int], photos: int, prompt: float, photo: float) -> Matrix:
    """(pictures, photos): prompts, pictures of SD 1, photos, and single pairs of SD 1; the truth is 0."""
    prompts, each = design
    rows = np.repeat(prompt * random.normal(size=(prompts, 1)), each, axis=0) + random.normal(
        size=(prompts * each, 1)
    )
    return rows + photo * random.normal(size=(1, photos)) + random.normal(size=(prompts * each, photos))


def names(design: tuple[int, int]) -> list[int]:
    """The prompt of each picture."""
    return np.repeat(np.arange(design[0]), design[1]).tolist()


def tried(
    tables: int, of: Callable[[np.random.Generator], Matrix], *intervals: Callable[[Matrix], Interval]
) -> list[Tried]:
    """The same made tables through several intervals."""
    random, found = np.random.default_rng(2), [Tried() for _ in intervals]
    for _ in range(tables):
        matrix = of(random)
        for one, interval in zip(found, intervals, strict=True):
            one.add(interval(matrix))
    return found


def two_way(tables: int, design: tuple[int, int], photos: int, prompt: float, photo: float) -> list[Tried]:
    """The interval of the tables; and who takes every picture for independent."""
    clusters = names(design)
    return tried(
        tables,
        lambda random: made(random, design, photos, prompt, photo),
        lambda matrix: two_way_interval(matrix, clusters),
        two_way_interval,
    )


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: f"{design[0]}x{design[1]}")
@pytest.mark.parametrize("photos", PHOTOS)
@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_two_way_interval_holds_the_truth_whatever_prompts_do(
    design: tuple[int, int], photos: int, prompt: float
) -> None:
    """600 tables: an interval that holds 0.92 is seen to hold 0.892 or less in one of a hundred cases."""
    for photo in PHOTO_EFFECTS:
        found, apart = two_way(600, design, photos, prompt, photo)
        assert found.coverage >= LEAST - 0.028
        if prompt == 0.0:
            assert found.width <= MOST_WIDE * apart.width
        if prompt == 2.0 and design[1] > 1 and photo < 1.0:
            assert apart.coverage < 0.9, "pictures of one prompt taken for independent"


@pytest.mark.parametrize("photo", [0.3, 1.0])
def test_two_way_interval_covers_where_independent_pairs_do_not(photo: float) -> None:
    found, pairs = tried(500, lambda random: made(random, (20, 1), 18, 0.0, photo), two_way_interval, t_interval)
    assert 0.92 <= found.coverage <= 0.98
    assert pairs.coverage < 0.6


@pytest.mark.parametrize("design", [(10, 2), (10, 8), (25, 4)], ids=lambda design: f"{design[0]}x{design[1]}")
@pytest.mark.parametrize("prompt", [0.0, 0.5, 2.0])
def test_cluster_interval_covers(design: tuple[int, int], prompt: float) -> None:
    clusters = names(design)
    found, apart = tried(
        600,
        lambda random: made(random, design, 1, prompt, 0.0)[:, 0],
        lambda values: cluster_interval(values, clusters),
        t_interval,
    )
    assert 0.92 <= found.coverage <= 0.98
    if prompt == 0.0:
        assert found.width <= MOST_WIDE * apart.width
    if prompt == 2.0:
        assert apart.coverage < found.coverage - 0.05


def rated(
    taste: tuple[float, float], pictures: int, raters: int, interval: Callable[[list[bool], list[int]], Interval]
) -> float:
    """How often an interval over 1,000 made pages holds the mean share of people who prefer B.

    Each picture's share is drawn from a beta law, and every rater answers for every picture.
    """
    random, units = np.random.default_rng(5), np.repeat(np.arange(pictures), raters).tolist()
    held, truth = 0, taste[0] / sum(taste)
    for _ in range(1000):
        shares = random.beta(*taste, (pictures, 1))
        found = interval((random.random((pictures, raters)) < shares).ravel().tolist(), units)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    return held / 1000


@pytest.mark.parametrize("pictures", [5, 20])
@pytest.mark.parametrize("raters", [2, 10])
@pytest.mark.parametrize("taste", [(2, 2), (8, 2), (19, 1)])
def test_rates_over_answers_of_several_raters_hold_the_truth(
    taste: tuple[float, float], pictures: int, raters: int
) -> None:
    assert rated(taste, pictures, raters, cluster_wilson) >= 0.94


def test_rates_over_answers_are_neither_those_of_independent_ones_nor_normal() -> None:
    assert rated((2, 2), 20, 10, cluster_wilson) <= 0.98
    assert rated((2, 2), 20, 10, lambda answers, units: wilson(sum(answers), len(answers))) < 0.8
    normal = rated((19, 1), 5, 10, lambda answers, units: within(cluster_interval(answers, units), (0.0, 1.0)))
    assert normal < 0.9, "of few pictures on which nearly all agree, mean ± t · SE knows too much"


def test_rates_over_answers_by_hand() -> None:
    answers = [True, True, False, True, False, True]
    assert cluster_wilson(answers, list(range(6))) == wilson(4, 6)
    assert cluster_wilson([True] * 6, [0, 0, 1, 1, 2, 2]) == wilson(3, 3), "agreed: as three answers, not six"
    assert cluster_wilson([False] * 3, ["a"] * 3) == wilson(0, 1)
    found, plain = cluster_wilson(answers, [0, 0, 1, 1, 2, 2]), wilson(2, 3)
    assert (found.value, found.n) == (2 / 3, 3)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high)), "never worth less than three answers"
    with pytest.raises(ValueError, match="no answer"):
        cluster_wilson([], [])


def test_a_rate_over_answers_is_worth_what_their_spread_says() -> None:
    """Twenty pictures, ten raters each: shares 0.4 and 0.6 by turns. SE² = 20/19 · 20 · 1² / 200²."""
    answers = [rater < 4 + 2 * (picture % 2) for picture in range(20) for rater in range(10)]
    found = cluster_wilson(answers, [picture for picture in range(20) for _ in range(10)])
    assert found == Interval(0.5, pytest.approx(wilson(100, 200).low), pytest.approx(wilson(100, 200).high), 20)
    answers = [rater < 1 + 8 * (picture % 2) for picture in range(20) for rater in range(10)]
    found = cluster_wilson(answers, [picture for picture in range(20) for _ in range(10)])
    half = stats.t.ppf(0.975, 19) * 0.4 / np.sqrt(19)
    worth = stats.norm.ppf(0.975) ** 2 * 0.25 / half**2
    assert 20 < worth < 200
    z2 = stats.norm.ppf(0.975) ** 2
    assert found.high == pytest.approx(0.5 + np.sqrt(z2 * 0.25 / worth + z2**2 / 4 / worth**2) / (1 + z2 / worth))


def paired(tables: int, prompt: float, clusters: Sequence[int]) -> list[Tried]:
    """B − A of ten prompts × two pictures, where B is better on some prompts and worse on others."""
    chance = np.random.default_rng(0)

    def interval(values: Matrix, prompts: Sequence[int]) -> Interval:
        seen = compare_paired(np.zeros(len(values)), values, chance, prompts=prompts)
        return Interval(seen.difference, seen.low, seen.high, seen.units)

    return tried(
        tables,
        lambda random: made(random, (10, 2), 1, prompt, 0.0)[:, 0],
        lambda values: interval(values, clusters),
        lambda values: interval(values, ()),
    )


@pytest.mark.parametrize("prompt", [0.0, 2.0])
def test_paired_intervals_hold_the_mean_difference_over_other_prompts(prompt: float) -> None:
    found, apart = paired(250, prompt, names((10, 2)))
    assert 0.92 <= found.coverage <= 0.985
    if prompt:
        assert apart.coverage < 0.9
    else:
        assert found.width <= MOST_WIDE * apart.width


def test_sign_flips_of_prompts_reject_as_often_as_they_say() -> None:
    random, clusters = np.random.default_rng(3), names((10, 2))
    p, apart = [], []
    for _ in range(250):
        values = made(random, (10, 2), 1, 2.0, 0.0)[:, 0]
        p.append(compare_paired(np.zeros(20), values, random, prompts=clusters).p)
        apart.append(compare_paired(np.zeros(20), values, random).p)
    assert np.mean(np.array(p) <= 0.05) <= 0.08
    assert np.mean(np.array(apart) <= 0.05) > 0.1, "pictures flipped one by one reject too often"


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_the_table_of_the_docs_is_above_the_bar(prompt: float) -> None:
    for design in DESIGNS:
        for photos in PHOTOS:
            for photo in PHOTO_EFFECTS:
                found, apart = two_way(4000, design, photos, prompt, photo)
                assert found.coverage >= LEAST
                assert prompt > 0.0 or found.width <= MOST_WIDE * apart.width


def table(tables: int = 4000) -> str:
    """Markdown: coverage of the weak and the strong photo effect, and mean widths over those of who knows better."""
    lines = [
        "| effect of prompts | prompts × pictures | 3 photos | 5 | 8 | pictures taken for independent, 8 photos |"
    ]
    lines += ["|---|---|--:|--:|--:|--:|"]
    for name, prompt in PROMPTS.items():
        for design in DESIGNS:
            cells, apart = [], []
            for photos in PHOTOS:
                pair = [two_way(tables, design, photos, prompt, photo) for photo in PHOTO_EFFECTS]
                cell = ", ".join(f"{found.coverage:.3f}" for found, _ in pair)
                wider = ", ".join(f"{found.width / alone.width:.2f}" for found, alone in pair)
                cells.append(cell + (f" (× {wider})" if prompt == 0.0 else ""))
                apart = [f"{alone.coverage:.3f}" for _, alone in pair]
            lines.append(f"| {name} | {design[0]} × {design[1]} | {' | '.join(cells)} | {', '.join(apart)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
