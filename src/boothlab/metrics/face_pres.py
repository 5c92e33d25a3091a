"""Face-PRES: how much the faces of other people have become the subject's."""

from __future__ import annotations

from boothlab.features.identity import IDENTITY
from boothlab.metrics.distances import over_photos
from boothlab.metrics.identity import similarities
from boothlab.metrics.metric import Metric

METRIC = Metric(
    name="face_pres",
    question="How much have the faces of other people become this person's?",
    better="lower",
    unit="similarity (1: same face; 0.5: the reader's limit)",
    bounds=(0.0, 1.0),
    needs=IDENTITY,
    references=("held_out", "train"),
    values=over_photos(similarities),
    pairs=similarities,
    source="PRES of Ruiz et al. 2023 (arXiv:2208.12242), on faces",
    caution="Only its rise above the base model's value says something.",
    on=("class",),
    copies=1.0,
)
