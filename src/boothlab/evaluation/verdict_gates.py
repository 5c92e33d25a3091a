"""The gates of one snapshot: passed, failed, not testable or not measured, each with its reason."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from boothlab.evaluation import thresholds as limit
from boothlab.evaluation.verdict_data import Count, Gate, Measured
from boothlab.statistics.comparisons import detectable, paired_differences
from boothlab.statistics.intervals import Interval, cluster_interval, wilson
from boothlab.statistics.memorisation import Memorisation


def gates(found: Measured) -> tuple[Gate, ...]:
    """All gates, in the order in which they are shown. A gate that could not be tested never counts as passed."""
    return (
        _likeness(found.likeness, found.unscaled),
        _faces(found.faceless),
        _of_the_subject(_copies(found), found.likeness_bare),
        _of_the_subject(_memorisation(found.memorisation, found.at_random), found.likeness_bare),
        _prompt(found),
        _variety(found.diversity_photos, found.diversity_base),
        _background(found),
        _leak(found.leak),
    )


def shown(interval: Interval) -> str:
    """``0.82 (95 % CI 0.75 to 0.89)``."""
    if interval.low is None or interval.high is None:
        return f"{interval.value:.2f}"
    return f"{interval.value:.2f} (95 % CI {interval.low:.2f} to {interval.high:.2f})"


def percent(share: float) -> str:
    """``9 %``."""
    return f"{100 * share:.0f} %"


def absent(bare: Interval | None) -> bool:
    """Whether the bare prompt is known not to show the subject."""
    return bare is not None and bare.value < limit.BARE_LIKENESS_LEAST


def _of_the_subject(gate: Gate, bare: Interval | None) -> Gate:
    """What was not found in pictures of somebody else may still be there: then it was not tested."""
    if bare is None or gate.state != "passed" or not absent(bare):
        return gate
    reason = f"the bare pictures are not of the subject (likeness {shown(bare)}; at least "
    reason += f"{limit.BARE_LIKENESS_LEAST:.2f} is needed), so this clears nobody: {gate.reason}"
    return replace(gate, state="not testable", reason=reason)


def _likeness(likeness: Interval | None, unscaled: str) -> Gate:
    name = "likeness"
    if likeness is None:
        why = unscaled or "too few of its pictures show a face"
        return Gate(name, "not measured", f"likeness to held-out photos was not measured: {why}")
    reason = f"likeness {shown(likeness)} to photos it never saw; at least {limit.LIKENESS_LEAST:.2f} is needed"
    return Gate(name, "passed" if likeness.value >= limit.LIKENESS_LEAST else "failed", reason)


def _faces(faceless: Count | None) -> Gate:
    name = "faces"
    if faceless is None:
        return Gate(name, "not measured", "no photo shows a face, or none was looked for")
    rate = wilson(faceless.k, faceless.n)
    low, high = rate.low or 0.0, rate.high or 0.0
    seen = f"no face in {faceless.k} of {faceless.n}" if faceless.k else f"a face in all {faceless.n}"
    reason = f"{seen}; at worst {percent(high)} without (limit {percent(limit.FACELESS_MOST)})"
    if high <= limit.FACELESS_MOST:
        return Gate(name, "passed", reason)
    if low <= limit.FACELESS_MOST and (wilson(0, faceless.n).high or 1.0) > limit.FACELESS_MOST:
        return Gate(name, "not testable", f"{faceless.n} pictures are too few: {reason}")
    return Gate(name, "failed", reason)


def copied(found: Measured) -> float | None:
    """Share of pictures that are copies beyond those to be expected; None where nothing says what a copy is."""
    if found.copies is None:
        return None
    return max(0.0, found.copies.k - found.copies_expected) / found.copies.n


def _copies(found: Measured) -> Gate:
    name, copies, share = "copies", found.copies, copied(found)
    if copies is None or share is None:
        return Gate(name, "not measured", "there were no bare pictures, or too few photos, to say what a copy is")
    reason = f"{copies.k or 'none'} of {copies.n} pictures nearly {'are' if copies.k != 1 else 'is'} a training photo"
    allowed = f" (limit {percent(limit.COPY_SHARE_MOST)}"
    if found.copies_expected:
        allowed += (
            f" beyond the {found.copies_expected:.1f} expected by how many are nearest to photos never trained on"
        )
    allowed += ")"
    most = limit.COPY_SHARE_MOST + 1e-9
    # Who looks much alike on all photos comes near one of them now and then: pictures that are no copies hardly ever
    # come half as near again, and as many of them are near photos that were not trained on. So what is expected of
    # pictures that are near excuses none that is as near as a copy.
    if found.copies_sure / copies.n > most:
        return Gate(name, "failed", f"{reason}{allowed}; {found.copies_sure:.0f} surely")
    if share <= most:
        return Gate(name, "passed", reason + allowed)
    if found.copies_p is None or found.copies_p < limit.COPY_LEVEL:
        return Gate(name, "failed", reason + allowed)
    surely = f"{found.copies_sure:.0f} surely" if found.copies_sure else "none surely"
    reason += f", but chance gives as many (p = {found.copies_p:.2g}), {surely}"
    return Gate(name, "passed", reason + allowed)


def _memorisation(test: Memorisation | None, at_random: bool) -> Gate:
    name = "memorisation"
    if test is None:
        return Gate(name, "not measured", "it takes bare pictures, training photos and held-out photos")
    photos = f"{test.train} training and {test.held_out} held-out photos"
    if not test.testable(limit.MEMORISATION_LEVEL):
        reason = f"too few photos: {photos} cannot show a p below {test.smallest_p:.2g}"
        return Gate(name, "not testable", f"{reason}, and it takes {limit.MEMORISATION_LEVEL:g}")
    reason = f"({percent(test.nearest_train)} nearest to a training photo, {percent(test.nearest_train_null)} "
    reason += f"expected; p = {test.p:.2g}"
    if test.p_control is not None:
        reason += " beyond what pictures of the untrained model show, "
        reason += f"{test.p_alone:.2g} by themselves, {test.p_control:.2g} for the untrained model's"
    reason += f"; {photos}.)"
    if not at_random:
        why = "the held-out photos were chosen, not drawn by chance, and may differ in more than what was trained on"
        return Gate(name, "not testable", f"{why}. {reason}")
    if test.p < limit.MEMORISATION_LEVEL:
        return Gate(name, "failed", f"pictures come nearer to training photos than chance explains. {reason}")
    return Gate(name, "passed", f"pictures were not shown to come nearer to training photos than to others. {reason}")


def _prompt(found: Measured) -> Gate:
    name = "prompt following"
    if found.prompt is None:
        return Gate(name, "not measured", "prompt following was not measured")
    # Looks that a prompt contradicts, or that another prompt of the plan asks for, cost the base model as much when
    # it is told them: only what training cost on top is a loss.
    told = found.prompt_described
    untuned = told or found.prompt_base
    if untuned is None or found.prompt.low is None:
        lacking = "the base model was not measured" if untuned is None else "one picture is too few"
        return Gate(name, "not testable", f"prompt following {shown(found.prompt)}; {lacking}")
    drop = untuned.value - found.prompt.value
    reason = f"prompt following {shown(found.prompt)}, the base model's {untuned.value:.2f}"
    if told is not None:
        reason += " when told the subject's looks"
        reason += "" if found.prompt_base is None else f" ({found.prompt_base.value:.2f} when not)"
    reason += f"; at most {limit.PROMPT_DROP_MOST:.2f} may be lost"
    fell = drop > limit.PROMPT_DROP_MOST + 1e-9
    changes, clusters = _changes(found)
    if len(changes) < 2:
        return Gate(name, "failed" if fell else "passed", reason)
    change = cluster_interval(changes, clusters)
    if fell and change.high is not None and change.high >= 0:
        smallest = detectable(changes, clusters)
        seen = "" if smallest is None else f", and could only have shown one of {smallest:.2f} or more"
        why = f"{len(changes)} pairs do not show a fall, {shown(change)}{seen}"
        return Gate(name, "not testable", f"{why}: {reason}")
    return Gate(name, "failed" if fell else "passed", reason)


def _changes(found: Measured) -> tuple[NDArray[np.float64], list[Hashable]]:
    """Prompt following less that of the model it is held against, picture by picture, and whose prompt's.

    Empty without pairs.
    """
    pictures = found.pictures
    base = np.array(pictures.prompt_base if found.prompt_described is None else pictures.prompt_described)
    ours = np.array(pictures.prompt)
    if len(ours) != len(base):
        return np.zeros(0), []
    return paired_differences(base, ours, found.pictures.prompts)


def _variety(photos: float | None, base: float | None) -> Gate:
    name = "variety"
    parts, failed = [], False
    for value, least, of in (
        (photos, limit.DIVERSITY_TO_PHOTOS_LEAST, "the photos'"),
        (base, limit.DIVERSITY_TO_BASE_LEAST, "the base model's"),
    ):
        if value is not None:
            parts.append(f"{value:.2f} of {of} (at least {least:.2f} is needed)")
            failed = failed or value < least
    if not parts:
        return Gate(name, "not measured", "the variety of its pictures was not measured")
    return Gate(name, "failed" if failed else "passed", f"variety {' and '.join(parts)}")


def _background(found: Measured) -> Gate:
    name, glued, base = "background", found.glued, found.glued_base
    if glued is None:
        return Gate(name, "not measured", "backgrounds were not looked at")
    shows = "shows" if glued.k == 1 else "show"
    reason = f"{glued.k or 'none'} of {glued.n} bare pictures {shows} the photos' most common background"
    above = base is None or glued.share - base.share > limit.GLUED_ABOVE_BASE
    if glued.share > limit.GLUED_MOST and not above:
        reason += ", but hardly more than of the base model's"
    also = [f"limit {percent(limit.GLUED_MOST)}"]
    if base is not None:
        also.append(f"{base.k} of {base.n} of the base model's")
    if found.glued_photos is not None:
        also.append(f"{percent(found.glued_photos)} of the training photos")
    reason += f" ({', '.join(also)})"
    return Gate(name, "failed" if glued.share > limit.GLUED_MOST and above else "passed", reason)


def _leak(leak: Interval | None) -> Gate:
    name = "leak"
    if leak is None:
        return Gate(name, "not measured", "pictures of the class word alone were not compared with the photos")
    reason = f"the class word alone gained {shown(leak)} of likeness; at most {limit.LEAK_MOST:.2f} may be gained"
    if leak.value <= limit.LEAK_MOST:
        return Gate(name, "passed", reason)
    # Class pictures are of many people: with ten of them a few that chance made more alike are a tenth in the mean.
    if leak.low is None or leak.low <= 0:
        return Gate(name, "not testable", f"{leak.n} pictures do not show that it gained anything: {reason}")
    return Gate(name, "failed", reason)
