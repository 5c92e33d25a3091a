"""LPIPS between the middles of the two sets: cross-LPIPS without what the spread of either adds."""

from __future__ import annotations

import numpy as np

from boothlab.features.feature import Vectors
from boothlab.features.lpips import LPIPS_ALEX
from boothlab.metrics.distances import present, squared_distances
from boothlab.metrics.metric import SetMetric


def _mean_pair(rows: Vectors) -> float:
    """Mean over pairs of different rows."""
    return float(squared_distances(rows, rows)[np.triu_indices(len(rows), k=1)].mean())


def _spread_free(generated: Vectors, references: Vectors) -> float:
    cross = float(squared_distances(generated, references).mean())
    return cross - 0.5 * _mean_pair(generated) - 0.5 * _mean_pair(references)


def value(generated: Vectors, references: Vectors) -> float:
    """cross − ½ intra of the pictures − ½ intra of the photos = ‖E φ(g) − E φ(r)‖², unbiased."""
    return _spread_free(present(generated), present(references))


METRIC = SetMetric(
    name="lpips_debiased",
    question="How far are the pictures from the photos, apart from how varied either are?",
    better="lower",
    unit="LPIPS (AlexNet, v0.1)",
    bounds=(-float("inf"), float("inf")),
    needs=LPIPS_ALEX,
    references=("held_out", "train", "originals"),
    value=value,
    minimum=2,
    source="Follows from Zhang et al. 2018 (arXiv:1801.03924), as LPIPS is a squared distance",
    caution="Blind to collapse: read it with lpips_intra. Slightly below 0 by chance where the sets are alike.",
    minimum_references=2,
)
