"""FID: the Fréchet distance on FID's own Inception features. Nothing else in this house is called FID."""

from __future__ import annotations

from boothlab.features.inception import INCEPTION
from boothlab.metrics.frechet import CAUTION, frechet_distance
from boothlab.metrics.metric import SetMetric

METRIC = SetMetric(
    name="fid",
    question="How far apart are the pictures and the photos as two clouds of Inception features?",
    better="lower",
    unit="FID (Inception-v3 2015, clean resize)",
    bounds=(0.0, float("inf")),
    needs=INCEPTION,
    references=("held_out", "train", "originals"),
    value=frechet_distance,
    minimum=2,
    source="Heusel et al. 2017 (arXiv:1706.08500); resize of arXiv:2104.11222",
    caution=CAUTION,
    minimum_references=2,
    copies=0.0,
    shifts=True,
)
