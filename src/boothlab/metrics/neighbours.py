"""Precision, recall, density, coverage: do the two sets lie within each other's neighbourhoods?

A picture's neighbourhood is the ball to its k-th nearest other picture of its own set, k = 3. A tie counts as inside,
as in torch-fidelity (``prdc`` leaves it outside). Source: Kynkäänniemi et al. 2019 (arXiv:1904.06991) for the first
two; Naeem et al. 2020 (arXiv:2002.09797) for the others. Parity: ``prdc`` 0.2, exact apart from ties.
"""

from __future__ import annotations

import numpy as np

from boothlab.features.feature import Vectors
from boothlab.metrics.distances import present, squared_distances
from boothlab.metrics.metric import Values

K = 3
"""Neighbours. The shares move in steps of one picture or photo: with 18 photos, of 0.06."""

TIE = 1e-9
"""Relative difference below which two distances are equal: the order of pictures must not decide."""


def _radii(rows: Values) -> Values:
    """(n,) squared distance to the k-th nearest other row."""
    if len(rows) <= K:
        raise ValueError(f"{K} neighbours need {K + 1} pictures; there are {len(rows)}")
    return np.asarray(np.sort(squared_distances(rows, rows), axis=1)[:, K])


def inside(points: Vectors, centres: Vectors) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """(n, m): whether point i lies in the neighbourhood of centre j. Rows of NaN are left out before."""
    x, c = (present(rows).astype(np.float64) for rows in (points, centres))
    radii = _radii(c)
    return np.asarray(squared_distances(x, c) <= radii[None, :] * (1 + TIE) + np.finfo(float).eps)


def precision(generated: Vectors, references: Vectors) -> float:
    """Share of pictures inside any photo's neighbourhood, 0–1."""
    return float(inside(generated, references).any(axis=1).mean())


def recall(generated: Vectors, references: Vectors) -> float:
    """Share of photos inside any picture's neighbourhood, 0–1."""
    return float(inside(references, generated).any(axis=1).mean())


def density(generated: Vectors, references: Vectors) -> float:
    """How many photos' neighbourhoods a picture lies in, over k: 1 for a set like the photos, unbounded above."""
    return float(inside(generated, references).sum(axis=1).mean() / K)


def coverage(generated: Vectors, references: Vectors) -> float:
    """Share of photos with a picture in their neighbourhood, 0–1."""
    return float(inside(generated, references).any(axis=0).mean())
