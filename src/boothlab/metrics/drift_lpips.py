"""Drift: how far a picture moved from the base model's at the same prompt and seed."""

from __future__ import annotations

from boothlab.features.feature import Vectors
from boothlab.features.lpips import LPIPS_ALEX
from boothlab.metrics.distances import paired_squared_distances
from boothlab.metrics.metric import Metric, Values


def values(generated: Vectors, references: Vectors) -> Values:
    """LPIPS of each picture to the base model's picture of its row, (n,)."""
    return paired_squared_distances(generated, references)


METRIC = Metric(
    name="drift_lpips",
    question="How far did the picture move from what the base model draws?",
    better="lower",
    unit="LPIPS (AlexNet, v0.1)",
    bounds=(0.0, float("inf")),
    needs=LPIPS_ALEX,
    references=("base",),
    values=values,
    source="Paired LPIPS of Zhang et al. 2018 (arXiv:1801.03924)",
    caution="On prompts without the subject nothing ought to move.",
    on=("class", "unrelated"),
    copies=0.0,
)
