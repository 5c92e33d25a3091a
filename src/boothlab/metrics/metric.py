"""The contract of a metric: named facts, and one pure function on feature vectors. (Torch-free.)

A metric is a file with one constant, and one line in ``metrics/__init__.py``. ``tests/contracts/test_metric.py``
then tests it by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from boothlab.features.feature import Feature, Vectors

Reference = Literal["held_out", "train", "none"]
"""Photos that pictures are compared with: never trained on, trained on, or none at all."""

Better = Literal["higher", "lower", "neither"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """One value per generated picture.

    ``values(G, R)`` maps (n, D) generated and (m, D) reference vectors to (n,). ``best`` is the value of a picture
    that is in the reference set. ``caution`` is printed wherever the number is.
    """

    name: str
    question: str
    better: Better
    unit: str
    bounds: tuple[float, float]
    needs: Feature
    references: tuple[Reference, ...]
    values: Callable[[Vectors, Vectors], Values]
    source: str
    caution: str = ""


@dataclass(frozen=True, slots=True)
class SetMetric:
    """One value per set of pictures. ``value(G, R)``; R is empty (0, D) for metrics without a reference.

    ``minimum`` is the smallest n for which the number exists; with fewer pictures no number is printed.
    """

    name: str
    question: str
    better: Better
    unit: str
    bounds: tuple[float, float]
    needs: Feature
    references: tuple[Reference, ...]
    value: Callable[[Vectors, Vectors], float]
    minimum: int
    source: str
    caution: str = ""


AnyMetric = Metric | SetMetric
