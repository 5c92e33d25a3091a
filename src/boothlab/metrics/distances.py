"""Squared Euclidean distances between rows, the one formula behind all LPIPS variants."""

from __future__ import annotations

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
