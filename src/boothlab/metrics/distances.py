"""Distances and cosines between rows: the one home of both formulas for all metrics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from boothlab.features.feature import Vectors
from boothlab.metrics.metric import Values

CHUNK = 1 << 16
"""Columns taken at once: LPIPS vectors have up to millions, and float64 copies of all of them would not fit."""


def present(rows: Vectors) -> Vectors:
    """The rows without NaN: pictures that hold something to describe."""
    return rows[~np.isnan(rows).any(axis=1)]


def squared_distances(left: Vectors, right: Vectors) -> Values:
    """(n, D), (m, D) → (n, m) of ‖l − r‖², summed in float64, never negative.

    Uses ‖l‖² + ‖r‖² − 2⟨l, r⟩; parity with the direct sum: |Δ| ≤ 1e-5 for LPIPS vectors (of norm about 1).
    """
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"vectors of {left.shape[1]} and {right.shape[1]} numbers: pictures of different sizes")
    total = np.zeros((len(left), len(right)))
    for start in range(0, left.shape[1], CHUNK):
        a = left[:, start : start + CHUNK].astype(np.float64)
        b = right[:, start : start + CHUNK].astype(np.float64)
        total += (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2.0 * (a @ b.T)
    return np.maximum(total, 0.0)


def over_photos(pairs: Callable[[Vectors, Vectors], Values]) -> Callable[[Vectors, Vectors], Values]:
    """From a number per pair, (n, m), one per picture, (n,): its mean over the photos that show something.

    For :attr:`boothlab.metrics.metric.Metric.values` of a metric with ``pairs``, so that the formula has one home.
    """

    def values(generated: Vectors, references: Vectors) -> Values:
        return np.asarray(pairs(generated, present(references)).mean(axis=1))

    return values


def same_rows(left: Vectors, right: Vectors) -> None:
    """Raises ValueError unless row k of one can belong to row k of the other: numpy would stretch a single row."""
    if left.shape != right.shape:
        raise ValueError(f"rows that belong together have shapes {left.shape} and {right.shape}")


def paired_squared_distances(left: Vectors, right: Vectors) -> Values:
    """(n, D), (n, D) → (n,) of ‖l_k − r_k‖², summed in float64; NaN where either row is."""
    same_rows(left, right)
    return np.array(
        [((a.astype(np.float64) - b.astype(np.float64)) ** 2).sum() for a, b in zip(left, right, strict=True)]
    )


def products(left: Vectors, right: Vectors) -> Values:
    """(n, D), (m, D) → (n, m) of inner products, in float64."""
    return np.asarray(left.astype(np.float64) @ right.astype(np.float64).T)


def unit(rows: Vectors) -> Values:
    """Rows in float64, brought to length 1; NaN stays NaN."""
    double = rows.astype(np.float64)
    return np.asarray(double / np.linalg.norm(double, axis=1, keepdims=True))


def cosines(left: Vectors, right: Vectors) -> Values:
    """(n, D), (m, D) → (n, m) of cosines, raw, in −1…1."""
    return np.clip(unit(left) @ unit(right).T, -1.0, 1.0)


def paired_cosines(left: Vectors, right: Vectors) -> Values:
    """(n, D), (n, D) → (n,) of cosines of rows that belong together, raw; NaN where either row is."""
    same_rows(left, right)
    return np.asarray(np.clip((unit(left) * unit(right)).sum(axis=1), -1.0, 1.0))
