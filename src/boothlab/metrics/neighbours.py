"""Precision, recall, density, coverage: do the two sets lie within each other's neighbourhoods?

A picture's neighbourhood is the ball to its k-th nearest other picture of its own set, k = 3. A tie counts as inside,
as in torch-fidelity (``prdc`` leaves it outside). Source: Kynkäänniemi et al. 2019 (arXiv:1904.06991) for the first
two; Naeem et al. 2020 (arXiv:2002.09797) for the others. Parity: ``prdc`` 0.2, exact apart from ties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boothlab.metrics.distances import squared_distances
from boothlab.metrics.metric import Values
from boothlab.metrics.related import Related

K = 3
"""Neighbours. The shares move in steps of one picture or photo: with 18 photos, of 0.06."""

TIE = 1e-9
"""Relative difference below which two distances are equal: the order of pictures must not decide."""


def _radii(own: Values) -> Values:
    """(…, n, n) squared distances → (…, n) to the k-th nearest other row."""
    if own.shape[-1] <= K:
        raise ValueError(f"{K} neighbours need {K + 1} pictures; there are {own.shape[-1]}")
    return np.asarray(np.sort(own, axis=-1)[..., K])


def _inside(distances: Values, radii: Values) -> NDArray[np.bool_]:
    """(…, n, m), (…, m) → (…, n, m): whether point i lies in the neighbourhood of centre j."""
    return np.asarray(distances <= radii[..., None, :] * (1 + TIE) + np.finfo(float).eps)


def _precision(own: Values, cross: Values, photos: Values) -> Values:
    return np.asarray(_inside(cross, _radii(photos)).any(axis=-1).mean(axis=-1))


def _recall(own: Values, cross: Values, photos: Values) -> Values:
    return np.asarray(_inside(cross.swapaxes(-1, -2), _radii(own)).any(axis=-1).mean(axis=-1))


def _density(own: Values, cross: Values, photos: Values) -> Values:
    return np.asarray(_inside(cross, _radii(photos)).sum(axis=-1).mean(axis=-1) / K)


def _coverage(own: Values, cross: Values, photos: Values) -> Values:
    return np.asarray(_inside(cross, _radii(photos)).any(axis=-2).mean(axis=-1))


precision = Related(squared_distances, _precision)
"""Share of pictures inside any photo's neighbourhood, 0–1."""

recall = Related(squared_distances, _recall)
"""Share of photos inside any picture's neighbourhood, 0–1."""

density = Related(squared_distances, _density)
"""How many photos' neighbourhoods a picture lies in, over k: 1 for a set like the photos, unbounded above."""

coverage = Related(squared_distances, _coverage)
"""Share of photos with a picture in their neighbourhood, 0–1."""
