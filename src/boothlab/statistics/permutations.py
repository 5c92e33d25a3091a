"""Tests of scores that belong to whole sets (FID, KID, LPIPS-cross, Vendi): by permutation, whatever their bias.

A score is given as a function of row numbers, so that a permutation never touches the vectors themselves: take the
rows of :func:`coordinates` or of a kernel matrix computed once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boothlab.statistics.intervals import CONFIDENCE, Indices

PERMUTATIONS = 999
"""Random permutations: p is then known to ± 0.014 at 0.05, and can be 0.001 at best."""

TIE = 1e-9
"""Relative difference below which two permutations count as tied: sums in another order differ in their last bits."""


@dataclass(frozen=True, slots=True)
class Null:
    """A set score beside what it would be if pictures and photos were exchangeable.

    ``low`` and ``high`` hold 95 % of the relabelled scores, ``mean`` is their mean. ``p_upper`` is the share of
    relabelings that score as much or more (the sets differ), ``p_lower`` as much or less (for a distance: the one set
    copies the other). Both count the sets as they came, so neither is 0.
    """

    value: float
    mean: float
    low: float
    high: float
    p_upper: float
    p_lower: float
    permutations: int


@dataclass(frozen=True, slots=True)
class Swap:
    """The score of B minus that of A and its two-sided p under swaps of pairs. ``exact``: all swaps were tried."""

    difference: float
    p: float
    permutations: int
    exact: bool


def coordinates(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, D) → (N, k), k < N, with the same distances between rows and between means: D − k zeros fewer.

    For few rows of many numbers (38 × 2048). Rows are centred on their common mean and turned into the span of the
    differences, through the eigenvectors of their Gram matrix. Whatever is unchanged by shifts and rotations may be
    computed on it, such as the Fréchet distance or LPIPS; a cosine or KID's kernel may not.
    """
    centred = np.array(rows, dtype=np.float64)
    centred -= centred.mean(axis=0)
    if centred.shape[1] < len(centred):
        return centred
    values, vectors = np.linalg.eigh(centred @ centred.T)
    kept = values > values.max(initial=0.0) * 1e-13
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def two_sample_null(
    score: Callable[[Indices, Indices], float],
    n: int,
    m: int,
    random: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> Null:
    """Relabel n + m pooled rows at random and score again.

    ``score(first, second)`` takes row numbers of the pool; rows 0 … n−1 are the pictures, the rest the photos.
    Repairs the paradox that bare FID at 20 pictures prefers a collapsed set: that lies below a perfect set's FID, yet
    far above its own null (evaluation notes, section 3.4). Source: Fisher 1935; Gretton et al. 2012, section 5.
    """
    pool = np.arange(n + m, dtype=np.intp)
    value = float(score(pool[:n], pool[n:]))
    drawn = np.empty(permutations)
    for index in range(permutations):
        shuffled = random.permutation(pool)
        drawn[index] = score(shuffled[:n], shuffled[n:])
    slack = TIE * max(abs(value), float(np.abs(drawn).max()))
    low, high = np.quantile(drawn, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    return Null(
        value=value,
        mean=float(drawn.mean()),
        low=float(low),
        high=float(high),
        p_upper=float((1 + (drawn >= value - slack).sum()) / (1 + permutations)),
        p_lower=float((1 + (drawn <= value + slack).sum()) / (1 + permutations)),
        permutations=permutations,
    )


def paired_swap(
    score: Callable[[Indices], float], n: int, random: np.random.Generator, permutations: int = PERMUTATIONS
) -> Swap:
    """Does set B score otherwise than set A? Swaps A's and B's picture of a prompt and seed at random.

    ``score(rows)`` takes n row numbers of the stacked pictures: A is 0 … n−1, B is n … 2n−1, in the same order.
    p is the share of swaps with |S(B) − S(A)| as large or larger. Valid whatever the bias of S, because A and B have
    equally many pictures in every swap. Exact where 2^(n−1) ≤ ``permutations``. Raises ValueError for n = 0.
    """
    if n < 1:
        raise ValueError("there is no pair to swap")
    first = np.arange(n, dtype=np.intp)
    difference = float(score(first + n)) - float(score(first))
    exact = 2 ** (n - 1) <= permutations
    if exact:  # swapping everything only turns the sign, so half of the swaps are enough
        swaps = ((np.arange(2 ** (n - 1))[:, None] >> np.arange(n)) & 1).astype(bool)
    else:
        swaps = random.integers(0, 2, size=(permutations, n)).astype(bool)
    drawn = np.array([score(first + n * ~swap) - score(first + n * swap) for swap in swaps])
    least = abs(difference) - TIE * max(abs(difference), float(np.abs(drawn).max()))
    extreme = int((np.abs(drawn) >= least).sum())
    p = extreme / len(swaps) if exact else (1 + extreme) / (1 + len(swaps))
    return Swap(difference, min(1.0, p), len(swaps), exact)


def smallest_p(n: int, m: int) -> float:
    """The smallest p that relabeling n + m rows can give: 1 / C(n + m, n)."""
    return 1.0 / math.comb(n + m, n)
