"""Fréchet distance between two sets of vectors, seen as Gaussians: the one home of the formula.

‖μ₁ − μ₂‖² + Tr Σ₁ + Tr Σ₂ − 2 Tr (Σ₁Σ₂)^½, with Σ over n − 1. With A = (X − μ₁)/√(n−1) and B likewise,
Tr (Σ₁Σ₂)^½ is the nuclear norm of the n × m matrix A Bᵀ: exact at any rank, in 0.01 s instead of 15 s for 20 × 18
pictures in 2048 dimensions, without a square root of a singular matrix.
Source: Dowson & Landau 1982; Heusel et al. 2017 (arXiv:1706.08500). Parity: torch-fidelity 0.4.0, |Δ| ≤ 1e-3.
"""

from __future__ import annotations

import numpy as np

from boothlab.features.feature import Vectors
from boothlab.metrics.distances import present

CAUTION = (
    "With few pictures it is mostly bias and prefers sets that are alike or copied: read it beside its permutation "
    "null only, never compare it with published values."
)
"""What every Fréchet distance of a few dozen pictures needs to have said."""


def frechet_distance(left: Vectors, right: Vectors) -> float:
    """(n, D), (m, D) → the squared distance, ≥ 0. Rows of NaN are left out; fewer than two rows raise ValueError."""
    x, y = (present(rows).astype(np.float64) for rows in (left, right))
    if min(len(x), len(y)) < 2:
        raise ValueError(f"a covariance needs two pictures; there are {len(x)} and {len(y)}")
    shift = x.mean(axis=0) - y.mean(axis=0)
    a = (x - x.mean(axis=0)) / np.sqrt(len(x) - 1)
    b = (y - y.mean(axis=0)) / np.sqrt(len(y) - 1)
    nuclear = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return max(0.0, float(shift @ shift + (a**2).sum() + (b**2).sum() - 2.0 * nuclear))
