"""LPIPS between generated pictures and photos, all pairs: the number that the source study printed."""

from __future__ import annotations

import numpy as np

from boothlab.features.feature import Vectors
from boothlab.features.lpips import LPIPS_ALEX
from boothlab.metrics.distances import present, squared_distances
from boothlab.metrics.metric import Metric, Values


def values(generated: Vectors, references: Vectors) -> Values:
    """For each picture the mean LPIPS to all reference photos, (n,)."""
    return np.asarray(squared_distances(generated, present(references)).mean(axis=1))


METRIC = Metric(
    name="lpips_cross",
    question="How far are the pictures from the photos, on average over all pairs?",
    better="lower",
    unit="LPIPS (AlexNet, v0.1)",
    bounds=(0.0, float("inf")),
    needs=LPIPS_ALEX,
    references=("held_out", "train", "originals"),
    values=values,
    source="Zhang et al. 2018 (arXiv:1801.03924)",
    caution="Compares layout and texture, not identity; it also falls when the pictures become alike.",
    copies=0.0,
)
