"""How many photos' neighbourhoods a picture lies in, over k."""

from __future__ import annotations

from boothlab.features.clip import TYPICAL
from boothlab.metrics import neighbours
from boothlab.metrics.metric import SetMetric

METRIC = SetMetric(
    name="density",
    question="How densely do the pictures lie among the photos?",
    better="higher",
    unit="ratio, k = 3",
    bounds=(0.0, float("inf")),
    needs=TYPICAL,
    references=("held_out", "train"),
    value=neighbours.density,
    minimum=1,
    source="Naeem et al. 2020 (arXiv:2002.09797)",
    caution="Far above 1: pictures crowd where photos do, which is not quality.",
    minimum_references=4,
)
