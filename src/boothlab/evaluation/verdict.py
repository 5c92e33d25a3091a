"""The verdict: what each snapshot is, and which one to take. A pure function of what was measured. (Torch-free.)

Gates → one word per snapshot → the front on likeness × prompt following → the least trained within one standard
error. docs/verdict.md says it in plain words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boothlab.evaluation.thresholds import THRESHOLDS_VERSION
from boothlab.evaluation.verdict_choice import dominated, least_trained, none_of_them, reason, value, why_none_above
from boothlab.evaluation.verdict_data import Axis, Measured, Verdict, known
from boothlab.evaluation.verdict_words import judgements
from boothlab.seeds import derive

OPTIMISM = (
    "The scores of the chosen snapshot are optimistic, because they chose it: score it again on fresh seeds. "
    "They are about this training; another training seed may give another verdict."
)

ALONE = "The scores are about this training; another training seed may give another verdict."
"""What is said instead where there was one snapshot, and its scores chose nothing."""


def judge(snapshots: Sequence[Measured], prefer: Axis = "likeness", seed: int = 0) -> Verdict:
    """Judges the snapshots of one run. ``prefer`` is the axis on which "best" is meant; ``seed`` that of the tests.

    Any number of snapshots, one included: what needs several is then left out. Raises ValueError for two snapshots of
    one name.
    """
    names = [found.name for found in snapshots]
    if len(set(names)) < len(names):
        raise ValueError(f"snapshots share a name: {names}")
    snapshots = [known(found) for found in snapshots]
    judged = judgements(snapshots)
    by_name = {found.name: found for found in snapshots}
    allowed = [each for each in judged if each.may_be_chosen]
    # What could not be tested bars nobody; but who was tested goes first.
    firm = [each for each in allowed if not each.doubtful] or allowed
    candidates = [by_name[each.name] for each in firm]
    if not candidates:
        return Verdict(judged, (), (), None, none_of_them(judged), "", THRESHOLDS_VERSION)
    beaten = dominated(candidates, np.random.default_rng(derive(seed, "statistics", "verdict")))
    worse = {name for _, name in beaten}
    # Dominance with a margin may run in a circle; then nobody is left out on its account.
    front = [found for found in candidates if found.name not in worse] or candidates
    if not any(value(prefer, found) for found in front):
        prefer = "likeness"
    chosen, best = least_trained(front, prefer)
    own = next(each for each in judged if each.name == chosen.name)
    outdone = [found for found in candidates if found.name not in {kept.name for kept in front}]
    tested = {each.name for each in firm}
    untested = [by_name[each.name] for each in allowed if each.name not in tested]
    return Verdict(
        judgements=judged,
        front=tuple(found.name for found in front),
        dominated=beaten,
        recommended=chosen.name,
        reason=reason(
            chosen, own, why_none_above(chosen, best, prefer, outdone, untested) if len(judged) > 1 else ""
        ),
        caution=OPTIMISM if len(judged) > 1 else ALONE,
        thresholds=THRESHOLDS_VERSION,
    )
