"""CLIP-I: how alike pictures and photos are to CLIP."""

from __future__ import annotations

from boothlab.features.clip import CLIP
from boothlab.metrics.distances import cosines, over_photos
from boothlab.metrics.metric import Metric

METRIC = Metric(
    name="clip_i",
    question="How alike are the pictures and the photos, to CLIP's eyes?",
    better="higher",
    unit="cosine (CLIP ViT-L/14; drawings: toon-CLIP)",
    bounds=(-1.0, 1.0),
    needs=CLIP,
    references=("held_out", "train"),
    values=over_photos(cosines),
    pairs=cosines,
    source="Ruiz et al. 2023 (arXiv:2208.12242); Radford et al. 2021 (arXiv:2103.00020)",
    caution="Cannot tell look-alikes apart, and copying is best: read it with the memorisation test.",
    on=("context", "bare"),
    copies=1.0,
)
