"""What a study will take: time, memory and disk over all its trainings, with what they share counted once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from boothlab.api.class_requests import class_requests
from boothlab.api.estimating import Estimate, estimate
from boothlab.api.extending import beginning
from boothlab.api.inspecting import evaluation_size, own_pictures
from boothlab.api.relatives import has_drawn, relatives
from boothlab.api.remedies import ROOM
from boothlab.api.resolving import Resolved
from boothlab.api.space import Counts
from boothlab.api.studies.resolving import Study
from boothlab.errors import RunDamaged
from boothlab.models.speed import speed
from boothlab.plan import RunPlan, digest, trunk_digest
from boothlab.runs.run import Run, folder_name, runs_by_trunk, step_name
from boothlab.studies.share import Trunk, with_steps

BESIDE = 128_000_000
"""Bytes of pictures' vectors that are held from run to run beside a training, to compare sets as runs come in
(decision 055): of five runs at 128 px to LPIPS."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One training and its evaluation, in estimated seconds; ``finished`` ones take none.

    ``there`` counts those of its own steps that a run on this disk has taken already.
    """

    training: float
    evaluation: float
    finished: bool
    there: int = 0


@dataclass(frozen=True, slots=True)
class SearchCost:
    """The most that a search can take, were no trial ended early: trainings, steps, seconds, bytes."""

    trainings: int
    steps: int
    seconds: float
    memory: float
    disk: float


@dataclass(frozen=True, slots=True)
class StudyCost:
    """The whole study. ``seconds`` by stage of what is still to be done; bytes of memory at once and of disk in all.

    ``costs`` are those of the trunks, in their order; ``assumed`` says what had to be assumed.
    """

    costs: tuple[Cost, ...]
    seconds: Mapping[str, float]
    memory: float
    disk: float
    free_memory: float
    free_disk: float
    search: SearchCost | None = None
    assumed: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether memory and disk suffice, those of a search included."""
        memory, disk = self.memory, self.disk
        if self.search is not None:
            memory, disk = max(memory, self.search.memory), disk + self.search.disk
        return memory <= ROOM * self.free_memory and disk <= ROOM * self.free_disk


def costs_of_study(study: Study) -> StudyCost:
    """The estimate, from counted FLOPs and this machine's measured rate; nothing is loaded."""
    costs: list[Cost] = []
    seconds: dict[str, float] = {}
    memory, disk, free_memory, free_disk = 0.0, 0.0, 0.0, 0.0
    drawn: set[str] = set()
    assumed: dict[str, None] = {}
    stems: set[str] = set()
    on_disk = runs_by_trunk(study.root)
    for trunk in study.shared.trunks:
        resolved = study.of(trunk)
        finished = is_finished(folder_of(study.root, resolved))
        begun = [] if finished else on_disk.get(trunk_digest(resolved.plan, resolved.inputs) or "", [])
        found = _estimate(study, trunk, resolved, drawn, relatives(begun, resolved.plan))
        assumed |= dict.fromkeys(found.assumed)
        share = trunk.own / trunk.steps
        start = beginning(begun, resolved.plan.training, trunk.steps)
        left = trunk.own if start is None else min(trunk.own, trunk.steps - start[0])
        evaluation = found.seconds["evaluation pictures"]
        training = sum(found.seconds.values()) - evaluation - (1 - share) * found.seconds["training"]
        costs.append(Cost(training, evaluation, finished, trunk.own - left))
        # On a GPU they lie in the machine's memory, which is not what is counted.
        beside = BESIDE if len(study.runs) > 1 and resolved.plan.base.device != "cuda" else 0
        memory = max(memory, sum(found.memory.values()) + beside)
        free_memory, free_disk = found.free_memory, found.free_disk
        if finished:
            continue
        disk += sum(found.disk.values())
        if trunk.stem is not None and (stem := digest(trunk.stem, resolved.inputs)) not in stems:
            stems.add(stem)
            disk += sum(_of_stem(study, trunk, resolved, trunk.stem).disk.values())
        for stage, value in found.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + value * (left / trunk.steps if stage == "training" else 1.0)
    if seconds:
        seconds["fresh pictures"] = fresh_seconds(study)
    search = search_cost(study)
    if search is not None and not costs:
        found = _ahead(study, 0)
        free_memory, free_disk = found.free_memory, found.free_disk
    return StudyCost(tuple(costs), seconds, memory, disk, free_memory, free_disk, search, tuple(assumed))


def _of_stem(study: Study, trunk: Trunk, resolved: Resolved, stem: RunPlan) -> Estimate:
    """The estimate of the training that a trunk begins with, which has a run folder of its own and draws nothing."""
    counts = Counts(
        photos=sum(len(found.photos) for found in resolved.sets.values()),
        classes=0,
        steps=trunk.branch,
        snapshots=len(stem.training.snapshot_steps(trunk.branch)),
        pictures=0,
    )
    return estimate(stem, counts, speed(stem.base.device, stem.training.num_threads()), study.root)


def fresh_seconds(study: Study) -> float:
    """Each subject's recommended checkpoint is scored once more, on context pictures from other initial noises."""
    found = 0.0
    seen: set[str] = set()
    for trunk in study.shared.trunks:
        plan = study.of(trunk).plan
        for subject in plan.subjects:
            if subject.name not in seen:
                seen.add(subject.name)
                pictures = len(plan.evaluation.contexts()) * plan.evaluation.repeats()
                counts = Counts(photos=0, classes=0, steps=trunk.steps, snapshots=0, pictures=pictures)
                rate = speed(plan.base.device, plan.training.num_threads())
                found += estimate(plan, counts, rate, study.root).seconds["evaluation pictures"]
    return found


