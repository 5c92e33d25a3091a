"""Match: would the reader say that it is the person?"""

from __future__ import annotations

import numpy as np

from boothlab.features.feature import Vectors
from boothlab.features.identity import IDENTITY
from boothlab.metrics.distances import present, squared_distances
from boothlab.metrics.metric import Metric, Values


def values(generated: Vectors, references: Vectors) -> Values:
    """1 where the face is within the limit of at least half of the references, else 0; NaN without a face."""
    within = squared_distances(generated, present(references)) <= 1.0
    verdicts = (within.mean(axis=1) >= 0.5).astype(np.float64)
    return np.where(np.isnan(generated).any(axis=1), np.nan, verdicts)


METRIC = Metric(
    name="match",
    question="Would the face reader say that it is the person in the photos?",
    better="higher",
    unit="1 or 0",
    bounds=(0.0, 1.0),
    needs=IDENTITY,
    references=("held_out", "train"),
    values=values,
    source="King 2009 (dlib): L2 distance at most 0.6; toon: 0.9",
    caution="Only over pictures with a face. On class pictures a match is a leak.",
    on=("context", "bare", "class"),
    copies=1.0,
)
