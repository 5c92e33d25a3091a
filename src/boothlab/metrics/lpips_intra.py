"""LPIPS among the generated pictures: diversity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boothlab.features.feature import Vectors
from boothlab.features.lpips import LPIPS_ALEX
from boothlab.metrics.distances import squared_distances
from boothlab.metrics.metric import SetMetric, Values
from boothlab.metrics.related import Related, mean_pair


def _among(own: Values, cross: Values, photos: Values) -> Values:
    """Mean LPIPS over all pairs of different pictures."""
    return mean_pair(own)


def intra_within(generated: Vectors, groups: Sequence[str]) -> float:
    """DIV of DreamBooth: mean LPIPS over pairs of pictures of one group, here of one prompt; NaN without a pair."""
    labels = np.asarray(groups)
    left, right = np.triu_indices(len(generated), k=1)
    together = labels[left] == labels[right]
    if not together.any():
        return float("nan")
    return float(squared_distances(generated, generated)[left, right][together].mean())


METRIC = SetMetric(
    name="lpips_intra",
    question="How different are the pictures from each other?",
    better="higher",
    unit="LPIPS (AlexNet, v0.1)",
    bounds=(0.0, float("inf")),
    needs=LPIPS_ALEX,
    references=("none",),
    value=Related(squared_distances, _among),
    minimum=2,
    source="Zhang et al. 2018 (arXiv:1801.03924); DIV of Ruiz et al. 2023 without its grouping by prompt",
    caution="Over all prompts: different prompts make different pictures.",
    on=("context", "bare", "class"),
    copies=0.0,
)
