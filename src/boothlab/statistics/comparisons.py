"""Is one better than the other? Paired comparisons, Holm's correction, and what could have been seen at all."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from boothlab.statistics.intervals import LAST_BITS, cluster_interval, cluster_spread, clusters_of, settled

LEVEL = 0.05
"""Two-sided level of tests, before Holm."""

POWER = 0.8
"""Chance of seeing a difference of the size that is called detectable."""

PERMUTATIONS = 9_999
"""Random sign flips where not all are tried."""

QUANTILES = 4_000
"""Points at which the distribution of the SD is taken; the effect is then right to four digits."""

ENUMERATED = 14
"""Up to so many pairs all 2^n sign flips are tried (16,384)."""


@dataclass(frozen=True, slots=True)
class Paired:
    """B against A at the same prompts and seeds; differences are B − A, in the unit of the scores.

    ``n`` pairs are of ``units`` prompts, or each is a unit of its own. ``p`` is two-sided, by sign flips of units
    (``exact``: all of them); it cannot be below ``smallest_p``. ``improvement`` is P(B > A) + ½·P(B = A) over pairs,
    in [0, 1]. ``detectable`` is the smallest true difference that as many units with this spread show with 80 %
    power. ``low``, ``high`` and ``detectable`` are None for fewer than two units. ``dropped`` pairs had no value on
    one side.
    """

    n: int
    units: int
    dropped: int
    difference: float
    low: float | None
    high: float | None
    p: float
    exact: bool
    smallest_p: float
    improvement: float
    detectable: float | None


def compare_paired(
    a: ArrayLike,
    b: ArrayLike,
    random: np.random.Generator,
    comparisons: int = 1,
    prompts: Sequence[Hashable] = (),
) -> Paired:
    """Scores (n,) of A and B, row by row from the same prompt and initial noise.

    ``prompts`` (n,) names the prompt of each row. B may be better on one prompt and worse on another, so that both
    pictures of a prompt differ alike; where prompts have several pictures, prompts are therefore the units of
    interval and test (:func:`boothlab.statistics.intervals.clusters_of`).
    ``comparisons`` is how many tests the claim is one of; it makes ``detectable`` larger (.05/m), not ``p``: adjust p
    with :func:`holm`. Mean with t interval, sign-flip test of a difference that is symmetric about 0 under the null.
    Raises ValueError when lengths differ or no pair has both values. Sources: Fisher 1935 (sign flips); Agarwal et
    al. 2021 (rliable: probability of improvement).
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"scores of shapes {first.shape} and {second.shape} cannot be paired")
    difference, clusters = paired_differences(first, second, prompts)
    n = len(difference)
    if n == 0:
        raise ValueError("no pair has a score on both sides")
    mean = cluster_interval(difference, clusters)
    sums = _sums(difference, clusters)
    p, exact = _sign_flip(sums, random)
    # A unit without a difference is the same either way round, so only the others make p small.
    least = min(1.0, 2.0 ** (1 - int(np.count_nonzero(sums))))
    return Paired(
        n=n,
        units=mean.n,
        dropped=len(first) - n,
        difference=mean.value,
        low=mean.low,
        high=mean.high,
        p=p,
        exact=exact,
        smallest_p=least if exact else max(least, 1 / (1 + PERMUTATIONS)),
        improvement=float((difference > 0).mean() + 0.5 * (difference == 0).mean()),
        detectable=detectable(difference, clusters, comparisons),
    )


