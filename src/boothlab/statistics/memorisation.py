"""Did the model learn the photos by heart? A permutation test over photo labels, and a flag per picture."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from boothlab.statistics.labellings import share_of_labellings

ENUMERATED = 10_000
"""Up to so many ways of choosing the held-out photos all are tried."""

PERMUTATIONS = 9_999
"""Random labelings where there are more."""

ROUNDING = 1e-9
"""Statistics that differ by no more than this share of the largest distance are equal."""

VARIES = 1e-6
"""A control whose statistic varies by less than this share of its largest distance explains nothing.

Its line would be so steep that rounding of the control outgrew ``ROUNDING``."""

CHUNK = 500
"""Labelings scored at once: 500 × 20 pictures × 18 photos are 1.4 MB."""


@dataclass(frozen=True, slots=True)
class Memorisation:
    """The train/held-out label-permutation test.

    ``gap`` (unit of the distance): how much nearer pictures come to training photos than to held-out ones, compared
    at equally many photos; positive = nearer to what was trained on. ``effect`` is the gap in SDs of the pictures'
    own gaps, None where they have no spread. ``p`` is one-sided and raw; ``smallest_p`` the least it could have been.
    ``nearest_train`` is the share of pictures whose nearest photo is a training photo, ``nearest_train_null`` the
    share of training photos: what to expect of a model that treats all photos alike. ``exact``: all labelings were
    tried.

    ``p_alone`` is the p of the pictures by themselves. With a control, whose own is ``p_control``, ``p`` is of what
    the control does not explain; ``gap``, ``effect`` and ``nearest_train`` are the pictures' own all the same.
    """

    p: float
    smallest_p: float
    gap: float
    effect: float | None
    nearest_train: float
    nearest_train_null: float
    pictures: int
    train: int
    held_out: int
    exact: bool
    p_alone: float
    p_control: float | None = None

    def testable(self, level: float) -> bool:
        """Whether p could have come below ``level`` at all. Where not, nothing was tested."""
        return self.smallest_p < level


def memorisation(
    distances: ArrayLike,
    train: Sequence[bool] | NDArray[np.bool_],
    random: np.random.Generator,
    permutations: int = PERMUTATIONS,
    control: ArrayLike | None = None,
    groups: Sequence[int] = (),
) -> Memorisation:
    """Distances (n pictures, |P| photos) and which photos were trained on (|P|,), the rest being held out.

    statistic = mean over pictures of [E min over k held-out photos − E min over k training photos], with k the
    smaller of the two numbers and the expectation over all k-subsets, by order statistics. p = share of labelings
    with as large a statistic: of all up to ``ENUMERATED``, else of ``permutations`` random ones. Exact if the photos
    were split at random and the model treats both kinds alike; a collapsed model is not taken for a copying one.

    ``control`` (c, |P|) are the same distances of pictures that cannot remember, such as the untrained model's of
    the person described in words. Where chance made the training photos the plainer ones, these are nearer to them
    too: the statistic then is what a regression on the control's leaves, over the labelings that are tried, the
    true one among them. That keeps the test exact, since the slope does not depend on which of them is the true one.

    ``groups`` (|P|,) numbers the photos that chance dealt together, such as those that are nearly the same; labels
    then go by groups. Left out, or where a group is of both kinds, each photo was dealt by itself.

    Raises ValueError for NaN, for no picture, and where one kind has no photo.
    Source: evaluation notes, section 4.2 (its absolute ancestor: Meehan et al. 2020, arXiv:2004.05675); Rosenbaum
    2002, Covariance adjustment in randomized experiments, for the control.
    """
    mask = np.asarray(train, dtype=bool)
    matrix = _checked(distances, mask)
    others = None if control is None else _checked(control, mask)
    trained, held_out = int(mask.sum()), int((~mask).sum())
    if trained == 0 or held_out == 0:
        raise ValueError(f"{trained} training and {held_out} held-out photos: both are needed")
    of, dealt = lots(mask, groups)
    exact = math.comb(len(dealt), int(dealt.sum())) <= ENUMERATED
    others_dealt = _all_labels(len(dealt), int(dealt.sum())) if exact else _random_labels(dealt, random, permutations)
    tried = [mask[None], *(labels[:, of] for labels in others_dealt)]
    # The true labeling comes first; where all are tried it comes once more and is not counted twice.
    first = 1 if exact else 0
    each = _over_labels(matrix, tried[:1])[:, 0]
    own = left = _over_labels(matrix, tried).mean(axis=0)
    slack = ROUNDING * float(matrix.max(initial=0.0))
    p_control = None
    if others is not None:
        explained = _over_labels(others, tried).mean(axis=0)
        least = float(others.max(initial=0.0))
        p_control = _share(explained[first:], explained[0], ROUNDING * least)
        if float(np.ptp(explained)) > VARIES * least:
            left = own - _slope(own[first:], explained[first:]) * explained
    gap, spread = float(own[0]), float(each.std(ddof=1)) if len(each) > 1 else 0.0
    return Memorisation(
        p=_share(left[first:], left[0], slack),
        smallest_p=1 / (len(own) - first),
        gap=gap,
        effect=gap / spread if spread > 0 else None,
        nearest_train=_nearest_train(matrix, mask),
        nearest_train_null=trained / len(mask),
        pictures=len(matrix),
        train=trained,
        held_out=held_out,
        exact=exact,
        p_alone=_share(own[first:], own[0], slack),
        p_control=p_control,
    )


def lots(mask: NDArray[np.bool_], groups: Sequence[int] = ()) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """What chance dealt: (which lot each photo (|P|,) is in, whether each lot was trained on).

    ``mask`` (|P|,) says which photos were trained on, ``groups`` which were dealt together; see :func:`memorisation`.
    """
    of = np.unique(np.asarray(groups), return_inverse=True)[1] if len(groups) else np.arange(len(mask))
    if len(of) != len(mask):
        raise ValueError(f"{len(of)} groups for {len(mask)} photos")
    trained = np.bincount(of, weights=mask)
    if not ((trained == 0) | (trained == np.bincount(of))).all():
        return np.arange(len(mask)), mask
    return of, trained > 0


def _checked(distances: ArrayLike, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distances (n, |P|) as numbers, to as many photos as the mask (|P|,) has."""
    matrix = np.asarray(distances, dtype=np.float64)
    if matrix.ndim != 2 or len(matrix) == 0 or matrix.shape[1:] != mask.shape or np.isnan(matrix).any():
        raise ValueError(f"distances of shape {matrix.shape} for {len(mask)} photos, each a number")
    return matrix


