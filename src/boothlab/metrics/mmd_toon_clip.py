"""KID's formula on toon's CLIP, for drawings; not KID."""

from __future__ import annotations

from boothlab.features.clip import DRAWN_CLIP
from boothlab.features.feature import Vectors
from boothlab.metrics.discrepancy import KID_CAUTION, mmd_squared, polynomial_kernel
from boothlab.metrics.metric import SetMetric


def value(generated: Vectors, references: Vectors) -> float:
    """A U-statistic, times 1000; below 0 by chance where both sets are alike."""
    return 1000.0 * mmd_squared(generated, references, polynomial_kernel)


METRIC = SetMetric(
    name="mmd_toon_clip",
    question="Could the pictures and the photos come from one source, to toon-CLIP's eyes?",
    better="lower",
    unit="MMD² × 1000 (cubic kernel, toon-CLIP)",
    bounds=(-float("inf"), float("inf")),
    needs=DRAWN_CLIP,
    references=("held_out", "train", "originals"),
    value=value,
    minimum=2,
    source="Formula: arXiv:1801.01401; features: boothlab 2026",
    caution=KID_CAUTION,
    minimum_references=2,
)
