"""A longer run starts from a shorter one that is its beginning: 500 steps → 700 costs 200."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from boothlab.api.previewing import previews_of
from boothlab.api.relatives import copy_folder
from boothlab.api.resolving import Resolved
from boothlab.plan import RunPlan, trunk_digest
from boothlab.runs.events import Event, Extended, Previewed, SnapshotSaved, Started, Stepped, Validated, Warned
from boothlab.runs.provenance import OTHERS, changed
from boothlab.runs.run import Run, runs_with_trunk, step_name
from boothlab.training import checkpoint
from boothlab.training.config import Training


def extend(run: Run, resolved: Resolved, steps: int) -> Extended | None:
    """Give a run that has taken no step yet the beginning that another run has already trained.

    What is taken over (losses, looks, snapshots, the state to go on from) is what training from the start would
    have given, bit for bit. Where the new plan wants a snapshot that the other run did not keep, only the part
    before it is taken. Returns None when there is nothing to take.
    """
    trunk = trunk_digest(resolved.plan, resolved.inputs)
    if trunk is None or checkpoint.steps_in(run.checkpoints):
        return None
    others = [other for other in runs_with_trunk(run.path.parent, trunk) if other.path != run.path]
    best = beginning(others, resolved.plan.training, steps)
    taken = None if best is None else take_beginning(run, best[1], best[0], resolved.plan, steps)
    return None if best is None or taken is None else Extended(taken, source=best[1].name)


def beginning(others: Sequence[Run], training: Training, steps: int) -> tuple[int, Run] | None:
    """The furthest step that a training of ``steps`` can go on from, and whose; ``others`` begin as it does.

    Those of other versions are passed over.
    """
    best: tuple[int, Run] | None = None
    for other in others:
        usable = [s for s in checkpoint.steps_in(other.checkpoints) if s <= _limit(training, other, steps)]
        if usable and (best is None or usable[-1] > best[0]) and trained_alike(other):
            best = (usable[-1], other)
    return best


def trained_alike(other: Run) -> bool:
    """Whether every step of ``other`` was taken with the versions and the processor that are here, and so is the same
    bit for bit as one taken now."""
    mixed = any(isinstance(event, Warned) and event.code == OTHERS for event in other.events())
    return not mixed and not changed(other.path)


def _limit(training: Training, other: Run, steps: int) -> int:
    """The last step up to which ``other`` has everything that the new run wants."""
    same_format = other.plan()["training"]["snapshot_precision"] == training.snapshot_precision
    kept = set(other.snapshot_steps()) if same_format else set()
    # A snapshot at the very step that training goes on from is written by the new run itself.
    return min([steps, *(step for step in training.snapshot_steps(steps) if step not in kept)])


def take_beginning(run: Run, other: Run, step: int, plan: RunPlan, steps: int) -> int | None:
    """Copy what the first ``step`` steps of ``other`` left into a run of ``steps`` that goes the same way.

    The step that the run can go on from; None where the state of ``other`` is not there any more.
    """
    wanted = [s for s in plan.training.snapshot_steps(steps) if s <= step]
    for s in wanted:
        copy_folder(other.snapshots / step_name(s), run.snapshots / step_name(s))
    looking = plan.training.validation
    # How pictures are drawn is no part of a training without class images, but a row of previews is drawn one way.
    alike = other.plan()["generation"] == plan.generation.model_dump(mode="json")
    shown = [s for s in looking.preview.steps(steps) if alike and s <= step]
    drawn = {s for s in shown if (previews_of(other) / step_name(s)).is_dir()}
    for s in sorted(drawn):
        copy_folder(previews_of(other) / step_name(s), previews_of(run) / step_name(s))
    for event in other.events():
        if event.step <= step and belongs(event, wanted, looking.every, drawn):
            run.say(replace(event, steps=steps) if isinstance(event, Started) else event)
    # Last, because a run with a checkpoint is one that has begun: killed before this, it starts over.
    return checkpoint.adopt(other.checkpoints, run.checkpoints, step)


def belongs(event: Event, snapshots: Collection[int], every: int | None, previews: Collection[int] = ()) -> bool:
    """Whether a run with these snapshots, looks and previews would have said ``event`` itself.

    One that ended earlier also looked, and kept weights, at its own end.
    """
    if isinstance(event, SnapshotSaved):
        return event.step in snapshots
    if isinstance(event, Validated):
        return every is not None and (event.step % every == 0 or event.step in snapshots)
    if isinstance(event, Previewed):
        return event.step in previews
    return isinstance(event, Started | Stepped | Warned)
