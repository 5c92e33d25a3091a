"""CMMD, unbiased: MMD² with a Gaussian kernel on CLIP vectors."""

from __future__ import annotations

from boothlab.features.clip import CLIP
from boothlab.features.feature import Vectors
from boothlab.metrics.discrepancy import CMMD_SCALE, gaussian_kernel, mmd_squared
from boothlab.metrics.metric import SetMetric


def value(generated: Vectors, references: Vectors) -> float:
    """The U-statistic, times 1000 as published; below 0 by chance where both sets are alike."""
    return CMMD_SCALE * mmd_squared(generated, references, gaussian_kernel)


METRIC = SetMetric(
    name="cmmd",
    question="Could the pictures and the photos come from one source, to CLIP's eyes?",
    better="lower",
    unit="CMMD, unbiased (CLIP ViT-L/14 at 224 px; drawings: toon-CLIP)",
    bounds=(-float("inf"), float("inf")),
    needs=CLIP,
    references=("held_out", "train", "originals"),
    value=value,
    minimum=2,
    source="Jayasumana et al. 2024 (arXiv:2401.09603), with the U-statistic",
    caution="A distance of mean vectors, blind to diversity; published values are biased and at 336 px.",
    minimum_references=2,
)
