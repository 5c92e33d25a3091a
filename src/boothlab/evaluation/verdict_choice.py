"""Which of the good snapshots to take: those that no other dominates, then the least trained of the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from boothlab.evaluation import thresholds as limit
from boothlab.evaluation.lots import spoken
from boothlab.evaluation.verdict_data import Axis, Judgement, Measured
from boothlab.evaluation.verdict_gates import shown
from boothlab.statistics.comparisons import compare_paired, holm, paired_differences
from boothlab.statistics.intervals import Interval, cluster_interval

AXES: tuple[Axis, Axis] = ("likeness", "prompt following")

ADVICE = {
    "underfitted": "Train longer, or with a higher learning rate.",
    "overfitted": "Take fewer steps, and keep more snapshots of the early ones.",
    "copying": "Take fewer steps, more and more varied photos, or captions that say where each was taken.",
    "collapsed": "Lower the learning rate.",
    "not judged": "Measure likeness to held-out photos first: it takes eight usable photos with a face, or others as "
    "references, and the base model's pictures (evaluation.base).",
    "good": "Look at the gates that failed.",
}
"""What to try when no snapshot may be chosen, by the word most of them got."""

NORMAL_95 = 1.959964
"""Half a 95 % interval in standard errors."""


@dataclass(frozen=True, slots=True)
class _Contest:
    """B − A on one axis: difference, 95 % interval and p before Holm."""

    axis: Axis
    difference: float
    low: float
    high: float
    p: float


def dominated(candidates: Sequence[Measured], random: np.random.Generator) -> tuple[tuple[str, str], ...]:
    """(better, worse) for every pair of candidates where one dominates the other.

    It must be shown not to be worse by more than ``DOMINANCE_MARGIN`` on each measured axis (lower end of the 95 %
    interval), and to be better on one (p after Holm over all contests). Pictures are compared pair by pair where both
    snapshots have them; else the two intervals are taken for independent, which shows less. Without intervals nothing
    can be shown.
    """
    pairs = list(combinations(candidates, 2))
    contests = [[_contest(axis, a, b, random) for axis in AXES if _measured(axis, candidates)] for a, b in pairs]
    flat = [contest for row in contests for contest in row if contest is not None]
    adjusted = dict(zip(map(id, flat), holm([contest.p for contest in flat]), strict=True))
    found = []
    for (a, b), row in zip(pairs, contests, strict=True):
        known = [contest for contest in row if contest is not None]
        if not known or len(known) < len(row):
            continue
        sure = [contest for contest in known if adjusted[id(contest)] <= limit.DOMINANCE_LEVEL]
        if all(contest.low >= -limit.DOMINANCE_MARGIN for contest in known) and any(c.difference > 0 for c in sure):
            found.append((b.name, a.name))
        if all(contest.high <= limit.DOMINANCE_MARGIN for contest in known) and any(c.difference < 0 for c in sure):
            found.append((a.name, b.name))
    return tuple(found)


def value(axis: Axis, found: Measured) -> Interval | None:
    """The snapshot's place on an axis."""
    return found.likeness if axis == "likeness" else found.prompt


def standard_error(interval: Interval) -> float:
    """The interval's own, else by its width as if it were normal; 0 where there is none: only ties are within it."""
    return _normal_error(interval) if interval.error is None else interval.error


def _normal_error(interval: Interval) -> float:
    """That of a normal law with as wide a 95 % interval: more than the standard error where photos are few."""
    if interval.low is None or interval.high is None:
        return 0.0
    return (interval.high - interval.low) / (2 * NORMAL_95)


def error_of_lead(axis: Axis, best: Measured, found: Measured) -> float:
    """One standard error of how far ``best`` leads ``found`` on an axis.

    Over the same prompts where both have pictures of them: that some prompts show anybody better than others is no
    doubt about which of the two is better (docs/decisions/057). Else that of ``best`` alone.
    """
    ours, theirs = (_pictures(axis, each) for each in (best, found))
    if len(ours) == len(theirs) and np.isfinite(ours - theirs).sum() >= 2:
        error = cluster_interval(*paired_differences(theirs, ours, best.pictures.prompts)).error
        if error is not None:
            return error
    interval = value(axis, best)
    return 0.0 if interval is None else standard_error(interval)


def least_trained(front: Sequence[Measured], prefer: Axis) -> tuple[Measured, Measured]:
    """(the snapshot to take, the best one): fewest steps of those that the best leads by no more than one standard
    error of that lead (:func:`error_of_lead`).

    Runs of a study often have equal steps (seeds, rates). Of such the best on the preferred axis comes first, then
    the best on the other one, then the first by name, so that nothing depends on the order in which they are listed.
    Where the two differ, the one to take therefore took fewer steps.
    Source: the one-standard-error rule of Breiman et al. 1984, section 3.4.3, with the error of the difference.
    """
    other = next(axis for axis in AXES if axis != prefer)
    best = min(front, key=lambda found: (-_place(prefer, found), found.step, -_place(other, found), found.name))
    near = [
        found for found in front if _place(prefer, found) >= _place(prefer, best) - error_of_lead(prefer, best, found)
    ]
    return min(near, key=lambda found: (found.step, -_place(prefer, found), -_place(other, found), found.name)), best


