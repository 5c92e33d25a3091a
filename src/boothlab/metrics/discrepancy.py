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
from boothlab.metrics.distances import products, squared_distances, unit
from boothlab.metrics.metric import Values
from boothlab.metrics.related import Related, mean_pair

Kernel = Callable[[Vectors, Vectors], Values]

CMMD_SIGMA = 10.0
"""Bandwidth of the published CMMD."""

KID_CAUTION = "Hardly sees collapse, and copies of the photos score below new photos: read it beside variety."


def polynomial_kernel(left: Vectors, right: Vectors) -> Values:
    """(⟨x, y⟩ / D + 1)³, KID's kernel, (n, m)."""
    return np.asarray((products(left, right) / left.shape[1] + 1.0) ** 3)


def gaussian_kernel(left: Vectors, right: Vectors) -> Values:
    """exp(−‖x − y‖² / 2σ²) of unit-length rows with σ = 10, CMMD's kernel, (n, m)."""
    return np.asarray(np.exp(-squared_distances(unit(left), unit(right)) / (2 * CMMD_SIGMA**2)))


def mmd_of_kernels(own: Values, cross: Values, photos: Values, biased: bool = False) -> Values:
    """(…, n, n), (…, n, m), (m, m) of kernels → (…). Fewer than two rows raise ValueError unless ``biased``."""
    n, m = cross.shape[-2:]
    if min(n, m) < (1 if biased else 2):
        raise ValueError(f"an unbiased MMD needs two pictures; there are {n} and {m}")
    within = own.mean(axis=(-2, -1)) + photos.mean() if biased else mean_pair(own) + mean_pair(photos)
    return np.asarray(within - 2.0 * cross.mean(axis=(-2, -1)))


def mmd_squared(left: Vectors, right: Vectors, kernel: Kernel, biased: bool = False) -> float:
    """(n, D), (m, D) → MMD². Rows of NaN are left out; fewer than two rows raise ValueError unless ``biased``."""

    def score(own: Values, cross: Values, photos: Values) -> Values:
        return mmd_of_kernels(own, cross, photos, biased)

    return Related(kernel, score)(left, right)


def times_thousand(own: Values, cross: Values, photos: Values) -> Values:
    """:func:`mmd_of_kernels`, unbiased, × 1000, as KID is printed here and CMMD is published; below 0 by chance."""
    return 1000.0 * mmd_of_kernels(own, cross, photos)
