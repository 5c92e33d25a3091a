"""Which runs of a study are one training: those equal but for their length, under a rate that does not look ahead.

A run that is the beginning of another one is a snapshot of it, bit for bit; so it is not trained. Runs whose rate
falls at the end part from their common stem where it begins to fall.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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

    Where its rate falls at the end, the first ``branch`` steps are those of ``stem``, a training at the constant rate
    that others go on from too. ``own`` is how many of all its ``steps`` are taken for it, when the trunks before it
    are there already. Trunks of one ``family`` ("": of none) go on from each other, and are trained in their order.
    One that is the mean ``of`` other runs takes no step, and comes after all that do. One that ``begins`` others is
    what these go on from.
    """

    plan: RunPlan
    inputs: Mapping[str, str]
    steps: int
    members: Mapping[str, int]
    own: int
    stem: RunPlan | None = None
    branch: int = 0
    family: str = ""
    of: tuple[str, ...] = ()
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Shared:
    """All trainings of a study, in the order they go in. It ``executes`` so many steps of those ``asked`` for."""

    trunks: tuple[Trunk, ...]
    executes: int
    asked: int


def share(members: Sequence[Member]) -> Shared:
    """The trainings that give every member's result, each as long as its longest member."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(_group(member), []).append(member)
    trunks = _with_beginnings(_with_stems([_trunk(group) for group in groups.values()]))
    return Shared(tuple(trunks), sum(trunk.own for trunk in trunks), sum(member.steps for member in members))


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
    members = {member.name: member.steps for member in group}
    return Trunk(plan, longest.inputs, longest.steps, members, own=longest.steps)


def _with_beginnings(trunks: Sequence[Trunk]) -> list[Trunk]:
    """The trunks, those that are one training looked at in several ways with a state for the next to go on from."""
    keys = [trunk_digest(trunk.plan, dict(trunk.inputs)) for trunk in trunks]
    alike = Counter(keys)
    return [
        replace(trunk, plan=to_go_on_from(trunk.plan), begins=True) if key is not None and alike[key] > 1 else trunk
        for trunk, key in zip(trunks, keys, strict=True)
    ]


def to_go_on_from(plan: RunPlan) -> RunPlan:
    """``plan`` with a checkpoint left when it is finished, for others that begin as it does."""
    update = {"keep_checkpoints": max(1, plan.training.keep_checkpoints)}
    return plan.model_copy(update={"training": plan.training.model_copy(update=update)})


def with_steps(plan: RunPlan, steps: int, snapshots: tuple[int, ...]) -> RunPlan:
    """``plan`` with so many steps in all and these snapshots on the way."""
    update = {"steps": steps, "steps_per_photo": None, "snapshots": snapshots}
    return plan.model_copy(update={"training": plan.training.model_copy(update=update)})


def _with_stems(trunks: Sequence[Trunk]) -> list[Trunk]:
    """The trunks whose rate looks ahead on common stems where that saves enough; those of one stem stand together."""
    groups: dict[str, list[Trunk]] = {}
    for index, trunk in enumerate(trunks):
        key = trunk_digest(constant(trunk.plan), dict(trunk.inputs))
        alone = key is None or not _may_share(trunk, trunks)
        groups.setdefault(str(index) if alone else f"{key} {trunk.plan.training.snapshot_precision}", []).append(
            trunk
        )
    return [trunk for key, group in groups.items() for trunk in _on_stem(group, sha256_json(key)[:16])]


def _may_share(trunk: Trunk, trunks: Sequence[Trunk]) -> bool:
    """Whether a stem can be had: the trunk's rate looks ahead, or another's does. An early end forbids it."""
    if trunk.plan.training.validation.patience is not None:
        return False
    return any(other.plan.training.rate.looks_ahead for other in trunks)


def _on_stem(group: Sequence[Trunk], family: str) -> list[Trunk]:
    """A group of equal trainings but for length and fall, shortest first, each from where the one before it ends."""
    cut = {id(trunk): branch_point(trunk.plan.training, trunk.steps) for trunk in group}
    ahead = [trunk for trunk in group if trunk.plan.training.rate.looks_ahead]
    longest = max((trunk for trunk in group if trunk not in ahead), key=lambda trunk: trunk.steps, default=None)
    sharing = sorted([*ahead, *([longest] if longest else [])], key=lambda trunk: cut[id(trunk)])
    gain = sum(cut[id(trunk)] for trunk in sharing) - max(cut[id(trunk)] for trunk in sharing)
    if not ahead or gain < max(1.0, FEWEST_SHARED * sum(trunk.steps for trunk in sharing)):
        return list(group)
    kept = {step for trunk in sharing for step in trunk.plan.training.snapshot_steps(trunk.steps)}
    found, reached = [trunk for trunk in group if trunk not in sharing], 0
    for trunk in sharing:
        step, stays = cut[id(trunk)], trunk not in ahead and trunk is not sharing[-1]
        own = trunk.steps - step + max(0, step - reached)
        flat = to_go_on_from(constant(trunk.plan))
        stem = with_steps(flat, step, tuple(sorted(s for s in kept if s < step)))
        found.append(
            replace(
                trunk,
                plan=to_go_on_from(trunk.plan) if stays else trunk.plan,
                begins=stays,
                own=own,
                stem=stem if trunk in ahead else None,
                branch=step if trunk in ahead else 0,
                family=family,
            )
        )
        reached = max(reached, step)
    return found


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
