"""How far a number can be trusted: 95 % intervals for means, rates and all-pairs means. (numpy and scipy only.)

Nothing here draws. A bootstrap of means would, but the variance of a mean of clusters drawn again is known: it is
what endless draws come to, needs no seed, and takes no time (docs/statistics.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
"""Nominal coverage of every interval of the house."""

LAST_BITS = 1e-12
"""What is no more than this part of the numbers that it was made from is what rounding left of 0."""

UNBOUNDED = (-float("inf"), float("inf"))
"""Bounds of a number that may be any."""

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and its 95 % interval, in the unit of the data.

    ``n`` is the number of independent units it rests on (pictures, prompts or trials; with photos as well, those on
    the pictures' side). ``low`` and ``high`` are None where no interval exists. ``error`` is the standard error
    where the interval is value ± t · error: with few photos t is large, and the width says little about it.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    error: float | None = None


def within(found: Interval, bounds: tuple[float, float]) -> Interval:
    """``found`` without what the number cannot be: a share of 0.99 is not 1.01.

    It holds the truth as often, because the truth never lies there. ``error`` stays: rules of one standard error go
    by that. Where value and bound are the same but for rounding, the value is inside.
    """
    if found.low is None or found.high is None:
        return found
    least, most = bounds
    low, high = max(found.low, min(least, found.value)), min(found.high, max(most, found.value))
    return replace(found, low=low, high=high)


def t_interval(values: ArrayLike) -> Interval:
    """Mean ± t · SD/√n of independent values (n,); NaN ("nothing to measure") is left out.

    No interval for fewer than two values. Raises ValueError when nothing is left. Source: Student 1908; coverage at
    n = 20 measured in tests/unit/test_statistics.py.
    """
    present = _present(values)
    return cluster_interval(present, range(len(present)))


def wilson(hits: int, n: int) -> Interval:
    """A rate and its Wilson score interval, in [0, 1]. Source: Wilson 1927.

    (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n). Unlike p ± 2·SE it is no point at 0 of n: 0 of 20 may still be
    16 %. Raises ValueError for n = 0 and for hits outside 0 … n.
    """
    if not 0 <= hits <= n or n == 0:
        raise ValueError(f"{hits} of {n} is not a rate")
    return _wilson(hits / n, n, n)


def _wilson(rate: float, worth: float, n: int) -> Interval:
    """Wilson's interval of a rate that is worth as much as one over so many independent trials."""
    z2 = float(stats.norm.ppf(0.5 + CONFIDENCE / 2)) ** 2
    centre = (rate + z2 / (2 * worth)) / (1 + z2 / worth)
    half = float(np.sqrt(z2 * rate * (1 - rate) / worth + z2**2 / (4 * worth**2))) / (1 + z2 / worth)
    low = 0.0 if rate == 0.0 else centre - half
    return Interval(rate, low, 1.0 if rate == 1.0 else centre + half, n)


@dataclass(frozen=True, slots=True)
class Spread:
    """Variance of a mean, in squared units of the data, and the degrees of freedom with which it is known."""

    variance: float
    freedom: float

    @property
    def half(self) -> float:
        """Half the 95 % interval: t · √variance."""
        return float(stats.t.ppf(0.5 + CONFIDENCE / 2, self.freedom) * np.sqrt(self.variance))


def clusters_of(prompts: Sequence[Hashable], n: int) -> list[Hashable]:
    """What n pictures (n,) are clusters of: their prompts.

    Where all are of one prompt, or none is named, nothing can be said about other prompts; each picture then is a
    cluster of its own. Raises ValueError for another number of prompts than pictures.
    """
    if len(prompts) not in (0, n):
        raise ValueError(f"{len(prompts)} prompts for {n} pictures")
    return list(prompts) if len(set(prompts)) > 1 else list(range(n))


def cluster_spread(values: NDArray[np.float64], clusters: Sequence[Hashable]) -> Spread | None:
    """How far the mean of values (N,) moves when whole clusters are drawn again; None for fewer than two clusters.

    c/(c − 1) · Σ over clusters of (Σ in it of x − x̄)² / N², with c − 1 degrees of freedom: the variance of the
    cluster bootstrap, exact for clusters of one size, with its factor for few clusters. The members are kept as they
    came, because cluster means already vary by them; drawn again as well, they would count twice. With clusters of
    one it is SD²/n. Sources: Davison & Hinkley 1997, section 3.8; Liang & Zeger 1986.
    """
    place = {cluster: index for index, cluster in enumerate(dict.fromkeys(clusters))}
    count = len(place)
    if count < 2:
        return None
    away = settled(np.bincount([place[cluster] for cluster in clusters], weights=values - values.mean()), values)
    return Spread(count / (count - 1) * float((away**2).sum()) / len(values) ** 2, count - 1)


