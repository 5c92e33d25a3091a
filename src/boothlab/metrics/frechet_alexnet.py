"""The Fréchet distance on AlexNet's last convolution: always at hand, and not FID."""

from __future__ import annotations

from boothlab.features.lpips import ALEXNET_POOLED
from boothlab.metrics.frechet import CAUTION, frechet_distance
from boothlab.metrics.metric import SetMetric

METRIC = SetMetric(
    name="frechet_alexnet",
    question="How far apart are the pictures and the photos as two clouds of AlexNet features?",
    better="lower",
    unit="Fréchet distance (AlexNet conv5, pooled, 224 px)",
    bounds=(0.0, float("inf")),
    needs=ALEXNET_POOLED,
    references=("held_out", "train", "originals"),
    value=frechet_distance,
    minimum=2,
    source="Dowson & Landau 1982; features: arXiv:1404.5997",
    caution=CAUTION,
    minimum_references=2,
    copies=0.0,
    shifts=True,
)
