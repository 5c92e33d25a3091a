"""Background as asked: does a picture have the background colour that its prompt names?"""

from __future__ import annotations

import numpy as np

from boothlab.features.background import BACKGROUND, PLACES, WORDS, lab
from boothlab.features.feature import Vectors
from boothlab.metrics.distances import same_rows
from boothlab.metrics.metric import Metric, Values


def values(generated: Vectors, references: Vectors) -> Values:
    """1 where most places are nearest to the asked colour, else 0; NaN where the prompt names none."""
    same_rows(generated, references)
    anchors = lab(np.array(list(WORDS.values())))
    places = generated.astype(np.float64).reshape(len(generated), len(PLACES), 3)
    asked = references.astype(np.float64).reshape(len(references), len(PLACES), 3)[:, 0]
    seen = ((places[:, :, None] - anchors) ** 2).sum(axis=3)
    wanted = ((asked[:, None] - anchors) ** 2).sum(axis=2)
    votes = (seen.argmin(axis=2) == wanted.argmin(axis=1)[:, None]).mean(axis=1)
    absent = np.isnan(generated).any(axis=1) | np.isnan(references).any(axis=1)
    return np.where(absent, np.nan, (votes >= 0.5).astype(np.float64))


METRIC = Metric(
    name="background_asked",
    question="Does the picture have the background colour that its prompt names?",
    better="higher",
    unit="1 or 0",
    bounds=(0.0, 1.0),
    needs=BACKGROUND,
    references=("prompt",),
    values=values,
    source="boothlab 2026",
    caution="By fifteen colour words; on 323 drawings with a plain background it named every one rightly.",
)