def cluster_interval(values: ArrayLike, clusters: Sequence[Hashable]) -> Interval:
    """Mean ± t · SE of values (N,) that come in clusters: pictures of one prompt. See :func:`cluster_spread`.

    NaN is left out. ``n`` is the number of clusters; one cluster has no interval. Coverage with ten prompts measured
    in tests/unit/test_statistics_coverage.py. Raises ValueError when nothing is left.
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) != len(clusters):
        raise ValueError(f"{len(array)} values for {len(clusters)} cluster names")
    kept = [cluster for cluster, value in zip(clusters, array.tolist(), strict=True) if not np.isnan(value)]
    present = _present(array)
    return _around(float(settled(present.mean(), present)), cluster_spread(present, kept), len(set(kept)))


def cluster_wilson(hits: Sequence[bool], clusters: Sequence[Hashable]) -> Interval:
    """A rate over answers (N,) that come in clusters, such as several people's to one picture, in [0, 1].

    Wilson's interval of as many independent answers as these are worth: z²·p(1 − p)/half², with half that of
    :func:`cluster_interval`; at most N, and at least N²/Σ(answers of a cluster)², as if each cluster were of one
    mind. It is that least where all clusters have one share, for then nothing tells how much others would differ.
    With clusters of one it is :func:`wilson`; and it is no point where a few clusters agree, as mean ± t · SE is.
    ``n`` is the number of clusters. Raises ValueError for no answers. Coverage measured in
    tests/unit/test_statistics_coverage.py. Sources: Korn & Graubard 1998; Kish 1965.
    """
    values = np.asarray(hits, dtype=np.float64)
    if len(values) == 0:
        raise ValueError("no answer to take a rate of")
    sizes = np.array(list(Counter(clusters).values()), dtype=np.float64)
    rate, worth = float(values.sum()) / len(values), float(len(values) ** 2 / (sizes**2).sum())
    spread = cluster_spread(values, clusters)
    if spread is not None and spread.variance > 0.0:
        z2 = float(stats.norm.ppf(0.5 + CONFIDENCE / 2)) ** 2
        worth = min(max(z2 * rate * (1 - rate) / spread.half**2, worth), float(len(values)))
    return _wilson(rate, worth, len(sizes))


def settled(made: ArrayLike, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums, means or differences (…) made of values (any shape), 0 where they are 0 but for the values' last bits."""
    found, size = np.asarray(made, dtype=np.float64), float(np.abs(values).max(initial=0.0))
    return np.where(np.abs(found) <= LAST_BITS * size, 0.0, found) if np.isfinite(size) else found


def two_way_interval(pairs: ArrayLike, clusters: Sequence[Hashable] = ()) -> Interval:
    """Mean ± t · SE over all (picture, photo) pairs (n, m): as if prompts were drawn again, and photos.

    ``clusters`` names the prompt of each picture; see :func:`clusters_of`. The n·m pairs are not independent: one odd
    photo moves a whole column, one odd prompt all its rows. Taken for independent they cover 0.34 instead of 0.95
    (evaluation notes, section 6). The variance is that of the two-way bootstrap, the sum of both sides'
    (:func:`cluster_spread`); what is left in single pairs counts on each side, so twice (when both sides are drawn
    together, three times), which errs on the safe side. Degrees of freedom by Satterthwaite,
    (A + B)² / (A²/(c − 1) + B²/(m − 1)), because three photos say little about others. Coverage measured in
    tests/unit/test_statistics_coverage.py. Rows and columns that are all NaN are left out. Raises ValueError for
    other NaN. Sources: Owen 2007 (the pigeonhole bootstrap); Cameron, Gelbach & Miller 2011; Satterthwaite 1946.
    """
    matrix = np.asarray(pairs, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"pairs of shape {matrix.shape}; it takes (pictures, photos)")
    named = clusters_of(clusters, len(matrix))
    rows = np.flatnonzero(~np.isnan(matrix).all(axis=1))
    matrix = matrix[rows]
    matrix = matrix[:, ~np.isnan(matrix).all(axis=0)]
    n, m = matrix.shape
    if n == 0 or m == 0 or np.isnan(matrix).any():
        raise ValueError(f"{n} pictures by {m} photos, some pairs not measured: there is no mean over all pairs")
    kept = [named[row] for row in rows.tolist()]  # pictures of the one prompt that is left are not of several
    a, b = cluster_spread(matrix.mean(axis=1), kept), cluster_spread(matrix.mean(axis=0), range(m))
    return _around(float(matrix.mean()), None if a is None or b is None else _both(a, b), len(set(kept)))


def _both(a: Spread, b: Spread) -> Spread:
    """Two independent sides together."""
    variance = a.variance + b.variance
    if variance == 0.0:
        return Spread(0.0, a.freedom)
    return Spread(variance, variance**2 / (a.variance**2 / a.freedom + b.variance**2 / b.freedom))


def _around(mean: float, spread: Spread | None, n: int) -> Interval:
    if spread is None:
        return Interval(mean, None, None, n)
    return Interval(mean, mean - spread.half, mean + spread.half, n, float(np.sqrt(spread.variance)))


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
