"""PRES by CLIP: how much pictures of the class look like the subject's photos."""

from __future__ import annotations

from boothlab.features.clip import CLIP
from boothlab.metrics.distances import cosines, over_photos
from boothlab.metrics.metric import Metric

METRIC = Metric(
    name="pres",
    question="How much have other people become alike to the photos, to CLIP's eyes?",
    better="lower",
    unit="cosine (CLIP ViT-L/14; drawings: toon-CLIP)",
    bounds=(-1.0, 1.0),
    needs=CLIP,
    references=("held_out", "train"),
    values=over_photos(cosines),
    pairs=cosines,
    source="PRES of Ruiz et al. 2023 (arXiv:2208.12242), with CLIP in place of DINO",
    caution="Only its rise above the base model's value says something.",
    on=("class",),
    copies=1.0,
)
