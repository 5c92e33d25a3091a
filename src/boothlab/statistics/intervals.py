"""How far a number can be trusted: 95 % intervals for means, rates and all-pairs means. (numpy and scipy only.)

Every function that draws takes a ``numpy.random.Generator`` of the caller, so that the same seed gives the same
interval; ``boothlab.seeds.derive(seed, "statistics", …)`` makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
"""Nominal coverage of every interval of the house."""

DRAWS = 2000
"""Bootstrap draws: the ends of a 95 % interval then lie within about 4 % of its width of their limit."""

Indices = NDArray[np.intp]

Shares = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(draws, n) and (draws, m): how large a share of each draw a picture, and a photo, makes up."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and its 95 % interval, in the unit of the data.

    ``n`` is the number of independent units it rests on (pictures, prompts or trials). ``low`` and ``high`` are None
    where no interval exists.
    """

    value: float
    low: float | None
    high: float | None
    n: int


def t_interval(values: ArrayLike) -> Interval:
    """Mean ± t · SD/√n of independent values (n,); NaN ("nothing to measure") is left out.

    No interval for fewer than two values. Raises ValueError when nothing is left. Source: Student 1908; coverage at
    n = 20 measured in tests/unit/test_statistics.py.
    """
    present = _present(values)
    n, mean = len(present), float(present.mean())
    if n < 2:
        return Interval(mean, None, None, n)
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) * present.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def wilson(hits: int, n: int) -> Interval:
    """A rate and its Wilson score interval, in [0, 1]. Source: Wilson 1927.

    (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n). Unlike p ± 2·SE it is no point at 0 of n: 0 of 20 may still be
    16 %. Raises ValueError for n = 0 and for hits outside 0 … n.
    """
    if not 0 <= hits <= n or n == 0:
        raise ValueError(f"{hits} of {n} is not a rate")
    z2 = float(stats.norm.ppf(0.5 + CONFIDENCE / 2)) ** 2
    rate = hits / n
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = float(np.sqrt(z2 * rate * (1 - rate) / n + z2**2 / (4 * n**2))) / (1 + z2 / n)
    low = 0.0 if hits == 0 else centre - half
    return Interval(rate, low, 1.0 if hits == n else centre + half, n)


def two_way_shares(n: int, m: int, random: np.random.Generator, draws: int = DRAWS) -> Shares:
    """n pictures drawn from n with replacement, and m photos from m, ``draws`` times."""
    rows = random.multinomial(n, np.full(n, 1 / n), size=draws) / n
    return rows, random.multinomial(m, np.full(m, 1 / m), size=draws) / m


def two_way_bootstrap(pairs: ArrayLike, random: np.random.Generator, draws: int = DRAWS) -> Interval:
    """:func:`two_way_interval` with draws of its own."""
    return two_way_interval(pairs, lambda n, m: two_way_shares(n, m, random, draws))


def two_way_interval(pairs: ArrayLike, shares: Callable[[int, int], Shares]) -> Interval:
    """Mean over all (picture, photo) pairs (n, m) with a percentile interval; both sides are drawn again.

    The n·m pairs are not independent: one odd photo moves a whole column. Taking them for independent covers 0.34
    instead of 0.95 (evaluation notes, section 6); drawing rows and columns again covers 0.93–0.94. Rows and columns
    that are all NaN are left out; ``shares(n, m)`` gives the draws for what is left. Drawing them takes thirty times
    as long as using them, so tables of many metrics share them. Source: Owen 2007 (the pigeonhole bootstrap). Raises
    ValueError for other NaN.
    """
    matrix = np.asarray(pairs, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"pairs of shape {matrix.shape}; it takes (pictures, photos)")
    matrix = matrix[~np.isnan(matrix).all(axis=1)]
    matrix = matrix[:, ~np.isnan(matrix).all(axis=0)]
    n, m = matrix.shape
    if n == 0 or m == 0 or np.isnan(matrix).any():
        raise ValueError(f"{n} pictures by {m} photos, some pairs not measured: there is no mean over all pairs")
    mean = float(matrix.mean())
    if n < 2 or m < 2:
        return Interval(mean, None, None, n)
    rows, columns = shares(n, m)
    return _percentiles(mean, ((rows @ matrix) * columns).sum(axis=1), n)


def cluster_bootstrap(
    values: ArrayLike, clusters: Sequence[object], random: np.random.Generator, draws: int = DRAWS
) -> Interval:
    """Mean of values (N,) that come in clusters (pictures of one prompt); clusters are drawn again, then members.

    The interval is mean ± t · SE with the bootstrap's SE, its factor √(c/(c−1)) for c clusters, and c − 1 degrees of
    freedom: the percentile interval covers too little with ten prompts (measured in tests/unit/test_statistics.py).
    ``n`` is the number of clusters; one cluster has no interval. NaN is left out. Source: Davison & Hinkley 1997,
    section 3.8.
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) != len(clusters):
        raise ValueError(f"{len(array)} values for {len(clusters)} cluster names")
    groups: dict[object, list[float]] = {}
    for value, cluster in zip(array.tolist(), clusters, strict=True):
        if not np.isnan(value):
            groups.setdefault(cluster, []).append(value)
    present = _present(array)
    mean, count = float(present.mean()), len(groups)
    if count < 2:
        return Interval(mean, None, None, count)
    sizes = np.array([len(group) for group in groups.values()])
    table = np.zeros((count, sizes.max()))
    for row, group in enumerate(groups.values()):
        table[row, : len(group)] = group
    chosen = random.integers(0, count, size=(draws, count))
    size = sizes[chosen]
    member = (random.random((draws, count, sizes.max())) * size[..., None]).astype(np.intp)
    counted = np.arange(sizes.max()) < size[..., None]
    sums = np.where(counted, table[chosen[..., None], member], 0.0).sum(axis=(1, 2))
    spread = float((sums / size.sum(axis=1)).std(ddof=1)) * np.sqrt(count / (count - 1))
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1) * spread)
    return Interval(mean, mean - half, mean + half, count)


def jackknife_se(score: Callable[..., float], *sizes: int) -> float:
    """Standard error of a set score by leaving out one row at a time, summed over the sets.

    ``score`` takes one index array per set, e.g. ``lambda i, j: kid(kernel[i][:, i], …)`` for ``sizes = (n, m)``.
    √(Σ over sets of (n−1)/n · Σ (θ₍ᵢ₎ − θ̄)²). Sets need two rows at least (ValueError). Source: Efron & Stein 1981.
    For a U-statistic such as KID; a bootstrap would put copies k(x, x) off the diagonal and shift it.
    """
    if min(sizes) < 2:
        raise ValueError(f"sets of {sizes} rows: leaving one out needs two")
    full = [np.arange(size, dtype=np.intp) for size in sizes]
    variance = 0.0
    for place, size in enumerate(sizes):
        left_out = [score(*full[:place], np.delete(full[place], row), *full[place + 1 :]) for row in range(size)]
        variance += (size - 1) / size * float(((np.array(left_out) - np.mean(left_out)) ** 2).sum())
    return float(np.sqrt(variance))


def _present(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64).ravel()
    array = array[~np.isnan(array)]
    if len(array) == 0:
        raise ValueError("no value to take a mean of")
    return array


def _percentiles(value: float, drawn: NDArray[np.float64], n: int) -> Interval:
    low, high = np.quantile(drawn, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    return Interval(value, float(low), float(high), n)
