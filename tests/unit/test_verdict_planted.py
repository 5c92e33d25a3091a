"""From distances to the word: planted models keep their name through memorisation, copies, diversity and gates."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from boothlab.evaluation.thresholds import COPY_FACTOR
from boothlab.evaluation.verdict import judge
from boothlab.evaluation.verdict_data import Count, Measured
from boothlab.statistics.intervals import t_interval
from boothlab.statistics.memorisation import copies, memorisation

SPECTRUM = np.sqrt(1 / np.arange(1, 1025))
TRAIN = np.arange(12) < 9
REPEATS = 50


def squared(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0.0))


def spread(rows: NDArray[np.float64]) -> float:
    return float(squared(rows, rows)[np.triu_indices(len(rows), 1)].mean())


def drawn(kind: str, photos: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Twenty pictures; copies come back with a little noise, as a drawing of a photo would."""
    fresh = random.normal(size=(20, len(SPECTRUM))) * SPECTRUM
    near = photos[random.integers(0, len(photos), 20)] + 0.2 * fresh
    number = {"copied": 20, "half copied": 10, "two copies": 2}.get(kind, 0)
    fresh[:number] = near[:number]
    if kind == "one photo again and again":
        return np.asarray(photos[0] + 0.05 * fresh)
    return np.asarray(0.45 * fresh if kind == "collapsed" else fresh)


def word(kind: str, random: np.random.Generator) -> str:
    photos = random.normal(size=(12, len(SPECTRUM))) * SPECTRUM
    pictures = drawn(kind, photos[TRAIN], random)
    distances = squared(pictures, photos)
    near = copies(distances[:, TRAIN], squared(photos[TRAIN], photos[TRAIN]), factor=COPY_FACTOR)
    likeness = random.normal(0.1 if kind == "underfitted" else 0.85, 0.1, 20)
    prompts = random.normal(0.45 if kind == "ignores prompts" else 0.68, 0.1, 20)
    found = Measured(
        "step 1",
        1,
        likeness=t_interval(likeness),
        prompt=t_interval(prompts),
        prompt_base=t_interval(random.normal(0.7, 0.1, 20)),
        faceless=Count(0, 20),
        memorisation=memorisation(np.sqrt(distances), TRAIN, random),
        copies=Count(near.flagged, 20),
        diversity_photos=spread(pictures) / spread(photos[TRAIN]),
    )
    return judge([found]).judgements[0].word


PLANTED = {
    "good": "good",
    "underfitted": "underfitted",
    "ignores prompts": "overfitted",
    "collapsed": "collapsed",
    "copied": "copying",
    "half copied": "copying",
    "two copies": "copying",
    "one photo again and again": "copying",
}


@pytest.mark.parametrize(("kind", "expected"), PLANTED.items())
def test_planted_models_get_their_name(kind: str, expected: str) -> None:
    random = np.random.default_rng(sum(kind.encode()))
    words = [word(kind, random) for _ in range(REPEATS)]
    # A good one is taken for an overfitted one when the test at 0.05 errs: 5 % of the time.
    assert words.count(expected) >= 0.9 * REPEATS
    if expected != "good":
        assert "good" not in words
