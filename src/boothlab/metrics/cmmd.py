"""CMMD, unbiased: MMD² with a Gaussian kernel on CLIP vectors."""

from __future__ import annotations

from boothlab.features.clip import CLIP
from boothlab.metrics.discrepancy import gaussian_kernel, times_thousand
from boothlab.metrics.metric import SetMetric
from boothlab.metrics.related import Related

METRIC = SetMetric(
    name="cmmd",
    question="Could the pictures and the photos come from one source, to CLIP's eyes?",
    better="lower",
    unit="CMMD, unbiased (CLIP ViT-L/14 at 224 px; drawings: toon-CLIP)",
    bounds=(-float("inf"), float("inf")),
    needs=CLIP,
    references=("held_out", "train", "originals"),
    value=Related(gaussian_kernel, times_thousand),
    minimum=2,
    source="Jayasumana et al. 2024 (arXiv:2401.09603), with the U-statistic",
    caution="A distance of mean vectors, blind to variety; published values are biased and at 336 px.",
    minimum_references=2,
)
