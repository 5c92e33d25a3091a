"""Share of photos within the pictures' neighbourhoods: it falls with every kind of collapse."""

from __future__ import annotations

from boothlab.features.clip import TYPICAL
from boothlab.metrics import neighbours
from boothlab.metrics.metric import SetMetric

METRIC = SetMetric(
    name="recall",
    question="How many of the photos look like some picture?",
    better="higher",
    unit="share, k = 3",
    bounds=(0.0, 1.0),
    needs=TYPICAL,
    references=("held_out", "train"),
    value=neighbours.recall,
    minimum=4,
    source="Kynkäänniemi et al. 2019 (arXiv:1904.06991)",
    caution="Copies score high; moves in steps of one photo.",
    copies=1.0,
)
