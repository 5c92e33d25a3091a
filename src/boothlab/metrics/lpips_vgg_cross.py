"""LPIPS with the VGG trunk between pictures and photos, all pairs."""

from __future__ import annotations

from boothlab.features.lpips_vgg import LPIPS_VGG
from boothlab.metrics.distances import over_photos, squared_distances
from boothlab.metrics.metric import Metric

METRIC = Metric(
    name="lpips_vgg_cross",
    question="How far are the pictures from the photos to VGG's eyes, over all pairs?",
    better="lower",
    unit="LPIPS (VGG-16, v0.1, 128 px)",
    bounds=(0.0, float("inf")),
    needs=LPIPS_VGG,
    references=("held_out", "train", "originals"),
    values=over_photos(squared_distances),
    pairs=squared_distances,
    source="Zhang et al. 2018 (arXiv:1801.03924)",
    caution="Compares layout and texture, not identity; it also falls when the pictures become alike.",
    copies=0.0,
)
