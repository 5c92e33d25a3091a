"""KID's formula on AlexNet's last convolution: always at hand, and not KID."""

from __future__ import annotations

from boothlab.features.feature import Vectors
from boothlab.features.lpips import ALEXNET_POOLED
from boothlab.metrics.discrepancy import KID_CAUTION, mmd_squared, polynomial_kernel
from boothlab.metrics.metric import SetMetric


def value(generated: Vectors, references: Vectors) -> float:
    """A U-statistic, times 1000; below 0 by chance where both sets are alike."""
    return 1000.0 * mmd_squared(generated, references, polynomial_kernel)


METRIC = SetMetric(
    name="mmd_alexnet",
    question="Could the pictures and the photos come from one source, to AlexNet's eyes?",
    better="lower",
    unit="MMD² × 1000 (cubic kernel, AlexNet conv5, pooled, 224 px)",
    bounds=(-float("inf"), float("inf")),
    needs=ALEXNET_POOLED,
    references=("held_out", "train", "originals"),
    value=value,
    minimum=2,
    source="Formula: arXiv:1801.01401; features: arXiv:1404.5997",
    caution=KID_CAUTION,
    minimum_references=2,
)
