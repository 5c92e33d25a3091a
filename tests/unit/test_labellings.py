"""Chance deals photos, not pictures: what lies near one photo comes together."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from boothlab.statistics.labellings import share_of_labellings
from boothlab.statistics.memorisation import copies


@pytest.mark.parametrize("seed", range(6))
def test_as_by_trying_every_choice(seed: int) -> None:
    random = np.random.default_rng(seed)
    near = random.integers(0, 4, size=9).tolist()
    for drawn in (0, 1, 4, 9):
        sums = [sum(near[k] for k in choice) for choice in combinations(range(9), drawn)]
        for least in (0, 1, 3, sum(near), sum(near) + 1):
            expected = float(np.mean([found >= least for found in sums]))
            assert share_of_labellings(near, drawn, least) == pytest.approx(expected, abs=1e-15)


def test_what_lies_near_one_photo_is_one_event() -> None:
    assert share_of_labellings([4] + [0] * 30, 13, 4) == pytest.approx(13 / 31)
    assert share_of_labellings([1, 1, 1, 1] + [0] * 27, 13, 4) == pytest.approx(
        13 * 12 * 11 * 10 / (31 * 30 * 29 * 28)
    )
    with pytest.raises(ValueError, match="4 of 3 photos"):
        share_of_labellings([1, 2, 3], 4, 0)


def near_photos(whose: list[int], train: list[int], others: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Distances of pictures that lie near these photos, each on its own, to both groups."""
    distances = np.full((len(whose), len(train) + len(others)), 0.9)
    for row, photo in enumerate(whose):
        distances[row, photo] = 0.2 + 0.001 * row
    return distances[:, train], distances[:, others]


@pytest.mark.parametrize(
    ("whose", "most"), [([7] * 6, 0.05), ([1, 4, 7, 10, 13, 16], 0.05), ([3, 3, 3, 8, 8, 11], 0.05)]
)
def test_chance_alone_is_found_as_often_as_the_level_says(whose: list[int], most: float) -> None:
    """Six pictures near one photo were a copy in half of all splits, by a test that took them for independent."""
    random = np.random.default_rng(1)
    found = []
    for _ in range(400):
        order = random.permutation(20).tolist()
        to_train, to_others = near_photos(whose, order[:10], order[10:])
        result = copies(to_train, np.full((10, 10), 0.9), factor=0.5, held_out=to_others)
        assert result.p is not None
        found.append(result.p < 0.05)
    assert np.mean(found) <= most


def test_copies_of_several_photos_are_found() -> None:
    to_train, to_others = near_photos([0, 1, 2, 3, 4], list(range(5)), [5, 6, 7])
    found = copies(to_train, np.full((5, 5), 0.9), factor=0.5, held_out=to_others)
    assert (found.flagged, found.p) == (5, pytest.approx(1 / 56))
    one = copies(*near_photos([0] * 5, list(range(5)), [5, 6, 7])[:1], np.full((5, 5), 0.9), factor=0.5)
    assert (one.flagged, one.p) == (5, None), "nothing says what chance gives"
