"""LPIPS with the VGG trunk between pictures and photos, all pairs."""

from __future__ import annotations

from boothlab.features.feature import Vectors
from boothlab.features.lpips_vgg import LPIPS_VGG
from boothlab.metrics.distances import present, squared_distances
from boothlab.metrics.metric import SetMetric


def value(generated: Vectors, references: Vectors) -> float:
    """Mean over all pairs of a picture and a photo."""
    return float(squared_distances(present(generated), present(references)).mean())


METRIC = SetMetric(
    name="lpips_vgg_cross",
    question="How far are the pictures from the photos to VGG's eyes, over all pairs?",
    better="lower",
    unit="LPIPS (VGG-16, v0.1, 128 px)",
    bounds=(0.0, float("inf")),
    needs=LPIPS_VGG,
    references=("held_out", "train", "originals"),
    value=value,
    minimum=1,
    source="Zhang et al. 2018 (arXiv:1801.03924)",
    caution="Compares layout and texture, not identity; it also falls when the pictures become alike.",
)
