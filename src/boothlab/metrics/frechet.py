"""Fréchet distance between two sets of vectors, seen as Gaussians: the one home of the formula.

‖μ₁ − μ₂‖² + Tr Σ₁ + Tr Σ₂ − 2 Tr (Σ₁Σ₂)^½, with Σ over n − 1. With A = (X − μ₁)/√(n−1) and B likewise,
Tr (Σ₁Σ₂)^½ is the nuclear norm of the n × m matrix A Bᵀ: exact at any rank, in 0.01 s instead of 15 s for 20 × 18
pictures in 2048 dimensions, without a square root of a singular matrix.
Source: Dowson & Landau 1982; Heusel et al. 2017 (arXiv:1706.08500). Parity: torch-fidelity 0.4.0, |Δ| ≤ 1e-3.
"""

from __future__ import annotations

import numpy as np

from boothlab.metrics.distances import products
from boothlab.metrics.metric import Values
from boothlab.metrics.related import Related

CAUTION = (
    "With few pictures it is mostly bias and prefers sets that are alike or copied: read it beside its permutation "
    "null only, never compare it with published values."
)
"""What every Fréchet distance of a few dozen pictures needs to have said."""


def _of_products(own: Values, cross: Values, photos: Values) -> Values:
    """From inner products: (…, n, n), (…, n, m), (m, m) → (…), ≥ 0. Fewer than two rows raise ValueError."""
    n, m = cross.shape[-2:]
    if min(n, m) < 2:
        raise ValueError(f"a covariance needs two pictures; there are {n} and {m}")
    inner, outer = own.mean(axis=(-2, -1)), photos.mean()
    shift = inner + outer - 2.0 * cross.mean(axis=(-2, -1))
    spread = (np.trace(own, axis1=-2, axis2=-1) - n * inner) / (n - 1) + (np.trace(photos) - m * outer) / (m - 1)
    rows, columns = cross.mean(axis=-1, keepdims=True), cross.mean(axis=-2, keepdims=True)
    centred = cross - rows - columns + cross.mean(axis=(-2, -1), keepdims=True)
    nuclear = np.linalg.svd(centred, compute_uv=False).sum(axis=-1) / np.sqrt((n - 1) * (m - 1))
    return np.asarray(np.maximum(0.0, shift + spread - 2.0 * nuclear))


frechet_distance = Related(products, _of_products, centred=True)
"""(n, D), (m, D) → the squared distance, ≥ 0. Rows of NaN are left out; fewer than two rows raise ValueError."""
