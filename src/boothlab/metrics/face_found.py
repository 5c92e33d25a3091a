"""Face found: is there a face at all?"""

from __future__ import annotations

import numpy as np

from boothlab.features.feature import Vectors
from boothlab.features.identity import IDENTITY
from boothlab.metrics.metric import Metric, Values


def values(generated: Vectors, references: Vectors) -> Values:
    """1 where a face was found, else 0, (n,)."""
    return np.asarray(~np.isnan(generated).any(axis=1), dtype=np.float64)


METRIC = Metric(
    name="face_found",
    question="Does the picture show a face that the reader finds?",
    better="higher",
    unit="1 or 0",
    bounds=(0.0, 1.0),
    needs=IDENTITY,
    references=("none",),
    values=values,
    source="FDFR of Le et al. 2023 (arXiv:2303.15433), counted the other way round",
    caution="0 in photographs: no face that MTCNN saw, or that HOG saw and MTCNN's last network confirmed; in "
    "drawings: none that toon's detector saw.",
    on=("context", "bare", "class"),
)
