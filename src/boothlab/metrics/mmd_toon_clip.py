"""KID's formula on toon's CLIP, for drawings; not KID."""

from __future__ import annotations

from boothlab.features.clip import DRAWN_CLIP
from boothlab.metrics.discrepancy import KID_CAUTION, polynomial_kernel, times_thousand
from boothlab.metrics.metric import SetMetric
from boothlab.metrics.related import Related

METRIC = SetMetric(
    name="mmd_toon_clip",
    question="Could the pictures and the photos come from one source, to toon-CLIP's eyes?",
    better="lower",
    unit="MMD² × 1000 (cubic kernel, toon-CLIP)",
    bounds=(-float("inf"), float("inf")),
    needs=DRAWN_CLIP,
    references=("held_out", "train", "originals"),
    value=Related(polynomial_kernel, times_thousand),
    minimum=2,
    source="Formula: arXiv:1801.01401; features: boothlab 2026",
    caution=KID_CAUTION,
    minimum_references=2,
)
