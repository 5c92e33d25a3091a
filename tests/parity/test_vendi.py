"""The Vendi score against the values in its authors' README and against their package."""

from __future__ import annotations

import numpy as np
import pytest

from boothlab.metrics.vendi import vendi_score
from clouds_made import clouds

GOLDEN = 10.418084221061477
"""``vendi_score`` 0.0.3, ``score_X``, on the first of ``clouds(20, 18, 16)``."""


def rows_of(similarities: np.ndarray) -> np.ndarray:
    """Vectors whose cosines are the given matrix."""
    values, vectors = np.linalg.eigh(similarities)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def test_values_of_the_readme() -> None:
    points = np.array([0, 0, 10, 10, 20, 20])
    assert vendi_score(rows_of(np.exp(-np.abs(points[:, None] - points)))) == pytest.approx(2.9999, abs=1e-4)
    assert vendi_score(rows_of(np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]))) == pytest.approx(2.1573, abs=1e-4)


def test_golden_value() -> None:
    assert vendi_score(clouds(20, 18, 16)[0]) == pytest.approx(GOLDEN, abs=1e-9)


def test_equals_the_authors() -> None:
    vendi = pytest.importorskip("vendi_score.vendi")
    rows = clouds(30, 18, 8)[0]
    assert vendi_score(rows) == pytest.approx(float(vendi.score_X(rows)), rel=1e-9)


def test_ends_of_the_scale() -> None:
    assert vendi_score(np.eye(7)) == pytest.approx(7.0)
    assert vendi_score(np.ones((7, 5))) == pytest.approx(1.0)
