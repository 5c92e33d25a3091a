"""CLIP-T: does a picture show what its prompt says?"""

from __future__ import annotations

from boothlab.features.clip import CLIP
from boothlab.features.feature import Vectors
from boothlab.metrics.distances import paired_cosines
from boothlab.metrics.metric import Metric, Values


def values(generated: Vectors, references: Vectors) -> Values:
    """Cosine of each picture with its own prompt, raw, (n,)."""
    return paired_cosines(generated, references)


METRIC = Metric(
    name="clip_t",
    question="Does the picture show what its prompt says?",
    better="higher",
    unit="cosine (CLIP ViT-L/14; drawings: toon-CLIP)",
    bounds=(-1.0, 1.0),
    needs=CLIP,
    references=("prompt",),
    values=values,
    source="Ruiz et al. 2023 (arXiv:2208.12242); × 100 is torchmetrics' CLIPScore",
    caution="The prompt is read with the class in place of the identifier, which CLIP cannot know.",
    on=("context", "bare", "class", "unrelated"),
)
