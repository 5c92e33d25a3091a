"""Share of pictures within the photos' neighbourhoods."""

from __future__ import annotations

from boothlab.features.clip import TYPICAL
from boothlab.metrics import neighbours
from boothlab.metrics.metric import SetMetric

METRIC = SetMetric(
    name="precision",
    question="How many of the pictures look like some photo?",
    better="higher",
    unit="share, k = 3",
    bounds=(0.0, 1.0),
    needs=TYPICAL,
    references=("held_out", "train"),
    value=neighbours.precision,
    minimum=1,
    source="Kynkäänniemi et al. 2019 (arXiv:1904.06991)",
    caution="1 for copies and for a collapsed set alike; moves in steps of one picture.",
    minimum_references=4,
    copies=1.0,
)
