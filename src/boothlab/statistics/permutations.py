"""Tests of scores that belong to whole sets (FID, KID, LPIPS-cross, Vendi): by permutation, whatever their bias.

A score is given as a function of row numbers, so that a permutation never touches the vectors themselves: take the
rows of :func:`coordinates` or of a kernel matrix computed once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boothlab.statistics.intervals import CONFIDENCE, Indices

PERMUTATIONS = 999
"""Random permutations: p is then known to ± 0.014 at 0.05, and can be 0.001 at best."""

ENOUGH = 20
"""As large differences after which no more swaps are drawn: p is then known to a fifth or so of itself."""

AT_ONCE = 100
"""Swaps scored in one call."""

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
    """The score of B minus that of A and its two-sided p under swaps of pairs. ``exact``: all swaps were tried.

    ``permutations`` swaps were scored; ``smallest_p`` is the least p that the test could have given. ``spread`` is
    the SD of the swapped differences: what the difference varies by where A and B are alike.
    """

    difference: float
    p: float
    permutations: int
    exact: bool
    smallest_p: float
    spread: float


@dataclass(frozen=True, slots=True)
class Scored:
    """The pictures of A and of B at ``n`` prompts and seeds, and how a set of them is scored.

    ``score(rows)`` maps row numbers of the stacked pictures, (…, n), to scores (…): A is 0 … n−1, B is n … 2n−1, in
    the same order.
    """

    score: Callable[[Indices], NDArray[np.float64]]
    n: int


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


def paired_swap(sets: Sequence[Scored], random: np.random.Generator, permutations: int = PERMUTATIONS) -> Swap:
    """Does set B score otherwise than set A? Swaps A's and B's picture of a prompt and seed at random.

    ``sets`` are several A and B where a setting was tried under several others; the difference is then the mean over
    them, and what is swapped in one is swapped in all: snapshots of one training draw nearly the same picture from
    one noise, so that they say it once, not once each. p is the share of swaps with |S(B) − S(A)| as large or
    larger. Valid whatever the bias of S, because A and B have equally many pictures in every swap. Exact where
    2^(pairs − 1) ≤ ``permutations``; else swaps are drawn until ``ENOUGH`` were as large, and p is then ENOUGH over
    their number (Besag & Clifford 1991, Biometrika 78), or until ``permutations``. Raises ValueError where there is
    no pair.
    """
    total = max((found.n for found in sets), default=0)
    if not sets or min(found.n for found in sets) < 1:
        raise ValueError("there is no pair to swap")
    difference = float(_differences(sets, np.zeros((1, total), dtype=bool))[0])
    exact = 2 ** (total - 1) <= permutations
    if exact:  # swapping everything only turns the sign, so half of the swaps are enough
        swaps = ((np.arange(2 ** (total - 1))[:, None] >> np.arange(total)) & 1).astype(bool)
    else:
        swaps = random.integers(0, 2, size=(permutations, total)).astype(bool)
    drawn = np.empty(0)
    p = None
    for start in range(0, len(swaps), AT_ONCE):
        drawn = np.concatenate([drawn, _differences(sets, swaps[start : start + AT_ONCE])])
        least = abs(difference) - TIE * max(abs(difference), float(np.abs(drawn).max()))
        extreme = np.cumsum(np.abs(drawn) >= least)
        if not exact and extreme[-1] >= ENOUGH:
            p = ENOUGH / (int(np.searchsorted(extreme, ENOUGH)) + 1)
            break
    if p is None:
        p = int(extreme[-1]) / len(swaps) if exact else (1 + int(extreme[-1])) / (1 + len(swaps))
    smallest = 1 / len(swaps) if exact else 1 / (1 + len(swaps))
    # Swapping everything turns the sign, so the mean over all swaps is 0; that over the half tried here is not.
    spread = float(np.sqrt((drawn**2).mean())) if exact else float(drawn.std())
    return Swap(difference, min(1.0, p), len(drawn), exact, smallest, spread)


def _differences(sets: Sequence[Scored], swaps: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(P, pairs of the largest set) → (P,): S(B) − S(A), the mean over ``sets``, after each choice of swaps."""
    differences = np.zeros(len(swaps))
    for found in sets:
        part = swaps[:, : found.n]
        first = np.arange(found.n, dtype=np.intp)
        differences += found.score(first + found.n * ~part) - found.score(first + found.n * part)
    return differences / len(sets)


def smallest_p(n: int, m: int) -> float:
    """The smallest p that relabeling n + m rows can give: 1 / C(n + m, n)."""
    return 1.0 / math.comb(n + m, n)
