"""The contract of a metric: named facts, and one pure function on feature vectors. (Torch-free.)

A metric is a file with one constant, one line in ``metrics/__init__.py`` and one section in ``docs/metrics.md``.
``tests/contracts/test_metric.py`` then tests it by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from boothlab.features.faces import Domain
from boothlab.features.feature import ByDomain, Feature, Vectors

Reference = Literal["held_out", "train", "originals", "base", "prompt", "none"]
"""What pictures are compared with.

``held_out``, ``train``: photos never trained on, and trained on. ``originals``: all photos, as the source study did;
part of them was trained on. ``base``: the base model's pictures at the same prompts and seeds, row by row.
``prompt``: text vectors of the prompts with the identifier left out, row by row. ``none``: nothing.
"""

PAIRED: tuple[Reference, ...] = ("base", "prompt")
"""References whose row k belongs to picture k."""

Role = Literal["context", "bare", "class", "unrelated"]
"""Kinds of pictures: the subject in contexts; the subject alone; the class without it; neither of the two."""

Better = Literal["higher", "lower", "neither"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """One value per generated picture.

    ``values(G, R)`` maps (n, D) generated and (m, D) reference vectors to (n,), NaN where a picture has no value.
    ``on`` says which pictures it is computed on. ``copies`` is the value of a picture that is the only reference, an
    end that no other picture passes; None where there is no such end. ``caution`` is printed wherever the number is.
    ``ranks`` says that a picture is compared with the other pictures' prompts too, so that its value depends on them.
    ``pairs(G, R)``, where there is one, maps the same vectors to (n, m), one number per picture and photo, whose
    means over photos are ``values``: :func:`boothlab.metrics.distances.over_photos` makes ``values`` of it, and the
    interval of the mean draws pictures and photos again. None where photos are no sample: prompts, the base model.
    """

    name: str
    question: str
    better: Better
    unit: str
    bounds: tuple[float, float]
    needs: Feature | ByDomain
    references: tuple[Reference, ...]
    values: Callable[[Vectors, Vectors], Values]
    source: str
    caution: str = ""
    on: tuple[Role, ...] = ("context",)
    minimum_references: int = 1
    copies: float | None = None
    ranks: bool = False
    pairs: Callable[[Vectors, Vectors], Values] | None = None


@dataclass(frozen=True, slots=True)
class SetMetric:
    """One value per set of pictures. ``value(G, R)``; R is empty (0, D) for metrics without a reference.

    ``minimum`` and ``minimum_references`` are the smallest n and m for which the number exists, counted without
    rows of NaN; with fewer no number is printed. ``copies`` is the value of a set that is the reference set, for
    metrics without a reference that of n copies of one picture; None where no end of the scale is reached.
    ``shifts`` says that shifting or turning all vectors together leaves it as it is.
    """

    name: str
    question: str
    better: Better
    unit: str
    bounds: tuple[float, float]
    needs: Feature | ByDomain
    references: tuple[Reference, ...]
    value: Callable[[Vectors, Vectors], float]
    minimum: int
    source: str
    caution: str = ""
    on: tuple[Role, ...] = ("context",)
    minimum_references: int = 1
    copies: float | None = None
    shifts: bool = False


AnyMetric = Metric | SetMetric


def feature_of(metric: AnyMetric, domain: Domain) -> Feature:
    """The feature that ``metric`` works on for pictures of this kind."""
    return getattr(metric.needs, domain) if isinstance(metric.needs, ByDomain) else metric.needs
