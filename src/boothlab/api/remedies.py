"""Which settings make a plan smaller that is too large for this machine. (Torch-free.)"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from boothlab.api.space import Counts, disk_of, memory_of
from boothlab.config.load import apply_override
from boothlab.models.costs import Costs
from boothlab.plan import RunPlan, plan_from
from boothlab.strategies.mean.config import Mean

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


def remedies_for(what: str, plan: RunPlan, counts: Counts, costs: Costs, free: float) -> list[Remedy]:
    """Settings that save at least a twentieth, each alone, mildest first."""
    measure = memory_of if what == "memory" else disk_of
    before = sum(measure(plan, counts, costs).values())
    found = []
    for path, value in REMEDIES[what]:
        if path == "strategy" and isinstance(plan.strategy, Mean):
            continue
        after = sum(measure(*changed(plan, counts, path, value), costs).values())
        if before - after >= before / 20:
            said = value if isinstance(value, str) else str(value).lower()
            shown = "strategy.kind=lora" if path == "strategy" else f"{path}={said}"
            found.append(Remedy(shown, before - after, after <= ROOM * free))
    return found


def changed(plan: RunPlan, counts: Counts, path: str, value: Any) -> tuple[RunPlan, Counts]:
    """What there is to do with one setting changed."""
    if path == "objective.class_folder":
        return plan, replace(counts, classes=0)  # what is not drawn; their memory in training is the same
    return with_setting(plan, path, value), replace(counts, snapshots=1) if path == "training.snapshots" else counts


def with_setting(plan: RunPlan, path: str, value: Any) -> RunPlan:
    """``plan`` with one setting changed."""
    tree = plan.model_dump(mode="json")
    apply_override(tree, path.split("."), value)
    return plan_from(tree, "the plan")
