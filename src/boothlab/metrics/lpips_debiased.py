"""LPIPS between the middles of the two sets: cross-LPIPS without what the spread of either adds."""

from __future__ import annotations

import numpy as np

from boothlab.features.lpips import LPIPS_ALEX
from boothlab.metrics.distances import squared_distances
from boothlab.metrics.metric import SetMetric, Values
from boothlab.metrics.related import Related, mean_pair


def _spread_free(own: Values, cross: Values, photos: Values) -> Values:
    """cross − ½ intra of the pictures − ½ intra of the photos = ‖E φ(g) − E φ(r)‖², unbiased."""
    return np.asarray(cross.mean(axis=(-2, -1)) - 0.5 * mean_pair(own) - 0.5 * mean_pair(photos))


METRIC = SetMetric(
    name="lpips_debiased",
    question="How far are the pictures from the photos, apart from how varied either are?",
    better="lower",
    unit="LPIPS (AlexNet, v0.1)",
    bounds=(-float("inf"), float("inf")),
    needs=LPIPS_ALEX,
    references=("held_out", "train", "originals"),
    value=Related(squared_distances, _spread_free),
    minimum=2,
    source="Follows from Zhang et al. 2018 (arXiv:1801.03924), as LPIPS is a squared distance",
    caution="Blind to collapse: read it with lpips_intra. Slightly below 0 by chance where the sets are alike.",
    minimum_references=2,
)
