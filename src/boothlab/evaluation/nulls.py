"""What a distance between two clouds would be if pictures and photos were exchangeable.

A Fréchet distance of 20 pictures and 18 photos is mostly bias, and the bias falls when the pictures collapse: bare
numbers prefer bad models. Relabelling the pooled pictures shows what the number means, whatever its bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from boothlab.evaluation.lots import Judged
from boothlab.evaluation.vectors import KEPT, Embedder
from boothlab.features.faces import Domain
from boothlab.metrics.distances import present
from boothlab.metrics.metric import AnyMetric, SetMetric, feature_of
from boothlab.seeds import derive
from boothlab.statistics.intervals import Indices
from boothlab.statistics.permutations import coordinates, two_sample_null

PERMUTATIONS = 499
"""Relabelings: the smallest p is 0.002."""


@dataclass(frozen=True, slots=True)
class NullRow:
    """A set score's null: mean and 95 % range of the relabelled scores; see :class:`boothlab.statistics…Null`."""

    snapshot: str
    pictures: str
    metric: str
    reference: str
    mean: float
    low: float
    high: float
    p_upper: float
    p_lower: float


def nulls(
    seen: Judged, metrics: Sequence[AnyMetric], domain: Domain, features: Path | None, seed: int = 0
) -> list[NullRow]:
    """For every distance of a set to all photos, on context pictures. Empty where its weights are missing."""
    found = []
    photos = seen.references["originals"]
    for metric in metrics:
        feature = feature_of(metric, domain)
        if not isinstance(metric, SetMetric) or "originals" not in metric.references or feature.missing() is not None:
            continue
        looking = Embedder(feature, features)
        right = present(looking.look(photos.pixels, photos.hashes)) if len(photos) else np.zeros((0, 1))
        if right.shape[1] > KEPT or len(right) < metric.minimum_references:
            continue
        for lot in seen.lots:
            left = present(looking.look(lot.pixels, lot.hashes)) if lot.role == "context" else right[:0]
            if len(left) >= metric.minimum:
                found.append(_null(metric, lot.source, lot.role, left, right, seed))
    return found


def _null(metric: SetMetric, source: str, role: str, left: np.ndarray, right: np.ndarray, seed: int) -> NullRow:
    pool = np.concatenate([left, right])
    rows = coordinates(pool) if metric.shifts else pool

    def score(first: Indices, second: Indices) -> float:
        return metric.value(rows[first], rows[second])

    random = np.random.default_rng(derive(seed, "statistics", "null", metric.name, source))
    null = two_sample_null(score, len(left), len(right), random, PERMUTATIONS)
    return NullRow(source, role, metric.name, "originals", null.mean, null.low, null.high, null.p_upper, null.p_lower)