def search_cost(study: Study) -> SearchCost | None:
    """Every trial as dear as the dearest end of the ranges and none ended early; None without a search."""
    search = study.plan.search
    if search is None:
        return None
    count, rungs = search.trials * len(study.plan.seeds), len(search.rungs)
    found = [_ahead(study, index) for index in range(len(study.scouts))]
    # A training that cannot go on from a shorter one takes the steps of all rungs.
    lengths = [_whole(study, index) for index in range(len(study.scouts))]
    taken = [
        steps
        if trunk_digest(one.plan, dict(one.inputs)) is not None
        else round(steps * sum(search.rungs) / search.rungs[-1])
        for steps, one in zip(lengths, study.scouted, strict=True)
    ]
    # Memory is that of one training at a time; each rung of a trial has a run folder of its own.
    return SearchCost(
        trainings=count * rungs,
        steps=count * max(taken),
        seconds=count
        * max(
            sum(one.seconds.values())
            + one.seconds["training"] * (own / steps - 1)
            + (rungs - 1) * one.seconds["loading"]
            for one, own, steps in zip(found, taken, lengths, strict=True)
        ),
        memory=max(sum(one.memory.values()) for one in found),
        disk=count * rungs * max(sum(one.disk.values()) for one in found),
    )


def _whole(study: Study, index: int) -> int:
    """Steps of a whole training at one end of the search's ranges."""
    search, plan = study.plan.search, study.scouted[index].plan
    first = plan.training.total_steps(study.scouted[index].training_photos)
    return first if search is None else first * search.rungs[-1] // search.rungs[0]


def _ahead(study: Study, index: int) -> Estimate:
    """The estimate of a whole trial at one end of the search's ranges, scored at every rung, nothing shared."""
    search, resolved, steps = study.plan.search, study.scouted[index], _whole(study, index)
    rungs = (steps,) if search is None else tuple(steps * rung // search.rungs[-1] for rung in search.rungs)
    plan = with_steps(resolved.plan, steps, rungs[:-1])
    trunk = Trunk(plan, resolved.inputs, steps, {}, own=steps)
    return _estimate(study, trunk, replace(resolved, plan=plan), set())


def folder_of(root: Path, resolved: Resolved) -> Run:
    """The run folder of a resolved plan, made or not."""
    return Run(root / folder_name(resolved.plan.name, digest(resolved.plan, resolved.inputs)))


def is_finished(run: Run) -> bool:
    """Whether the run is trained to its end and scored. One whose state cannot be read is not, and fails alone."""
    there = (run.path / "plan.json").is_file() and (run.path / "summary.json").is_file()
    with suppress(RunDamaged):
        return there and run.status().state == "finished"
    return False


def ended_at(run: Run, trunk: Trunk, step: int) -> int:
    """The step of a member's snapshot: the one planned, or an earlier one where the training ended early."""
    if trunk.plan.training.validation.patience is None or not is_finished(run):
        return step
    return min([step, *run.snapshot_steps()[-1:]])


def share_of(trunk: Trunk, step: int) -> float:
    """What share of its own steps a training has taken by ``step``."""
    return min(1.0, max(0.0, (step - (trunk.steps - trunk.own)) / trunk.own)) if trunk.own else 1.0


def taken_before(study: Study) -> dict[int, float]:
    """Number of a training → what share of its own steps is there, taken by itself or by a run that it goes on from.

    At most: a run that died goes on from its last checkpoint, and not every beginning can be taken over.
    """
    reached = {key: max(run.reached() for run in runs) for key, runs in runs_by_trunk(study.root).items()}
    found = {}
    for index, trunk in enumerate(study.shared.trunks):
        key = trunk_digest(trunk.stem or trunk.plan, dict(trunk.inputs)) or ""
        others = min(reached.get(key, 0), trunk.steps if trunk.stem is None else trunk.branch)
        found[index] = share_of(trunk, max(others, folder_of(study.root, study.of(trunk)).reached()))
    return found


def _estimate(
    study: Study, trunk: Trunk, resolved: Resolved, drawn: set[str], before: Sequence[Run] = ()
) -> Estimate:
    """The estimate of one trunk; ``drawn`` holds what an earlier one draws for it, and is added to.

    ``before`` are runs that have drawn pictures of the same training.
    """
    plan = resolved.plan
    requests = class_requests(plan, resolved.inputs["base"], resolved.sets).values()
    classes = sum(request.undrawn() for request in requests if request.key() not in drawn)
    drawn |= {request.key() for request in requests}
    steps = plan.training.snapshot_steps(trunk.steps)
    pictures = evaluation_size(plan, len(steps))
    new = [step for step in steps if not any(has_drawn(run, step_name(step)) for run in before)]
    left = evaluation_size(plan, len(new))
    base = f"{plan.evaluation.model_dump_json()}{plan.generation.model_dump_json()}{[s.name for s in plan.subjects]}"
    if base in drawn:
        pictures -= evaluation_size(plan, 0)
    if base in drawn or before:
        left -= evaluation_size(plan, 0)
    drawn.add(base)
    latents = {
        f"latents {found.content_hash} {photo.name}" for found in resolved.sets.values() for photo in found.photos
    }
    encoded = len(latents & drawn)
    drawn |= latents
    counts = Counts(
        photos=sum(len(found.photos) for found in resolved.sets.values()),
        encoded=encoded,
        classes=0 if trunk.of else classes,
        given=0 if trunk.of else own_pictures(plan),
        steps=0 if trunk.of else trunk.steps,
        snapshots=len(steps),
        pictures=pictures,
        drawn=pictures - left,
    )
    return estimate(plan, counts, speed(plan.base.device, plan.training.num_threads()), study.root)
