"""LPIPS between generated pictures and photos, all pairs: the number that the source study printed."""

from __future__ import annotations

from boothlab.features.lpips import LPIPS_ALEX
from boothlab.metrics.distances import over_photos, squared_distances
from boothlab.metrics.metric import Metric

METRIC = Metric(
    name="lpips_cross",
    question="How far are the pictures from the photos, on average over all pairs?",
    better="lower",
    unit="LPIPS (AlexNet, v0.1)",
    bounds=(0.0, float("inf")),
    needs=LPIPS_ALEX,
    references=("held_out", "train", "originals"),
    values=over_photos(squared_distances),
    pairs=squared_distances,
    source="Zhang et al. 2018 (arXiv:1801.03924)",
    caution="Compares layout and texture, not identity; it also falls when the pictures become alike.",
    copies=0.0,
)
