"""Identity: is it the person?"""

from __future__ import annotations

import numpy as np

from boothlab.features.feature import Vectors
from boothlab.features.identity import IDENTITY
from boothlab.metrics.distances import over_photos, squared_distances
from boothlab.metrics.metric import Metric, Values


def similarities(left: Vectors, right: Vectors) -> Values:
    """(n, D), (m, D) identities in units of the reader's limit → (n, m) of 2^(−d²), in 0–1; NaN where a face lacks.

    It falls with the L2 distance d alone: 1 at the same face, ½ where the reader stops saying "one person". dlib:
    two photos of a person, at 0.2–0.3 of 0.6, have 0.84–0.93; strangers, at 0.63–0.90, 0.21–0.47.
    """
    return np.asarray(np.exp2(-squared_distances(left, right)))


METRIC = Metric(
    name="identity",
    question="Is it the same person as in the photos?",
    better="higher",
    unit="similarity (1: same face; 0.5: the reader's limit)",
    bounds=(0.0, 1.0),
    needs=IDENTITY,
    references=("held_out", "train"),
    values=over_photos(similarities),
    pairs=similarities,
    source="King 2009 (dlib); L2 distance as in dlib's own verification, 2017",
    caution="Only over pictures with a face: read it beside face_found.",
    on=("context", "bare"),
    copies=1.0,
)
