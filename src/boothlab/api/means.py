"""A mean of weights as a plan: which snapshots it is of, looked up in the run folders that it names. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boothlab.errors import PlanError, RunDamaged
from boothlab.files import read_table, sha256_json
from boothlab.plan import AVERAGED, RunPlan
from boothlab.runs.provenance import PROVENANCE
from boothlab.runs.run import Run, open_run, step_of
from boothlab.strategies.mean.config import Mean
from boothlab.training.config import Validation

WHOLE = "dreambooth"
"""The kind of strategy whose snapshots hold whole weights. The mean of adapters' factors is no mean of what these
do."""


@dataclass(frozen=True, slots=True)
class Part:
    """A snapshot that is averaged, by what decides its weights: its training, its step and its number format.

    ``training`` is what longer and shorter ones share, where the training has such; else its run's own digest.
    """

    training: str
    step: int
    precision: str


def with_parts(plan: RunPlan, inputs: Mapping[str, str], parts: Sequence[Part]) -> tuple[RunPlan, dict[str, str]]:
    """A resolved plan of a mean and its inputs, once it is known what it is of: as long as the longest, with nothing
    to watch on the way."""
    update = {
        "steps": max(part.step for part in parts),
        "steps_per_photo": None,
        "snapshots": (),
        "validation": Validation(),
    }
    told = sha256_json([[part.training, part.step, part.precision] for part in parts])
    settled = plan.model_copy(update={"training": plan.training.model_copy(update=update)})
    return settled, {**inputs, AVERAGED: told}


def look_up_parts(plan: RunPlan, inputs: Mapping[str, str]) -> tuple[RunPlan, dict[str, str]]:
    """A resolved plan of a mean and its inputs, with the snapshots that it names looked up.

    Raises PlanError for a snapshot that is not there, or that is of something else.
    """
    snapshots = plan.strategy.of if isinstance(plan.strategy, Mean) else ()
    return with_parts(plan, inputs, [_part(Path(snapshot), plan, inputs) for snapshot in snapshots])


def _part(snapshot: Path, plan: RunPlan, inputs: Mapping[str, str]) -> Part:
    step = step_of(snapshot.name)
    if step is None or snapshot.parent.name != "snapshots":
        raise PlanError(
            f"strategy.of: {snapshot} is no snapshot of a run.", "Name its folder: RUN/snapshots/step-000300"
        )
    run = open_run(snapshot.parent.parent)
    if not run.has_weights(snapshot.name):
        there = ", ".join(map(str, run.snapshot_steps())) or "none"
        raise PlanError(f"strategy.of: {run.path} has no snapshot {snapshot.name}.", f"Steps that it has: {there}.")
    _require_same(run, plan, inputs)
    told = read_table(run.path / "plan.json")
    return Part(str(told.get("trunk") or told.get("digest")), step, _precision(run))


def _precision(run: Run) -> str:
    try:
        return str(run.plan()["training"]["snapshot_precision"])
    except (KeyError, TypeError) as error:
        raise RunDamaged(f"{run.path / 'plan.json'} is damaged: {error!r}.") from error


def _require_same(run: Run, plan: RunPlan, inputs: Mapping[str, str]) -> None:
    """Raises PlanError where a run is of other photos, another base or other words, or has adapters."""
    tree, found = run.plan(), read_table(run.path / PROVENANCE).get("inputs", {})
    try:
        kind = tree["strategy"]["kind"]
        words = {one["name"]: _named(one) for one in tree["subjects"]}
    except (KeyError, TypeError) as error:
        raise RunDamaged(f"{run.path / 'plan.json'} is damaged: {error!r}.") from error
    if kind != WHOLE:
        raise PlanError(
            f"strategy.of: {run.name} was made with strategy.kind = {kind!r}; only whole weights ({WHOLE!r}) are "
            "averaged."
        )
    own = {one.name: _named(one.model_dump()) for one in plan.subjects}
    if words != own:
        raise PlanError(f"strategy.of: {run.name} is of {_said(words)}, and this plan of {_said(own)}.")
    for name in ("base", *(f"photos/{subject}" for subject in own)):
        if found.get(name) != inputs[name]:
            what = "another base model" if name == "base" else f"other photos of {name.removeprefix('photos/')}"
            raise PlanError(f"strategy.of: {run.name} was trained on {what} than this plan names.")


def _named(subject: Mapping[str, Any]) -> tuple[str, str, bool]:
    """Identifier, class noun, and whether prompts leave the noun out, which older runs do not say."""
    return subject["identifier"], subject["class_noun"], subject.get("identifier_alone", False)


def _said(words: Mapping[str, tuple[str, str, bool]]) -> str:
    return " + ".join(
        f"{name} ({identifier} {noun}{' in no prompt' if alone else ''})"
        for name, (identifier, noun, alone) in words.items()
    )
