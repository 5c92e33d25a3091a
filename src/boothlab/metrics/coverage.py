"""Share of photos with a picture in their neighbourhood."""

from __future__ import annotations

from boothlab.features.clip import TYPICAL
from boothlab.metrics import neighbours
from boothlab.metrics.metric import SetMetric

METRIC = SetMetric(
    name="coverage",
    question="How many of the photos have a picture near them?",
    better="higher",
    unit="share, k = 3",
    bounds=(0.0, 1.0),
    needs=TYPICAL,
    references=("held_out", "train"),
    value=neighbours.coverage,
    minimum=1,
    source="Naeem et al. 2020 (arXiv:2002.09797)",
    caution="Does not see copying; moves in steps of one photo.",
    minimum_references=4,
    copies=1.0,
)
