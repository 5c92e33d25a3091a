"""DINO: how alike pictures and photos are to DINO ViT-S/16, DreamBooth's preferred score."""

from __future__ import annotations

import numpy as np

from boothlab.features.dino import DINO
from boothlab.features.feature import Vectors
from boothlab.metrics.distances import cosines, present
from boothlab.metrics.metric import Metric, Values


def values(generated: Vectors, references: Vectors) -> Values:
    """Mean cosine to the references, raw, (n,)."""
    return np.asarray(cosines(generated, present(references)).mean(axis=1))


METRIC = Metric(
    name="dino",
    question="How alike are the pictures and the photos, to DINO's eyes?",
    better="higher",
    unit="cosine (DINO ViT-S/16)",
    bounds=(-1.0, 1.0),
    needs=DINO,
    references=("held_out", "train"),
    values=values,
    source="Ruiz et al. 2023 (arXiv:2208.12242); Caron et al. 2021 (arXiv:2104.14294)",
    caution="Falls with prior preservation, so by itself it prefers the overfitted model.",
    on=("context", "bare"),
    copies=1.0,
)
