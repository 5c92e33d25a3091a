"""Which settings make a plan smaller that is too large for this machine. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from boothlab.api.space import Counts, disk_of, memory_of, passing_of
from boothlab.config.load import apply_override
from boothlab.models.costs import Costs
from boothlab.plan import RunPlan, plan_from
from boothlab.strategies.mean.config import Mean
from boothlab.studies.share import to_go_on_from

ROOM = 0.9
"""Share of what is free that a plan may take; the rest is for other programs and for the error of the estimate."""

REMEDIES: dict[str, tuple[tuple[str, Any], ...]] = {
    "memory": (
        ("generation.batch_size", 1),
        ("objective.class_folder", "FOLDER"),
        ("training.compute.gradient_checkpointing", True),
        ("training.batch_size", 1),
        ("training.compute.precision", "bf16"),
        ("training.optimizer.kind", "adamw8bit"),
        ("strategy", {"kind": "lora"}),
    ),
    "disk": (
        ("training.keep_checkpoints", 1),
        ("training.keep_checkpoints", 0),
        ("training.snapshot_precision", "fp16"),
        ("training.snapshots", []),
        ("strategy", {"kind": "lora"}),
    ),
}
"""Settings that make a plan smaller, mildest first."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A setting that saves ``saves`` bytes, and whether the plan then ``fits``."""

    setting: str
    saves: float
    fits: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A training that is asked for, so many ``times``; ``begins`` says that others go on from where it ends, and
    ``described`` that the base model's configs were read, and not taken for those of Stable Diffusion v1.5."""

    plan: RunPlan
    counts: Counts
    costs: Costs
    begins: bool = False
    times: int = 1
    described: bool = True


def most_memory(asked: Sequence[Asked]) -> float:
    """Bytes that trainings take which come one after the other."""
    return max((sum(memory_of(one.plan, one.counts, one.costs).values()) for one in asked), default=0.0)


def whole_disk(asked: Sequence[Asked]) -> float:
    """Bytes that they leave, and what the largest takes on top until it is finished."""
    disks = [disk_of(one.plan, one.counts, one.costs) for one in asked]
    passing = [passing_of(one.plan, disk) for one, disk in zip(asked, disks, strict=True)]
    left = sum(one.times * (sum(disk.values()) - free) for one, disk, free in zip(asked, disks, passing, strict=True))
    return left + max(passing, default=0.0)


def remedies_for(what: str, asked: Sequence[Asked], free: float, fixed: Collection[str] = ()) -> list[Remedy]:
    """Settings that save at least a twentieth over all that is ``asked``, each alone, mildest first.

    ``fixed`` are the paths of settings that cannot be changed.
    """
    measure = most_memory if what == "memory" else whole_disk
    before, saved = measure(asked), dict[str, float]()
    found = []
    for path, value in REMEDIES[what]:
        if path in fixed or (path == "strategy" and any(isinstance(one.plan.strategy, Mean) for one in asked)):
            continue
        after = measure([changed(one, path, value) for one in asked])
        # What a milder value of the same setting saves as well needs no harder one.
        if before - after >= before / 20 and before - after > saved.get(path, 0.0):
            said = value if isinstance(value, str) else str(value).lower()
            shown = "strategy.kind=lora" if path == "strategy" else f"{path}={said}"
            found.append(Remedy(shown, before - after, after <= ROOM * free))
            saved[path] = before - after
    return found


def changed(asked: Asked, path: str, value: Any) -> Asked:
    """What there is to do with one setting changed."""
    if path == "objective.class_folder":
        # They are not drawn; their memory in training is the same.
        return replace(asked, counts=replace(asked.counts, classes=0))
    plan = with_setting(asked.plan, path, value)
    plan = to_go_on_from(plan) if asked.begins else plan
    counts = replace(asked.counts, snapshots=1) if path == "training.snapshots" else asked.counts
    return replace(asked, plan=plan, counts=counts)


def with_setting(plan: RunPlan, path: str, value: Any) -> RunPlan:
    """``plan`` with one setting changed."""
    tree = plan.model_dump(mode="json")
    apply_override(tree, path.split("."), value)
    return plan_from(tree, "the plan")