def _share(statistics: NDArray[np.float64], true: float, slack: float) -> float:
    """Share of the statistics (B,) that are as large as the true one, up to rounding."""
    return float((statistics >= true - slack).mean())


def _slope(own: NDArray[np.float64], control: NDArray[np.float64]) -> float:
    """Slope of the least-squares line of ``own`` over ``control``, (B,) each."""
    away = control - control.mean()
    return float(away @ (own - own.mean())) / float(away @ away)


def expected_minimum_weights(count: int, k: int) -> NDArray[np.float64]:
    """Weights (count,) with E[min of a random k-subset] = Σ wⱼ·x₍ⱼ₎, x ascending: wⱼ = C(count−j, k−1)/C(count, k).

    >>> expected_minimum_weights(3, 2).round(3).tolist()
    [0.667, 0.333, 0.0]
    """
    total = math.comb(count, k)
    return np.array([math.comb(count - j, k - 1) / total for j in range(1, count + 1)])


def _over_labels(matrix: NDArray[np.float64], tried: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """Gaps (n, B) of every picture of ``matrix`` (n, |P|) under all labelings, given in chunks (·, |P|)."""
    order = np.argsort(matrix, axis=1, kind="stable")
    ranked = np.take_along_axis(matrix, order, axis=1)
    return np.concatenate([_gaps(ranked, order, labels) for labels in tried], axis=1)


def _gaps(ranked: NDArray[np.float64], order: NDArray[np.intp], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Gaps (n, B) of every picture under labelings (B, |P|); ``ranked`` (n, |P|) ascending, ``order`` its photos."""
    counts = labels.sum(axis=1)
    gaps = np.empty((len(ranked), len(labels)))
    for trained in np.unique(counts).tolist():  # of groups of several sizes as many make more or fewer photos
        rows = counts == trained
        gaps[:, rows] = _gaps_of_as_many(ranked, order, labels[rows], trained)
    return gaps


def _gaps_of_as_many(
    ranked: NDArray[np.float64], order: NDArray[np.intp], labels: NDArray[np.bool_], trained: int
) -> NDArray[np.float64]:
    """:func:`_gaps` where each labeling trains on ``trained`` photos."""
    held_out = labels.shape[1] - trained
    k = min(trained, held_out)
    # One table for both kinds: a training photo lowers the gap by its weight, a held-out photo raises it.
    table = np.concatenate([-expected_minimum_weights(trained, k), expected_minimum_weights(held_out, k)])
    gaps = np.empty((len(ranked), len(labels)))
    for picture in range(len(ranked)):
        seen = labels[:, order[picture]]
        nth = np.cumsum(seen, axis=1, dtype=np.int16)
        place = np.where(seen, nth - 1, trained + np.arange(labels.shape[1], dtype=np.int16) - nth)
        gaps[picture] = table[place] @ ranked[picture]
    return gaps


def _all_labels(photos: int, trained: int) -> Iterator[NDArray[np.bool_]]:
    """Every choice of ``trained`` photos, as masks (≤ CHUNK, photos)."""
    choices = itertools.combinations(range(photos), trained)
    while chunk := list(itertools.islice(choices, CHUNK)):
        labels = np.zeros((len(chunk), photos), dtype=bool)
        np.put_along_axis(labels, np.array(chunk), True, axis=1)
        yield labels


def _random_labels(
    mask: NDArray[np.bool_], random: np.random.Generator, permutations: int
) -> Iterator[NDArray[np.bool_]]:
    for start in range(0, permutations, CHUNK):
        yield random.permuted(np.tile(mask, (min(CHUNK, permutations - start), 1)), axis=1)


def _nearest_train(matrix: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
    """Ties count by the share of training photos among the tied: a photo given twice must not decide."""
    tied = matrix <= matrix.min(axis=1, keepdims=True)
    return float(((tied & mask).sum(axis=1) / tied.sum(axis=1)).mean())


@dataclass(frozen=True, slots=True)
class CopyFlag:
    """The photo that a picture is nearest to: its column, the distance, whether it is the mirrored one, the alarm."""

    photo: int
    distance: float
    mirrored: bool
    flagged: bool


@dataclass(frozen=True, slots=True)
class Copies:
    """One flag per picture, in order, and the distance below which it is raised.

    ``limit`` is None where there is none: fewer than two photos, or two equal ones. Nothing is flagged then, and
    nothing was tested. ``by_chance`` is the share of pictures that a model as varied as the photos would have flagged
    at a factor of 1 (2/(m + 1) for m photos): the reason for a smaller factor. ``expected`` is how many of the
    flagged are to be expected without copying, by those as near to photos that nothing was trained on. ``p`` is the
    share of all ways to choose as many training photos by which as many of all these were nearest to one (see
    :func:`boothlab.statistics.labellings.share_of_labellings`); None without photos that nothing was trained on.
    """

    flags: tuple[CopyFlag, ...]
    limit: float | None
    by_chance: float
    expected: float = 0.0
    p: float | None = None

    @property
    def flagged(self) -> int:
        """How many pictures are alarmingly near a photo."""
        return sum(flag.flagged for flag in self.flags)


def spread_out(pairs: NDArray[np.float64], leave_out: int) -> list[int]:
    """Rows of (m, m) distances that stay when ``leave_out`` times one photo of the closest pair is left out.

    Of the two it is the one whose absence leaves the larger smallest distance. Two photos that are nearly equal would
    otherwise make a limit that no copy meets. Never fewer than two stay.
    """
    kept = list(range(len(pairs)))

    def smallest(rows: list[int]) -> float:
        part = pairs[np.ix_(rows, rows)]
        return float(part[~np.eye(len(rows), dtype=bool)].min())

    for _ in range(min(leave_out, len(kept) - 2)):
        kept = max(([row for row in kept if row != gone] for gone in kept), key=smallest)
    return kept


def copies(
    distances: ArrayLike,
    between_photos: ArrayLike,
    mirrored: ArrayLike | None = None,
    between_mirrored: ArrayLike | None = None,
    factor: float = 1.0,
    leave_out: int = 0,
    held_out: ArrayLike | None = None,
    groups: Sequence[int] = (),
) -> Copies:
    """Flags the pictures that come nearer to a photo than any two photos come to each other.

    ``distances`` (n, m) to the training photos, ``between_photos`` (m, m) among them (its diagonal is not looked at);
    ``mirrored`` and ``between_mirrored`` are the same to the photos mirrored left to right, and the smaller of both
    counts. A picture is flagged below ``factor`` × the smallest distance between two photos, ``leave_out`` photos
    aside (see :func:`spread_out`). Exchangeable pictures fall below the smallest one with probability 2/(m + 1)
    each, since the closest pair of m + 1 pictures then holds any given one that often; copies lie far below it.

    ``held_out`` (n, h) are the same distances to photos that nothing was trained on, which nobody can copy. A picture
    that is nearer to one of these is not flagged; where a person looks much alike in all photos there are such, and
    m/h times as many are then ``expected`` to be nearest to a training photo. ``groups`` (m + h,) are those of
    :func:`memorisation`; photos of one group are no two photos where the smallest distance is looked for.
    Raises ValueError when shapes do not fit.
    """
    plain, among = np.asarray(distances, dtype=np.float64), np.asarray(between_photos, dtype=np.float64)
    turned = None if mirrored is None else np.asarray(mirrored, dtype=np.float64)
    among_turned = None if between_mirrored is None else np.asarray(between_mirrored, dtype=np.float64)
    photos = plain.shape[1] if plain.ndim == 2 else 0
    if (
        photos == 0
        or among.shape != (photos, photos)
        or (turned is not None and turned.shape != plain.shape)
        or (among_turned is not None and among_turned.shape != among.shape)
    ):
        raise ValueError(f"distances {plain.shape} and {among.shape}: it takes (pictures, photos), (photos, photos)")
    nearest = plain if turned is None else np.minimum(plain, turned)
    pairs = among if among_turned is None else np.minimum(among, among_turned)
    # Of photos that are nearly equal one is looked at: half of what lies between them is a limit that no copy meets.
    apart = np.unique(np.asarray(groups)[:photos], return_index=True)[1] if len(groups) else np.arange(photos)
    pairs = pairs[np.ix_(apart, apart)]
    kept = spread_out(pairs, leave_out)
    smallest = float(pairs[np.ix_(kept, kept)][~np.eye(len(kept), dtype=bool)].min()) if len(kept) > 1 else 0.0
    limit = factor * smallest if smallest > 0 else None
    others = np.full((len(nearest), 1), np.inf) if held_out is None else np.asarray(held_out, dtype=np.float64)
    if others.ndim != 2 or len(others) != len(nearest):
        raise ValueError(f"distances {others.shape} to held-out photos do not fit {len(nearest)} pictures")
    elsewhere: list[float] = others.min(axis=1, initial=np.inf).tolist()
    flags = []
    for row, photo in enumerate(nearest.argmin(axis=1).tolist()):
        distance = float(nearest[row, photo])
        is_turned = turned is not None and bool(turned[row, photo] < plain[row, photo])
        flagged = limit is not None and distance < limit and distance <= elsewhere[row]
        flags.append(CopyFlag(photo, distance, is_turned, flagged))
    near = [0] * (photos + others.shape[1])
    for row, flag in enumerate(flags):
        if flag.flagged:
            near[flag.photo] += 1
        elif limit is not None and elsewhere[row] < min(limit, flag.distance):
            near[photos + int(others[row].argmin())] += 1
    close, innocent = sum(near[:photos]), sum(near[photos:])
    expected = innocent * photos / others.shape[1] if innocent else 0.0
    p = None
    if held_out is not None and others.shape[1]:
        of, dealt = lots(np.arange(len(near)) < photos, groups)
        p = share_of_labellings(np.bincount(of, weights=near).astype(int).tolist(), int(dealt.sum()), close)
    return Copies(tuple(flags), limit, 2 / (len(apart) + 1), expected, p)
