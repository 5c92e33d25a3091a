"""Vendi score: how many different pictures there effectively are."""

from __future__ import annotations

import numpy as np

from boothlab.features.clip import TYPICAL
from boothlab.features.feature import Vectors
from boothlab.metrics.distances import cosines
from boothlab.metrics.metric import SetMetric, Values
from boothlab.metrics.related import Related


def _of_cosines(own: Values, cross: Values, photos: Values) -> Values:
    """(…, n, n) → 1…n: exp of the entropy of the eigenvalues of the cosine matrix over n."""
    shares = np.linalg.eigvalsh(own / own.shape[-1])
    shares = np.where(shares > 1e-12, shares, 0.0)
    shares = shares / shares.sum(axis=-1, keepdims=True)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=-1)
    return np.asarray(np.maximum(1.0, np.exp(entropy)))


VENDI = Related(cosines, _of_cosines)


def vendi_score(rows: Vectors) -> float:
    """(n, D) → 1…n."""
    return VENDI(rows, rows[:0])


METRIC = SetMetric(
    name="vendi",
    question="How many different pictures are there, effectively?",
    better="higher",
    unit="pictures (cosine kernel)",
    bounds=(1.0, float("inf")),
    needs=TYPICAL,
    references=("none",),
    value=VENDI,
    minimum=1,
    source="Friedman & Dieng 2023 (arXiv:2210.02410)",
    caution="Never above the number of pictures; compare it with the photos' own, and sets of one size only.",
    on=("context", "bare", "class"),
    copies=1.0,
)
