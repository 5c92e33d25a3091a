"""Vendi score: how many different pictures there effectively are."""

from __future__ import annotations

import numpy as np

from boothlab.features.clip import TYPICAL
from boothlab.features.feature import Vectors
from boothlab.metrics.distances import present, unit
from boothlab.metrics.metric import SetMetric


def vendi_score(rows: Vectors) -> float:
    """(n, D) → 1…n. The cosine matrix over n has the squared singular values of the unit rows over √n."""
    shares = np.linalg.svd(unit(rows) / np.sqrt(len(rows)), compute_uv=False) ** 2
    shares = shares[shares > 1e-12] / shares.sum()
    return max(1.0, float(np.exp(-(shares * np.log(shares)).sum())))


def value(generated: Vectors, references: Vectors) -> float:
    """exp of the entropy of the eigenvalues of the cosine matrix over n."""
    return vendi_score(present(generated))


METRIC = SetMetric(
    name="vendi",
    question="How many different pictures are there, effectively?",
    better="higher",
    unit="pictures (cosine kernel)",
    bounds=(1.0, float("inf")),
    needs=TYPICAL,
    references=("none",),
    value=value,
    minimum=1,
    source="Friedman & Dieng 2023 (arXiv:2210.02410)",
    caution="Never above the number of pictures; compare it with the photos' own, and sets of one size only.",
    on=("context", "bare", "class"),
    copies=1.0,
)
