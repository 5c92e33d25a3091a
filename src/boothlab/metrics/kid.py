"""KID: MMD² with a cubic kernel on FID's Inception features, unbiased, over all pictures at once."""

from __future__ import annotations

from boothlab.features.feature import Vectors
from boothlab.features.inception import INCEPTION
from boothlab.metrics.discrepancy import KID_CAUTION, mmd_squared, polynomial_kernel
from boothlab.metrics.metric import SetMetric


def value(generated: Vectors, references: Vectors) -> float:
    """A U-statistic, times 1000; below 0 by chance where both sets are alike."""
    return 1000.0 * mmd_squared(generated, references, polynomial_kernel)


METRIC = SetMetric(
    name="kid",
    question="Could the pictures and the photos come from one source, to Inception's eyes?",
    better="lower",
    unit="KID × 1000 (Inception-v3 2015, clean resize)",
    bounds=(-float("inf"), float("inf")),
    needs=INCEPTION,
    references=("held_out", "train", "originals"),
    value=value,
    minimum=2,
    source="Bińkowski et al. 2018 (arXiv:1801.01401)",
    caution=KID_CAUTION,
    minimum_references=2,
)