def _place(axis: Axis, found: Measured) -> float:
    """:func:`value` as a number to sort by: who was not measured comes last."""
    interval = value(axis, found)
    return -np.inf if interval is None else interval.value


def reason(chosen: Measured, judged: Judgement, why: str) -> str:
    """A few plain sentences: its scores, ``why`` not the best, what was not tested. See :func:`why_none_above`."""
    scores = [f"{axis} {shown(interval)}" for axis in AXES if (interval := value(axis, chosen)) is not None]
    said = f"Take {spoken(chosen.name)}: {', '.join(scores)}. {why}".rstrip()
    if "not in bare pictures" in judged.findings:
        said += " Its bare pictures are not of the subject: the identifier works only beside the captions' own words."
    open_gates = [gate for gate in judged.gates if gate.state in ("not testable", "not measured")]
    if open_gates:
        said += f" Not known: {', '.join(f'{gate.name} ({gate.state})' for gate in open_gates)}."
    return said


def why_none_above(
    chosen: Measured, best: Measured, prefer: Axis, outdone: Sequence[Measured], untested: Sequence[Measured]
) -> str:
    """Why nothing with more of what is preferred was taken, in sentences.

    ``chosen`` and ``best`` are those of :func:`least_trained`, ``outdone`` those that others dominate, ``untested``
    those that go last because a gate could not be tested.
    """
    top, own = value(prefer, best), value(prefer, chosen)
    said = []
    if best.name != chosen.name and top is not None and own is not None:
        # A snapshot begins a sentence; a study's run keeps its name.
        higher_one = f"Step {best.step}" if best.name.startswith("step-") else best.name
        said.append(
            f"{higher_one} has {prefer} {top.value:.2f}, but it leads by no more than one standard error "
            f"({error_of_lead(prefer, best, chosen):.2f}), and {spoken(chosen.name)} took fewer steps."
        )
    for others, why in ((outdone, "outdone when both axes count"), (untested, "with gates that could not be tested")):
        higher = higher_than(chosen, prefer, others)
        if higher:
            said.append(f"Higher, but {why}: {', '.join(map(spoken, higher))}.")
    return " ".join(said) or f"No snapshot that may be chosen has a higher {prefer}."


def higher_than(chosen: Measured, prefer: Axis, others: Sequence[Measured]) -> tuple[str, ...]:
    """The names of the ``others`` that have more of what is preferred than what was chosen."""
    return tuple(found.name for found in others if _above(value(prefer, found), value(prefer, chosen)))


def _above(theirs: Interval | None, own: Interval | None) -> bool:
    return theirs is not None and own is not None and theirs.value > own.value


def none_of_them(judged: Sequence[Judgement]) -> str:
    """Why no snapshot may be chosen, and what to try."""
    if not judged:
        return "None of them: there is no snapshot to judge."
    words = Counter(each.called for each in judged)
    listed = ", ".join(f"{count} {word}" for word, count in words.most_common())
    advice = _between(judged) or advice_for([each.word for each in judged])
    failed = Counter(gate.name for each in judged for gate in each.gates if gate.state == "failed")
    gates = f" Gates that failed: {', '.join(f'{name} ({count})' for name, count in failed.most_common())}."
    return f"None of them may be recommended: {listed}.{gates if failed else ''} {advice}"


def advice_for(words: Sequence[str]) -> str:
    """What to try, by the word that most of them got; "" where nothing was judged."""
    judged = Counter(word for word in words if word in ADVICE)
    return ADVICE[judged.most_common(1)[0][0]] if judged else ""


def _between(judged: Sequence[Judgement]) -> str:
    """What to try where the training went from too little to too much; "" where it did not."""
    early = [each.step for each in judged if each.word == "underfitted"]
    late = [each.step for each in judged if each.word in ("overfitted", "copying")]
    if not early or not late or max(early) >= min(late):
        return ""
    return (
        f"Step {max(early)} is too early and step {min(late)} too late: keep snapshots between them, or lower the "
        "learning rate and train longer."
    )


def _measured(axis: Axis, candidates: Sequence[Measured]) -> bool:
    """Whether anybody has the axis. Who then lacks it neither dominates nor is dominated."""
    return any(value(axis, found) is not None for found in candidates)


def _pictures(axis: Axis, found: Measured) -> NDArray[np.float64]:
    """The snapshot's values on an axis, picture by picture; empty where they are not known."""
    return np.array(found.pictures.likeness if axis == "likeness" else found.pictures.prompt, dtype=np.float64)


def _contest(axis: Axis, a: Measured, b: Measured, random: np.random.Generator) -> _Contest | None:
    ours, theirs = (_pictures(axis, found) for found in (a, b))
    if len(ours) == len(theirs) and np.isfinite(theirs - ours).sum() >= 2:
        found = compare_paired(ours, theirs, random, prompts=a.pictures.prompts)
        if found.low is not None and found.high is not None:
            return _Contest(axis, found.difference, found.low, found.high, found.p)
    first, second = value(axis, a), value(axis, b)
    if first is None or second is None:
        return None
    error = float(np.hypot(_normal_error(first), _normal_error(second)))
    if error == 0.0:
        return None
    difference = second.value - first.value
    half = NORMAL_95 * error
    return _Contest(
        axis, difference, difference - half, difference + half, 2 * float(stats.norm.sf(abs(difference) / error))
    )
