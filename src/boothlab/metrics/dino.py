"""DINO: how alike pictures and photos are to DINO ViT-S/16, DreamBooth's preferred score."""

from __future__ import annotations

from boothlab.features.dino import DINO
from boothlab.metrics.distances import cosines, over_photos
from boothlab.metrics.metric import Metric

METRIC = Metric(
    name="dino",
    question="How alike are the pictures and the photos, to DINO's eyes?",
    better="higher",
    unit="cosine (DINO ViT-S/16)",
    bounds=(-1.0, 1.0),
    needs=DINO,
    references=("held_out", "train"),
    values=over_photos(cosines),
    pairs=cosines,
    source="Ruiz et al. 2023 (arXiv:2208.12242); Caron et al. 2021 (arXiv:2104.14294)",
    caution="Falls with prior preservation, so by itself it prefers the overfitted model.",
    on=("context", "bare"),
    copies=1.0,
)
