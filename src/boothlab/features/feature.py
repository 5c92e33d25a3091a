"""The contract of a feature: pictures in, one vector per picture out. (Torch-free; extractors load lazily.)

Metrics work on these vectors alone, in float64 numpy, so a feature is computed once per picture and shared.
A row of NaN means that the picture holds nothing to describe, for example no face.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.floating]
"""(N, D), one row per picture."""

Pictures = Sequence[NDArray[np.uint8]]
"""(H, W, 3) sRGB each. Features without a transform of their own refuse pictures of different sizes."""


@dataclass(frozen=True, slots=True)
class Feature:
    """``extract`` maps N pictures to (N, D). ``version`` changes whenever the numbers would.

    ``missing`` returns None when the feature can be computed here, else one sentence: what is not there and how
    to get it. ``texts``, where there is one, maps N prompts to (N, D) in the same space. ``weights``, where there is
    one, names the file that a user supplied and on whose content the numbers depend besides ``version``; ``variant``,
    what else they depend on here, in a few words.
    """

    name: str
    version: str
    extract: Callable[[Pictures], Vectors]
    missing: Callable[[], str | None]
    source: str
    texts: Callable[[Sequence[str]], Vectors] | None = None
    weights: Callable[[], Path] | None = None
    variant: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class ByDomain:
    """One question, asked with the eyes that fit: a feature for photographs and one for drawings."""

    photographs: Feature
    drawings: Feature
