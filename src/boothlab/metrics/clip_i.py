"""CLIP-I: how alike pictures and photos are to CLIP."""

from __future__ import annotations

import numpy as np

from boothlab.features.clip import CLIP
from boothlab.features.feature import Vectors
from boothlab.metrics.distances import cosines, present
from boothlab.metrics.metric import Metric, Values


def values(generated: Vectors, references: Vectors) -> Values:
    """Mean cosine to the references, raw, (n,)."""
    return np.asarray(cosines(generated, present(references)).mean(axis=1))


METRIC = Metric(
    name="clip_i",
    question="How alike are the pictures and the photos, to CLIP's eyes?",
    better="higher",
    unit="cosine (CLIP ViT-L/14; drawings: toon-CLIP)",
    bounds=(-1.0, 1.0),
    needs=CLIP,
    references=("held_out", "train"),
    values=values,
    source="Ruiz et al. 2023 (arXiv:2208.12242); Radford et al. 2021 (arXiv:2103.00020)",
    caution="Cannot tell look-alikes apart, and copying is best: read it with the memorisation test.",
    on=("context", "bare"),
    copies=1.0,
)
