"""Which runs of a study are one training: those equal but for their length, under a rate that does not look ahead.

A run that is the beginning of another one is a snapshot of it, bit for bit; so it is not trained. Runs whose rate
falls at the end part from their common stem where it begins to fall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from boothlab.files import sha256_json
from boothlab.plan import RunPlan, digest, trunk_digest
from boothlab.training import rates
from boothlab.training.config import Rate, Training

FEWEST_SHARED = 0.05
"""A stem is trained apart only if it saves this share of its runs' steps: every training costs seconds to begin."""


@dataclass(frozen=True, slots=True)
class Member:
    """A run of the study with nothing left open: its resolved plan, the hashes of its inputs, its length."""

    name: str
    plan: RunPlan
    inputs: Mapping[str, str]
    steps: int


@dataclass(frozen=True, slots=True)
class Trunk:
    """One training that is really done, and the runs that are its snapshots (name → step), in the study's order.

    ``branches`` are the steps up to which a stem under the plan of ``stem`` can be taken over, the last of them this
    trunk's own; empty where it starts from nothing.
    """

    plan: RunPlan
    inputs: Mapping[str, str]
    steps: int
    members: Mapping[str, int]
    stem: RunPlan | None = None
    branch: int = 0


@dataclass(frozen=True, slots=True)
class Shared:
    """All trainings of a study. It ``executes`` so many steps of those ``asked`` for by all its runs."""

    trunks: tuple[Trunk, ...]
    executes: int
    asked: int


def share(members: Sequence[Member]) -> Shared:
    """The trainings that give every member's result, each as long as its longest member."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(_group(member), []).append(member)
    trunks = [_trunk(group) for group in groups.values()]
    trunks, saved = _with_stems(trunks)
    executes = sum(trunk.steps for trunk in trunks) - saved
    return Shared(tuple(trunks), executes, sum(member.steps for member in members))


def _group(member: Member) -> str:
    """What members must share to be snapshots of one training, looked at in the same way."""
    trunk = trunk_digest(member.plan, dict(member.inputs))
    if trunk is None:
        return digest(member.plan, dict(member.inputs))
    plan = member.plan
    looked = [plan.evaluation.model_dump(mode="json"), plan.generation.model_dump(mode="json")]
    return sha256_json([trunk, looked, plan.training.snapshot_precision])


def _trunk(group: Sequence[Member]) -> Trunk:
    longest = max(group, key=lambda member: member.steps)
    kept = {step for member in group for step in member.plan.training.snapshot_steps(member.steps)}
    snapshots = tuple(sorted(kept - {longest.steps}))
    plan = with_steps(longest.plan, longest.steps, snapshots)
    return Trunk(plan, longest.inputs, longest.steps, {member.name: member.steps for member in group})


def with_steps(plan: RunPlan, steps: int, snapshots: tuple[int, ...]) -> RunPlan:
    """``plan`` with so many steps in all and these snapshots on the way."""
    update = {"steps": steps, "steps_per_photo": None, "snapshots": snapshots}
    return plan.model_copy(update={"training": plan.training.model_copy(update=update)})


def _with_stems(trunks: Sequence[Trunk]) -> tuple[list[Trunk], int]:
    """The trunks whose rate looks ahead on common stems where that saves enough, and the steps saved."""
    groups: dict[str, list[int]] = {}
    for index, trunk in enumerate(trunks):
        if trunk.plan.training.rate.looks_ahead:
            key = trunk_digest(constant(trunk.plan), dict(trunk.inputs))
            if key is not None:
                groups.setdefault(key, []).append(index)
    found, saved = list(trunks), 0
    for indices in groups.values():
        cut = [branch_point(trunks[index].plan.training, trunks[index].steps) for index in indices]
        gain = sum(cut) - max(cut)
        if gain < max(1.0, FEWEST_SHARED * sum(trunks[index].steps for index in indices)):
            continue
        saved += gain
        for index, step in zip(indices, cut, strict=True):
            trunk = trunks[index]
            kept = tuple(s for s in trunk.plan.training.snapshots if s < step)
            stem = with_steps(constant(trunk.plan), step, kept) if step else None
            found[index] = Trunk(trunk.plan, trunk.inputs, trunk.steps, trunk.members, stem, step)
    return found, saved


def constant(plan: RunPlan) -> RunPlan:
    """``plan`` with the rate that stays where the warm-up leaves it, and no early end."""
    rate = Rate(kind="constant", warmup=plan.training.rate.warmup)
    return plan.model_copy(update={"training": plan.training.model_copy(update={"rate": rate})})


def branch_point(training: Training, steps: int) -> int:
    """In how many first steps a training of ``steps`` goes as it would at a constant rate."""
    flat = Rate(kind="constant", warmup=training.rate.warmup)
    for step in range(steps):
        if rates.factor(training.rate, step, steps, training.compat) != rates.factor(
            flat, step, steps, training.compat
        ):
            return step
    return steps
