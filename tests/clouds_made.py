"""Vectors for metrics of sets: the same clouds for every oracle."""

from __future__ import annotations

import numpy as np


def clouds(n: int, m: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Two seeded clouds (n, d) and (m, d) with a falling spectrum, the second narrower and shifted."""
    rng = np.random.default_rng(0)
    scale = 1 / np.arange(1, d + 1) ** 0.5
    return rng.normal(size=(n, d)) * scale, rng.normal(size=(m, d)) * scale * 0.8 + 0.05
