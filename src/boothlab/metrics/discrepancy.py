"""Maximum mean discrepancy between two sets of vectors: the one home of KID's and CMMD's formula.

MMD² = E k(x, x') + E k(y, y') − 2 E k(x, y). Without the diagonal (a U-statistic) it is unbiased and can be below 0;
with it (a V-statistic) it is not: at 20 against 18 pictures all of the published CMMD's value is that bias.
Source: Gretton et al. 2012; KID: Bińkowski et al. 2018 (arXiv:1801.01401); CMMD: Jayasumana et al. 2024
(arXiv:2401.09603). Parity: KID of torch-fidelity 0.4.0 with one subset of everything, rel. 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from boothlab.features.feature import Vectors
from boothlab.metrics.distances import present, squared_distances, unit
from boothlab.metrics.metric import Values

Kernel = Callable[[Vectors, Vectors], Values]

CMMD_SIGMA = 10.0
CMMD_SCALE = 1000.0
"""Bandwidth and factor of the published CMMD."""

KID_CAUTION = "Hardly sees collapse, and copies of the photos score below new photos: read it beside diversity."


def polynomial_kernel(left: Vectors, right: Vectors) -> Values:
    """(⟨x, y⟩ / D + 1)³, KID's kernel, (n, m)."""
    products = left.astype(np.float64) @ right.astype(np.float64).T
    return np.asarray((products / left.shape[1] + 1.0) ** 3)


def gaussian_kernel(left: Vectors, right: Vectors) -> Values:
    """exp(−‖x − y‖² / 2σ²) of unit-length rows with σ = 10, CMMD's kernel, (n, m)."""
    return np.asarray(np.exp(-squared_distances(unit(left), unit(right)) / (2 * CMMD_SIGMA**2)))


def mmd_squared(left: Vectors, right: Vectors, kernel: Kernel, biased: bool = False) -> float:
    """(n, D), (m, D) → MMD². Rows of NaN are left out; fewer than two rows raise ValueError unless ``biased``."""
    x, y = present(left), present(right)
    n, m = len(x), len(y)
    if min(n, m) < (1 if biased else 2):
        raise ValueError(f"an unbiased MMD needs two pictures; there are {n} and {m}")
    own_x, own_y = kernel(x, x), kernel(y, y)
    if biased:
        within = own_x.mean() + own_y.mean()
    else:
        within = (own_x.sum() - np.trace(own_x)) / (n * (n - 1)) + (own_y.sum() - np.trace(own_y)) / (m * (m - 1))
    return float(within - 2.0 * kernel(x, y).mean())