def differences(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """b − a (n,), 0 where the two differ in their last bits alone, as sums in another order do.

    NaN where either is; infinite scores have no part in what the last bits are.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    both = np.stack([first, second])
    return settled(second - first, both[:, np.isfinite(both).all(axis=0)])


def rise(values: ArrayLike) -> float:
    """By how much the least-squares line through values (k,) at even steps rises from the first to the last.

    Raises ValueError for fewer than two.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or len(found) < 2:
        raise ValueError(f"no line goes through values of shape {found.shape}")
    steps = np.arange(len(found)) - (len(found) - 1) / 2
    return float(settled((len(found) - 1) * (steps @ found) / (steps @ steps), found))


def paired_differences(
    a: NDArray[np.float64], b: NDArray[np.float64], prompts: Sequence[Hashable] = ()
) -> tuple[NDArray[np.float64], list[Hashable]]:
    """:func:`differences` without rows that lack either, and their clusters; ``prompts`` is of all rows."""
    difference = differences(a, b)
    kept = ~np.isnan(difference)
    # Of all rows: where those of one prompt alone are left, they are one unit still.
    clusters = clusters_of(prompts, len(difference))
    return difference[kept], [name for name, there in zip(clusters, kept.tolist(), strict=True) if there]


def detectable(difference: NDArray[np.float64], clusters: Sequence[Hashable], comparisons: int = 1) -> float | None:
    """The smallest true mean difference that as many clusters, which vary as these do, show with 80 % power.

    None for fewer than two clusters.
    """
    spread = cluster_spread(difference, clusters)
    if spread is None:
        return None
    count = len(set(clusters))
    return minimum_detectable(count, comparisons) * float(np.sqrt(spread.variance * count))


def _sums(values: NDArray[np.float64], clusters: Sequence[Hashable]) -> NDArray[np.float64]:
    """(n,) → (c,): the sum over each cluster."""
    sums: dict[Hashable, float] = {}
    for value, cluster in zip(values.tolist(), clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value
    return settled(list(sums.values()), values)


def _sign_flip(difference: NDArray[np.float64], random: np.random.Generator) -> tuple[float, bool]:
    """Two-sided p of the sum of (c,) units; the data as they came are one of the flips, so p is never 0."""
    n = len(difference)
    observed = abs(float(difference.sum()))
    # Sums of the same numbers in another order differ in their last bits; they are ties all the same.
    least = observed - LAST_BITS * float(np.abs(difference).sum())
    if n <= ENUMERATED:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        return float((np.abs((1.0 - 2.0 * bits) @ difference) >= least).mean()), True
    signs = random.integers(0, 2, size=(PERMUTATIONS, n)) * 2.0 - 1.0
    extreme = int((np.abs(signs @ difference) >= least).sum())
    return (1 + extreme) / (1 + PERMUTATIONS), False


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p values in the order given: max over j ≤ i of (m − j + 1)·p₍ⱼ₎, at most 1. Source: Holm 1979.

    For claims *between* runs. Never for a gate: a gate asks about one run, and with five training and three held-out
    photos the smallest p is 1/56.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    largest = 0.0
    for rank, index in enumerate(order.tolist()):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = largest
    return [float(value) for value in adjusted]


def least_holm(p: Sequence[float], least: Sequence[float | None]) -> list[float | None]:
    """What each of :func:`holm`'s p could have been at the least: its own p at ``least``, the others as they are.

    None where nothing bounds a p. Never above Holm's p where ``least`` is not above p.
    """
    ordered = np.sort(np.asarray(p, float))
    steps = np.minimum(1.0, (len(p) - np.arange(len(p))) * ordered)
    before = np.concatenate([[0.0], np.maximum.accumulate(steps)])

    def at(own: float) -> float:
        rank = int(np.searchsorted(ordered, own, side="left"))
        return max(float(before[rank]), min(1.0, (len(p) - rank) * own))

    return [None if own is None else at(own) for own in least]


@functools.cache
def minimum_detectable(n: int, comparisons: int = 1, power: float = POWER, level: float = LEVEL) -> float:
    """Smallest true mean difference that ``n`` pairs show with ``power``, in SDs of the difference.

    Paired t test, two-sided at ``level`` / ``comparisons``, by the noncentral t distribution. Twenty pairs: 0.66;
    one of ten comparisons: 0.91. Raises ValueError for fewer than two pairs. Source: Cohen 1988, section 2.
    """
    if n < 2:
        raise ValueError("fewer than two pairs can show no difference at all")
    limit = float(stats.t.isf(level / comparisons / 2, n - 1))
    # The noncentral t's tails are NaN in scipy for large shifts; so they are averaged over the SD's distribution.
    sd = np.sqrt(stats.chi2.ppf((np.arange(QUANTILES) + 0.5) / QUANTILES, n - 1) / (n - 1))

    def lacking(shift: float) -> float:
        return power - float((stats.norm.sf(limit * sd - shift) + stats.norm.cdf(-limit * sd - shift)).mean())

    shift = optimize.brentq(lacking, 0.0, limit * float(sd.max()) + 10.0, xtol=1e-9)
    return float(shift / np.sqrt(n))


def sentence(
    found: Paired,
    names: tuple[str, str],
    metric: str,
    better: Literal["higher", "lower", "neither"],
    adjusted: float | None = None,
) -> str:
    """What may be said of B (``names[1]``) against A; never that two are equal.

    ``adjusted`` is Holm's p where the claim is one of several; it then decides instead of p.
    """
    a, b = names
    p, label = (found.p, "p") if adjusted is None else (adjusted, "Holm p")
    if found.low is None or found.high is None or found.detectable is None:
        return f"{metric}: {found.n} pair can show no difference between {a} and {b}."
    numbers = f"{found.difference:+.3g}, 95 % CI {found.low:.3g} to {found.high:.3g}, {label} = {p:.2g}"
    if p > LEVEL:
        of = f" of {found.units} prompts" if found.units < found.n else ""
        seen = f"; {found.n} pairs{of} could only have shown ≥ {found.detectable:.2g}" if found.detectable else ""
        return f"{metric}: no difference found between {a} and {b} ({numbers}){seen}."
    word = "higher" if found.difference > 0 else "lower"
    if better != "neither":
        word = "better" if word == better else "worse"
    return f"{metric}: {b} is {word} than {a} ({numbers}; ahead in {found.improvement:.0%} of {found.n} pairs)."
