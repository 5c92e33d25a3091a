"""The contract of a feature: pictures in, one vector per picture out. (Torch-free; extractors load lazily.)

Metrics work on these vectors alone, in float64 numpy, so a feature is computed once per picture and shared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.floating]
"""(N, D), one row per picture."""

Pictures = Sequence[NDArray[np.uint8]]
"""(H, W, 3) sRGB each, all of one size."""


@dataclass(frozen=True, slots=True)
class Feature:
    """``extract`` maps N pictures to (N, D). ``version`` changes whenever the numbers would.

    ``missing`` returns None when the feature can be computed here, else one sentence: what is not there and how
    to get it.
    """

    name: str
    version: str
    extract: Callable[[Pictures], Vectors]
    missing: Callable[[], str | None]
    source: str
