"""The Fréchet distance on toon's CLIP, for drawings; not FID."""

from __future__ import annotations

from boothlab.features.clip import DRAWN_CLIP
from boothlab.metrics.frechet import CAUTION, frechet_distance
from boothlab.metrics.metric import SetMetric

METRIC = SetMetric(
    name="frechet_toon_clip",
    question="How far apart are the pictures and the photos as two clouds of toon-CLIP features?",
    better="lower",
    unit="Fréchet distance (toon-CLIP)",
    bounds=(0.0, float("inf")),
    needs=DRAWN_CLIP,
    references=("held_out", "train", "originals"),
    value=frechet_distance,
    minimum=2,
    source="Dowson & Landau 1982; features: boothlab 2026",
    caution=CAUTION,
    minimum_references=2,
    copies=0.0,
    shifts=True,
)
