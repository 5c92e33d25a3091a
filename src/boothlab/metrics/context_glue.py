"""Context glue: does a bare picture have the background that most training photos have?"""

from __future__ import annotations

import numpy as np

from boothlab.features.background import BACKGROUND, PLACES
from boothlab.features.feature import Vectors
from boothlab.metrics.distances import present
from boothlab.metrics.metric import Metric, Values

SAME = 18.0
"""Distance up to which two backgrounds are the same one. On 480 drawings: 3.5 % of equal backgrounds are farther
apart, 0.8 % of different ones nearer."""


def background_distances(left: Vectors, right: Vectors) -> Values:
    """(n, 24), (m, 24) → (n, m): mean colour distance over the places, of a picture or its mirror image."""
    a, b = (rows.astype(np.float64).reshape(len(rows), 1, len(PLACES), 3) for rows in (left, right))
    half = len(PLACES) // 2
    mirrored = np.concatenate([b[:, :, half:], b[:, :, :half]], axis=2)
    ways = [np.sqrt(((a - side.transpose(1, 0, 2, 3)) ** 2).sum(axis=3)).mean(axis=2) for side in (b, mirrored)]
    return np.asarray(np.minimum(*ways))


def most_common(photos: Vectors) -> tuple[int, float]:
    """The photo whose background most photos share, and their share; among equals the one nearest to the others."""
    distances = background_distances(photos, photos)
    shared = (distances <= SAME).mean(axis=1)
    ranked = sorted(range(len(photos)), key=lambda k: (-shared[k], distances[k].sum()))
    return ranked[0], float(shared[ranked[0]])


def values(generated: Vectors, references: Vectors) -> Values:
    """1 where the picture's background is that of the photos' largest group, else 0; NaN where there is none."""
    photos = present(references)
    typical, _ = most_common(photos)
    has = background_distances(generated, photos[typical : typical + 1])[:, 0] <= SAME
    return np.where(np.isnan(generated).any(axis=1), np.nan, has.astype(np.float64))


METRIC = Metric(
    name="context_glue",
    question="Does a picture that was asked for no background have the photos' most common one?",
    better="lower",
    unit="1 or 0",
    bounds=(0.0, 1.0),
    needs=BACKGROUND,
    references=("train",),
    values=values,
    source="boothlab 2026",
    caution="Read it beside the share of the training photos that have this background.",
    on=("bare",),
    copies=1.0,
)
