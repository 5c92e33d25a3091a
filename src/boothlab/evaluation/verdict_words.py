"""One word per snapshot, and the reasons for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boothlab.evaluation import thresholds as limit
from boothlab.evaluation.lots import spoken
from boothlab.evaluation.verdict_data import Gate, Judgement, Measured, Word
from boothlab.evaluation.verdict_gates import absent, copied, gates
from boothlab.statistics.comparisons import paired_differences
from boothlab.statistics.intervals import cluster_interval, wilson


def judgements(snapshots: Sequence[Measured]) -> tuple[Judgement, ...]:
    """Every snapshot, in order of steps; later ones are also held against earlier ones."""
    ordered = sorted(snapshots, key=lambda found: found.step)
    return tuple(_judgement(found, ordered[:place]) for place, found in enumerate(ordered))


def _judgement(found: Measured, earlier: Sequence[Measured]) -> Judgement:
    passed = gates(found)
    gate = {each.name: each for each in passed}
    word, reasons = _word(found, gate, earlier)
    findings = _findings(found, gate)
    called: str = word
    if word == "underfitted" and "another subject" in findings:
        called = "another subject"
    if word == "overfitted" and "background glued" in findings and not _learned_by_heart(found, gate, earlier):
        called = "background glued"
    return Judgement(found.name, found.step, word, findings, passed, tuple(reasons), called)


def _word(found: Measured, gate: dict[str, Gate], earlier: Sequence[Measured]) -> tuple[Word, list[str]]:
    """The graver word first: copies and ruins are such whatever their likeness is."""
    if signs := _copying(found, gate):
        return "copying", signs
    if signs := _collapsed(found, gate):
        return "collapsed", signs
    if gate["likeness"].state == "not measured":
        return "not judged", [gate["likeness"].reason]
    if gate["likeness"].state == "failed":
        return "underfitted", [gate["likeness"].reason]
    signs = [gate[name].reason for name in ("prompt following", "background") if gate[name].state == "failed"]
    signs += _learned_by_heart(found, gate, earlier)
    if signs:
        return "overfitted", signs
    return "good", [gate["likeness"].reason] + _untested(gate)


def _copying(found: Measured, gate: dict[str, Gate]) -> list[str]:
    """Copies are copies; a failed test of memorisation without flags on pictures is taken for copying as well."""
    if gate["copies"].state == "failed":
        also = [gate["memorisation"].reason] if gate["memorisation"].state == "failed" else []
        return [gate["copies"].reason, *also]
    if gate["memorisation"].state == "failed" and found.copies is None:
        return [gate["memorisation"].reason]
    return []


def _collapsed(found: Measured, gate: dict[str, Gate]) -> list[str]:
    signs = [gate["variety"].reason] if gate["variety"].state == "failed" else []
    if found.faceless is not None and (wilson(found.faceless.k, found.faceless.n).low or 0.0) > limit.FACELESS_MOST:
        signs.append(gate["faces"].reason)
    return signs


def _learned_by_heart(found: Measured, gate: dict[str, Gate], earlier: Sequence[Measured]) -> list[str]:
    """Signs of overfitting that a background which stuck does not explain."""
    memorised = [gate["memorisation"].reason] if gate["memorisation"].state == "failed" else []
    return memorised + _identity_gap(found) + _got_worse(found, earlier)


def _identity_gap(found: Measured) -> list[str]:
    # Photos of another day differ from those trained on by more than chance, whoever is learned and however well.
    if found.likeness is None or found.likeness_train is None or not found.at_random:
        return []
    gap = found.likeness_train.value - found.likeness.value
    if gap <= limit.IDENTITY_GAP_MOST:
        return []
    return [
        f"likeness {found.likeness_train.value:.2f} to the training photos, only {found.likeness.value:.2f} to "
        f"photos it never saw; they may differ by {limit.IDENTITY_GAP_MOST:.2f}"
    ]


def _got_worse(found: Measured, earlier: Sequence[Measured]) -> list[str]:
    """What overfitting does: since an earlier snapshot that had learned the subject, at least two things got worse
    while likeness to the training photos rose on, and to held-out ones it did not. The one of most signs is named."""
    most: tuple[list[str], Measured] | None = None
    for before in earlier:
        if before.likeness is None or before.likeness.value < limit.LIKENESS_LEAST:
            continue
        if before.likeness_train is None or found.likeness_train is None:
            continue
        if found.likeness_train.value < before.likeness_train.value - limit.TRAIN_LIKENESS_FALL:
            continue
        # Who is still being learned loses variety, and the photos trained on are always fitted ahead of the others.
        if found.likeness is not None and found.likeness.value > before.likeness.value + limit.STILL_LEARNS:
            continue
        signs = _signs(before, found)
        if len(signs) >= limit.SIGNS_NEEDED and (most is None or len(signs) > len(most[0])):
            most = signs, before
    if most is None:
        return []
    signs, before = most
    worse = f"since {spoken(before.name)} {', '.join(signs)}"
    return [f"{worse}, while likeness to the training photos {_rise(before, found)}"]


def _rise(before: Measured, after: Measured) -> str:
    was, now = before.likeness_train, after.likeness_train
    if was is None or now is None:
        return ""
    return f"{'rose' if now.value > was.value else 'stayed'} ({was.value:.2f} to {now.value:.2f})"


def _signs(before: Measured, after: Measured) -> list[str]:
    signs = []
    if before.prompt is not None and after.prompt is not None and _prompt_fell(before, after):
        signs.append(f"prompt following fell from {before.prompt.value:.2f} to {after.prompt.value:.2f}")
    for was, now in (
        (before.diversity_photos, after.diversity_photos),
        (before.diversity_base, after.diversity_base),
    ):
        if was is not None and now is not None:
            if now < (1 - limit.DIVERSITY_WORSE) * was:
                signs.append(f"variety fell from {was:.2f} to {now:.2f}")
            break
    if before.loss_gap is not None and after.loss_gap is not None:
        was, now = before.loss_gap, after.loss_gap
        if now - was >= limit.LOSS_GAP_WORSE:
            signs.append(f"the loss on held-out photos fell behind by {now:.3f} instead of {was:.3f}")
    return signs


def _prompt_fell(before: Measured, after: Measured) -> bool:
    """A fall that matters and, where the pictures can be paired, whose interval does not reach 0."""
    if before.prompt is None or after.prompt is None:
        return False
    if after.prompt.value - before.prompt.value > -limit.PROMPT_WORSE:
        return False
    was, now = np.array(before.pictures.prompt), np.array(after.pictures.prompt)
    if len(was) != len(now) or np.isfinite(now - was).sum() < 2:
        return True
    change = cluster_interval(*paired_differences(was, now, after.pictures.prompts))
    return change.high is not None and change.high < 0


def _untested(gate: dict[str, Gate]) -> list[str]:
    return [each.reason for each in gate.values() if each.state == "not testable"]


def _findings(found: Measured, gate: dict[str, Gate]) -> tuple[str, ...]:
    findings = []
    if gate["background"].state == "failed":
        findings.append("background glued")
    if _somebody_else(found):
        findings.append("another subject")
    if gate["leak"].state == "failed":
        findings.append("leaks into the class word")
    if (copied(found) or found.copies_sure) and gate["copies"].state != "failed":
        findings.append("single copies")
    if gate["likeness"].state == "passed" and absent(found.likeness_bare):
        findings.append("not in bare pictures")
    return tuple(findings)


def _somebody_else(found: Measured) -> bool:
    """Faces are found and are one person's, but not this person's. Who is half learned is as like the photos as the
    pictures are like one another."""
    if found.likeness is None or found.alike is None or found.faceless is None:
        return False
    faces = found.faceless.share <= limit.FACELESS_MOST
    one = found.alike.value >= max(limit.ALIKE_LEAST, found.likeness.value + limit.ALIKE_ABOVE)
    return faces and found.likeness.value < limit.LIKENESS_LEAST and one
