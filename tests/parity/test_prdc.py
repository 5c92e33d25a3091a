"""Precision, recall, density, coverage against the package of the authors of the last two."""

from __future__ import annotations

import numpy as np
import pytest

from boothlab.metrics import neighbours
from clouds_made import clouds

GOLDEN = {"precision": 0.45, "recall": 1.0, "density": 0.5833333333333333, "coverage": 0.8888888888888888}
"""``prdc`` 0.2 on ``clouds(20, 18, 16)`` with k = 3."""


def ours(generated: np.ndarray, references: np.ndarray) -> dict[str, float]:
    return {name: getattr(neighbours, name)(generated, references) for name in GOLDEN}


def test_golden_values() -> None:
    assert ours(*clouds(20, 18, 16)) == pytest.approx(GOLDEN, abs=1e-12)


@pytest.mark.parametrize(("n", "m", "d"), [(20, 18, 2), (18, 20, 64), (40, 30, 4)])
def test_equals_prdc(n: int, m: int, d: int) -> None:
    prdc = pytest.importorskip("prdc")
    generated, references = clouds(n, m, d)
    expected = prdc.compute_prdc(references, generated, neighbours.K)
    assert ours(generated, references) == pytest.approx({k: float(v) for k, v in expected.items()}, abs=1e-12)


def test_what_collapse_and_copies_look_like() -> None:
    generated, references = clouds(20, 18, 64)
    one = np.repeat(references[:1], 20, axis=0) + 1e-3 * generated
    assert neighbours.precision(one, references) == 1.0
    assert neighbours.recall(one, references) <= 1 / 18
    assert neighbours.density(one, references) > 1.0 / 3
    assert ours(references, references)["coverage"] == 1.0


def test_a_tie_counts_as_inside() -> None:
    line = np.arange(5.0)[:, None]
    # Every ball of the row 0…4 reaches its third neighbour; the point 7 lies exactly on the border of 4's ball.
    assert neighbours.precision(np.array([[7.0]]), line) == 1.0
    assert neighbours.precision(np.array([[7.0001]]), line) == 0.0
    with pytest.raises(ValueError, match="3 neighbours need 4 pictures; there are 3"):
        neighbours.precision(line, line[:3])
