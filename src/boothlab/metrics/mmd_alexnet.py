"""KID's formula on AlexNet's last convolution: always at hand, and not KID."""

from __future__ import annotations

from boothlab.features.lpips import ALEXNET_POOLED
from boothlab.metrics.discrepancy import KID_CAUTION, polynomial_kernel, times_thousand
from boothlab.metrics.metric import SetMetric
from boothlab.metrics.related import Related

METRIC = SetMetric(
    name="mmd_alexnet",
    question="Could the pictures and the photos come from one source, to AlexNet's eyes?",
    better="lower",
    unit="MMD² × 1000 (cubic kernel, AlexNet conv5, pooled, 224 px)",
    bounds=(-float("inf"), float("inf")),
    needs=ALEXNET_POOLED,
    references=("held_out", "train", "originals"),
    value=Related(polynomial_kernel, times_thousand),
    minimum=2,
    source="Formula: arXiv:1801.01401; features: arXiv:1404.5997",
    caution=KID_CAUTION,
    minimum_references=2,
)
