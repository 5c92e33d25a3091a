"""KID: MMD² with a cubic kernel on FID's Inception features, unbiased, over all pictures at once."""

from __future__ import annotations

from boothlab.features.inception import INCEPTION
from boothlab.metrics.discrepancy import KID_CAUTION, polynomial_kernel, times_thousand
from boothlab.metrics.metric import SetMetric
from boothlab.metrics.related import Related

METRIC = SetMetric(
    name="kid",
    question="Could the pictures and the photos come from one source, to Inception's eyes?",
    better="lower",
    unit="KID × 1000 (Inception-v3 2015, clean resize)",
    bounds=(-float("inf"), float("inf")),
    needs=INCEPTION,
    references=("held_out", "train", "originals"),
    value=Related(polynomial_kernel, times_thousand),
    minimum=2,
    source="Bińkowski et al. 2018 (arXiv:1801.01401)",
    caution=KID_CAUTION,
    minimum_references=2,
)
