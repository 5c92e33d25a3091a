"""Scores of sets that depend on nothing but how two rows at a time relate: distances, products, kernels.

So a permutation test computes the relations once and then only picks rows and columns, and scores thousands of sets
in one call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boothlab.features.feature import Vectors
from boothlab.metrics.distances import present
from boothlab.metrics.metric import Values

CHUNK = 500_000
"""Relations picked at once: 4 MB."""


@dataclass(frozen=True, slots=True)
class Related:
    """The ``value`` of a :class:`boothlab.metrics.metric.SetMetric` that is made of relations between rows.

    ``between(left, right)`` maps (n, D) and (m, D) to (n, m). ``score(own, cross, photos)`` maps the relations among
    n pictures (…, n, n), of these to m photos (…, n, m), and among photos (m, m) to one number per set (…). Without
    references m is 0. ``centred`` first shifts all rows by the photos' mean: for scores that shifts leave as they
    are, it keeps digits.
    """

    between: Callable[[Vectors, Vectors], Values]
    score: Callable[[Values, Values, Values], Values]
    centred: bool = False

    def __call__(self, generated: Vectors, references: Vectors) -> float:
        """Of two sets of vectors, (n, D) and (m, D). Rows of NaN are left out."""
        rows = present(generated)
        return float(self.of_pool(rows, references)(np.arange(len(rows))))

    def of_pool(self, pool: Vectors, references: Vectors) -> Callable[[NDArray[np.intp]], Values]:
        """Row numbers of ``pool``, (…, n) → scores (…) of the sets that they pick. No row of ``pool`` may be NaN."""
        photos = present(references)
        pool, photos = self.shifted(pool, photos), self.shifted(photos, photos)
        return self.of_relations(self.between(pool, pool), self.between(pool, photos), self.between(photos, photos))

    def shifted(self, rows: Vectors, photos: Vectors) -> Vectors:
        """``rows`` as they are to be related, where they are compared with ``photos``, of which no row may be NaN."""
        return rows - photos.astype(np.float64).mean(axis=0) if self.centred else rows

    def of_relations(self, own: Values, cross: Values, among: Values) -> Callable[[NDArray[np.intp]], Values]:
        """As :func:`of_pool`, from the relations in the pool, of the pool to photos, and among photos."""

        def scores(picked: NDArray[np.intp]) -> Values:
            sets = picked.reshape(-1, picked.shape[-1])
            step = max(1, CHUNK // max(1, sets.shape[1] ** 2))
            found = [
                self.score(own[part[:, :, None], part[:, None, :]], cross[part], among)
                for part in np.split(sets, range(step, len(sets), step))
            ]
            return np.concatenate(found).reshape(picked.shape[:-1])

        return scores


def mean_pair(own: Values) -> Values:
    """(…, n, n) → (…): mean over pairs of different rows, which a U-statistic is. Raises ValueError for n < 2."""
    n = own.shape[-1]
    if n < 2:
        raise ValueError(f"there is no pair of different pictures among {n}")
    return np.asarray((own.sum(axis=(-2, -1)) - np.trace(own, axis1=-2, axis2=-1)) / (n * (n - 1)))
