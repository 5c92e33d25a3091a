"""What a study will take: time, memory and disk over all its trainings, with what they share counted once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from boothlab.api.class_requests import class_requests
from boothlab.api.estimating import ROOM, Counts, Estimate, estimate
from boothlab.api.inspecting import evaluation_size, own_pictures
from boothlab.api.resolving import Resolved
from boothlab.api.study_resolving import Study
from boothlab.models.speed import speed
from boothlab.plan import digest
from boothlab.runs.run import Run, folder_name
from boothlab.studies.share import Trunk


@dataclass(frozen=True, slots=True)
class Cost:
    """One training and its evaluation, in estimated seconds; ``finished`` ones take none."""

    training: float
    evaluation: float
    finished: bool


@dataclass(frozen=True, slots=True)
class StudyCost:
    """The whole study. ``seconds`` by stage of what is still to be done; bytes of memory at once and of disk in all.

    ``costs`` are those of the trunks, in their order.
    """

    costs: tuple[Cost, ...]
    seconds: Mapping[str, float]
    memory: float
    disk: float
    free_memory: float
    free_disk: float

    @property
    def fits(self) -> bool:
        """Whether memory and disk suffice."""
        return self.memory <= ROOM * self.free_memory and self.disk <= ROOM * self.free_disk


def costs_of_study(study: Study) -> StudyCost:
    """The estimate, from counted FLOPs and this machine's measured rate; nothing is loaded."""
    costs: list[Cost] = []
    seconds: dict[str, float] = {}
    memory, disk, free_memory, free_disk = 0.0, 0.0, 0.0, 0.0
    drawn: set[str] = set()
    for trunk in study.shared.trunks:
        resolved = study.of(trunk)
        found = _estimate(study, trunk, resolved, drawn)
        share = trunk.own / trunk.steps
        finished = is_finished(folder_of(study.root, resolved))
        evaluation = found.seconds["evaluation pictures"]
        training = sum(found.seconds.values()) - evaluation - (1 - share) * found.seconds["training"]
        costs.append(Cost(training, evaluation, finished))
        memory = max(memory, sum(found.memory.values()))
        free_memory, free_disk = found.free_memory, found.free_disk
        if finished:
            continue
        disk += sum(found.disk.values())
        for stage, value in found.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + value * (share if stage == "training" else 1.0)
    return StudyCost(tuple(costs), seconds, memory, disk, free_memory, free_disk)


def folder_of(root: Path, resolved: Resolved) -> Run:
    """The run folder of a resolved plan, made or not."""
    return Run(root / folder_name(resolved.plan.name, digest(resolved.plan, resolved.inputs)))


def is_finished(run: Run) -> bool:
    """Whether the run is trained to its end and scored."""
    there = (run.path / "plan.json").is_file() and (run.path / "summary.json").is_file()
    return there and run.status().state == "finished"


def _estimate(study: Study, trunk: Trunk, resolved: Resolved, drawn: set[str]) -> Estimate:
    """The estimate of one trunk; ``drawn`` holds what an earlier one draws for it, and is added to."""
    plan = resolved.plan
    requests = class_requests(plan, resolved.inputs["base"]).values()
    classes = sum(request.undrawn() for request in requests if request.key() not in drawn)
    drawn |= {request.key() for request in requests}
    snapshots = len(plan.training.snapshot_steps(trunk.steps))
    pictures = evaluation_size(plan, snapshots)
    base = f"{plan.evaluation.model_dump_json()}{plan.generation.model_dump_json()}{[s.name for s in plan.subjects]}"
    if base in drawn:
        pictures -= evaluation_size(plan, 0)
    drawn.add(base)
    latents = {
        f"latents {found.content_hash} {photo.name}" for found in resolved.sets.values() for photo in found.photos
    }
    encoded = len(latents & drawn)
    drawn |= latents
    counts = Counts(
        photos=sum(len(found.photos) for found in resolved.sets.values()),
        encoded=encoded,
        classes=classes,
        given=own_pictures(plan),
        steps=trunk.steps,
        snapshots=snapshots,
        pictures=pictures,
    )
    return estimate(plan, counts, speed(plan.base.device, plan.training.num_threads()), study.root)
