"""LPIPS to the nearest photo: how close the closest copy is."""

from __future__ import annotations

import numpy as np

from boothlab.features.feature import Vectors
from boothlab.features.lpips import LPIPS_ALEX
from boothlab.metrics.distances import present, squared_distances
from boothlab.metrics.metric import Metric, Values


def values(generated: Vectors, references: Vectors) -> Values:
    """For each picture the smallest LPIPS to any reference photo, (n,)."""
    return np.asarray(squared_distances(generated, present(references)).min(axis=1))


METRIC = Metric(
    name="lpips_nearest",
    question="How close does a picture come to a single photo?",
    better="neither",
    unit="LPIPS (AlexNet, v0.1)",
    bounds=(0.0, float("inf")),
    needs=LPIPS_ALEX,
    references=("held_out", "train"),
    values=values,
    source="Zhang et al. 2018 (arXiv:1801.03924)",
    caution="The nearest of many is nearer by chance: compare the references only where both have as many photos.",
    on=("context", "bare"),
    copies=0.0,
)
