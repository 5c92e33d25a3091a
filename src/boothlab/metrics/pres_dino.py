"""PRES as published, by DINO: how much pictures of the class look like the subject's photos."""

from __future__ import annotations

from boothlab.features.dino import DINO
from boothlab.metrics.distances import cosines, over_photos
from boothlab.metrics.metric import Metric

METRIC = Metric(
    name="pres_dino",
    question="How much have other people become alike to the photos, to DINO's eyes?",
    better="lower",
    unit="cosine (DINO ViT-S/16)",
    bounds=(-1.0, 1.0),
    needs=DINO,
    references=("held_out", "train"),
    values=over_photos(cosines),
    pairs=cosines,
    source="Ruiz et al. 2023 (arXiv:2208.12242)",
    caution="Only its rise above the base model's value says something.",
    on=("class",),
    copies=1.0,
)
