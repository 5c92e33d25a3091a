"""What a study expects, and what became of it: every claim holds, fails, or is undecided. (Torch-free.)

Separate from the effects because a claim is said beforehand and tested once, in a family of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boothlab.statistics.comparisons import LEVEL, holm
from boothlab.statistics.digits import plain, signed
from boothlab.statistics.intervals import t_interval
from boothlab.statistics.variance import SEEDS_NEEDED
from boothlab.studies.across import SAME
from boothlab.studies.carry import Carried, carried, losses
from boothlab.studies.compare import effect_of, paired_t
from boothlab.studies.neighbours import differing
from boothlab.studies.plan import Carries, Claim
from boothlab.studies.points import COLUMNS, Point

CERTAIN = "equal at all of them, of which a t test would be certain"
"""Why differences that do not vary are not tested."""

NO_LOSS = "nothing was carried over, so there is no loss to test"


@dataclass(frozen=True, slots=True)
class Tested:
    """A claim and what became of it: "holds", "fails", "undecided", or "not tested" for one in words only."""

    say: str
    state: str
    numbers: str


@dataclass(frozen=True, slots=True)
class _Tried:
    """A claim's number before Holm: how far it lies on the claimed side (negative: on the other one).

    ``p`` is two-sided, None where too few training seeds were seen to test anything.
    """

    side: float
    p: float | None
    numbers: str


def claims_tested(points: Sequence[Point], claims: Sequence[str | Claim | Carries]) -> list[Tested]:
    """Every claim against the finished runs, everything else equal, with at least three training seeds.

    It holds where the number is more than chance on the claimed side (paired t test over seeds, Holm over all claims
    of the study that can be tested), and fails where it is so on the other side; else it is undecided.
    """
    done = [point for point in points if point.state == "done"]
    pairs = carried(points) if any(isinstance(claim, Carries) for claim in claims) else []
    # Of all points: who is learned must not hang on which runs failed.
    tried = [
        _carries(points, claim, pairs) if isinstance(claim, Carries) else _tried(done, claim) for claim in claims
    ]
    family = [one for one in tried if isinstance(one, _Tried) and one.p is not None]
    adjusted = dict(zip(map(id, family), holm([one.p or 0.0 for one in family]), strict=True)) if family else {}
    return [
        _decided(claim if isinstance(claim, str) else claim.say, one, adjusted.get(id(one)))
        for claim, one in zip(claims, tried, strict=True)
    ]


def _tried(points: Sequence[Point], claim: str | Claim) -> _Tried | str:
    """The claim's number, or why there is none."""
    return "" if isinstance(claim, str) else _higher(points, claim)


def _higher(points: Sequence[Point], claim: Claim) -> _Tried | str:
    column = next(column for column in COLUMNS if column.key == claim.column)
    found = effect_of("", claim.axis, column, differing(points, claim.axis, claim.than, claim.at))
    if found is None:
        return "no two finished runs differ in this alone, or the number was not measured"
    numbers = f"{column.title} {signed(found.difference)}{_interval(found.low, found.high)}"
    if found.about != "settings":
        return _Tried(found.difference, None, numbers)
    numbers += f", {found.n} seeds"
    if found.difference != 0 and _agree(found.difference, found.low, found.high):
        return f"{numbers}, {CERTAIN}"
    return _Tried(found.difference, found.p, numbers)


def _carries(points: Sequence[Point], claim: Carries, pairs: Sequence[Carried]) -> _Tried | str:
    """The mean over all pairs of subjects of (carried over − own best), seed by seed, against minus the margin.

    A subject's own best is partly the luckiest of its settings, so that a loss is overstated rather than hidden.
    """
    title = next(column.title for column in COLUMNS if column.key == claim.carries)
    if not pairs:
        return "the finished runs train on no two subjects with two settings in common"
    if all(one.state == "the same settings" for one in pairs):
        # Their losses are 0 by definition and would count as known exactly, whatever the choices hang on.
        return (
            f"in all {len(pairs)} pairs the settings chosen on one subject were the other's own choice too: {NO_LOSS}"
        )
    each = losses(points, pairs, claim.carries)
    if not len(each):
        return "the two settings were never measured at the same training seed"
    mean: NDArray[np.float64] = each.mean(0)
    over = t_interval(mean)
    numbers = f"{title} {signed(over.value)}{_interval(over.low, over.high)} over {len(each)} pairs of subjects"
    numbers += f", {claim.margin:g} less would still be carried over"
    if len(mean) < SEEDS_NEEDED:
        return _Tried(over.value + claim.margin, None, numbers)
    numbers += f", {len(mean)} seeds"
    if _agree(over.value, over.low, over.high):
        return f"{numbers}, {CERTAIN}"
    return _Tried(over.value + claim.margin, paired_t(mean + claim.margin), numbers)


def _agree(value: float, low: float | None, high: float | None) -> bool:
    """Whether the seeds' differences are equal to rounding, by the t interval around their mean.

    A t test is then certain (p = 0) of what may be one lot of coarse numbers: one face more of twenty at every seed.
    """
    return low is not None and high is not None and high - low <= SAME * abs(value)


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f", 95 % CI {plain(low)} to {plain(high)}"


def _decided(say: str, tried: _Tried | str, adjusted: float | None) -> Tested:
    if isinstance(tried, str):
        return Tested(say, "undecided" if tried else "not tested", tried)
    if adjusted is None:
        return Tested(say, "undecided", f"{tried.numbers}, but fewer than {SEEDS_NEEDED} training seeds")
    numbers = f"{tried.numbers}, Holm p = {adjusted:.2g}"
    if adjusted > LEVEL:
        return Tested(say, "undecided", numbers)
    return Tested(say, "holds" if tried.side > 0 else "fails", numbers)
