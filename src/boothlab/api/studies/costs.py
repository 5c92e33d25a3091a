"""What a study will take: time, memory and disk over all its trainings, with what they share counted once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from boothlab.api.class_requests import class_requests
from boothlab.api.estimating import Estimate, asked_for, estimate_of
from boothlab.api.extending import beginning
from boothlab.api.inspecting import evaluation_size, own_pictures
from boothlab.api.relatives import has_drawn, relatives
from boothlab.api.remedies import ROOM, Asked, Remedy, most_memory, remedies_for, whole_disk
from boothlab.api.resolving import Resolved
from boothlab.api.space import Counts
from boothlab.api.studies.resolving import Study
from boothlab.errors import RunDamaged
from boothlab.models.speed import speed
from boothlab.plan import RunPlan, digest, trunk_digest
from boothlab.runs.run import Run, folder_name, runs_by_trunk, step_name
from boothlab.studies.share import Trunk, to_go_on_from, with_steps

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
    """The whole study. ``seconds`` by stage of what is still to be done; bytes of memory at once and of disk in all,
    of trainings that come one after the other.

    ``costs`` are those of the trunks, in their order; ``assumed`` says what had to be assumed. ``host`` is main
    memory by item where ``memory`` is a GPU's; ``remedies`` are settings of the base plan by what there is too little
    of, and ``rarer`` is a larger checkpoint_every where writing checkpoints takes long beside the steps.
    """

    costs: tuple[Cost, ...]
    seconds: Mapping[str, float]
    memory: float
    disk: float
    free_memory: float
    free_disk: float
    search: SearchCost | None = None
    assumed: tuple[str, ...] = ()
    host: Mapping[str, float] = field(default_factory=dict)
    free_host: float = 0.0
    remedies: tuple[tuple[str, Remedy], ...] = ()
    rarer: int | None = None

    @property
    def fits(self) -> bool:
        """Whether memory and disk suffice, those of a search included."""
        memory, disk = self.memory, self.disk
        if self.search is not None:
            memory, disk = max(memory, self.search.memory), disk + self.search.disk
        pairs = ((memory, self.free_memory), (sum(self.host.values()), self.free_host), (disk, self.free_disk))
        return all(taken <= ROOM * free for taken, free in pairs)


def costs_of_study(study: Study) -> StudyCost:
    """The estimate, from counted FLOPs and this machine's measured rate; nothing is loaded."""
    costs: list[Cost] = []
    seconds: dict[str, float] = {}
    most: Estimate | None = None
    memory, host = 0.0, dict[str, float]()
    asked: list[Asked] = []
    rarer: list[int] = []
    drawn: set[str] = set()
    assumed: dict[str, None] = {}
    stems: set[str] = set()
    on_disk = runs_by_trunk(study.root)
    for trunk in study.shared.trunks:
        resolved = study.of(trunk)
        finished = is_finished(folder_of(study.root, resolved))
        begun = [] if finished else on_disk.get(trunk_digest(resolved.plan, resolved.inputs) or "", [])
        counts = _counts(trunk, resolved, drawn, relatives(begun, resolved.plan))
        own = asked_for(resolved.plan, counts, trunk.begins)
        found = _estimate(own, study.root)
        assumed |= dict.fromkeys(found.assumed)
        share = trunk.own / trunk.steps
        start = beginning(begun, resolved.plan.training, trunk.steps)
        left = trunk.own if start is None else min(trunk.own, trunk.steps - start[0])
        evaluation = found.seconds["evaluation pictures"]
        training = sum(found.seconds.values()) - evaluation - (1 - share) * found.seconds["training"]
        costs.append(Cost(training, evaluation, finished, trunk.own - left))
        # Beside a GPU they lie in the machine's own memory.
        beside = {"pictures' vectors": BESIDE} if len(study.runs) > 1 else {}
        memory = max(memory, sum((found.memory if found.host else {**found.memory, **beside}).values()))
        host = max(host, {**found.host, **beside} if found.host else {}, key=lambda by_item: sum(by_item.values()))
        most = found
        if finished:
            continue
        asked.append(own)
        rarer += [] if found.rarer is None else [found.rarer]
        if trunk.stem is not None and (stem := digest(trunk.stem, resolved.inputs)) not in stems:
            stems.add(stem)
            asked.append(_of_stem(trunk, resolved, trunk.stem))
        for stage, value in found.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + value * (left / trunk.steps if stage == "training" else 1.0)
    if seconds:
        seconds["fresh pictures"] = fresh_seconds(study)
    trials = _trials(study)
    search = search_cost(study, trials)
    most = _ahead(study, 0) if most is None else most
    return StudyCost(
        costs=tuple(costs),
        seconds=seconds,
        memory=memory,
        disk=whole_disk(asked),
        free_memory=most.free_memory,
        free_disk=most.free_disk,
        search=search,
        assumed=tuple(assumed),
        host=host,
        free_host=most.free_host,
        remedies=tuple(_remedies(study, [*asked, *trials], most)),
        rarer=max(rarer, default=None),
    )


def _remedies(study: Study, asked: Sequence[Asked], machine: Estimate) -> Iterator[tuple[str, Remedy]]:
    """Which settings of the base plan would make all trainings fit; what runs differ in is not to be changed."""
    search = study.plan.search
    fixed = {path for planned in study.runs for path in planned.values} | {*(search.ranges if search else ())}
    # What a snapshot on the way is for, no run says; and a strategy is not replaced whose parts are compared.
    fixed |= {"training.snapshots"} | {"strategy" for path in fixed if path.startswith("strategy.")}
    for what, taken, free in (
        ("memory", most_memory, machine.free_memory),
        ("disk", whole_disk, machine.free_disk),
    ):
        if taken(asked) > ROOM * free:
            for remedy in remedies_for(what, asked, free, fixed):
                yield what, remedy


def _of_stem(trunk: Trunk, resolved: Resolved, stem: RunPlan) -> Asked:
    """The training that a trunk begins with, which has a run folder of its own and draws nothing."""
    counts = Counts(
        photos=sum(len(found.photos) for found in resolved.sets.values()),
        classes=0,
        steps=trunk.branch,
        snapshots=len(stem.training.snapshot_steps(trunk.branch)),
        pictures=0,
    )
    return asked_for(stem, counts, begins=True)


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
                found += _estimate(asked_for(plan, counts), study.root).seconds["evaluation pictures"]
    return found


def search_cost(study: Study, trials: Sequence[Asked]) -> SearchCost | None:
    """Every trial as dear as the dearest end of the ranges and none ended early; None without a search."""
    search = study.plan.search
    if search is None:
        return None
    count, rungs = search.most * len(study.plan.seeds), len(search.rungs)
    found = [_ahead(study, index) for index in range(len(study.scouts))]
    # A training that cannot go on from a shorter one takes the steps of all rungs.
    lengths = [_whole(study, index) for index in range(len(study.scouts))]
    taken = [
        steps
        if trunk_digest(one.plan, dict(one.inputs)) is not None
        else round(steps * sum(search.rungs) / search.rungs[-1])
        for steps, one in zip(lengths, study.scouted, strict=True)
    ]
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
        disk=whole_disk(trials),
    )


def _trials(study: Study) -> list[Asked]:
    """The trainings of a search, each as large as the largest; each rung of a trial has a run folder of its own."""
    search = study.plan.search
    if search is None:
        return []
    ends = [asked_for(*_whole_trial(study, index), begins=True) for index in range(len(study.scouts))]
    largest = max(ends, key=lambda one: whole_disk([one]))
    return [replace(largest, times=search.most * len(study.plan.seeds) * len(search.rungs))]


def _whole(study: Study, index: int) -> int:
    """Steps of a whole training at one end of the search's ranges."""
    search, plan = study.plan.search, study.scouted[index].plan
    first = plan.training.total_steps(study.scouted[index].training_photos)
    return first if search is None else first * search.rungs[-1] // study.scouts[index].values[search.steps]


def _ahead(study: Study, index: int) -> Estimate:
    """The estimate of a whole trial at one end of the search's ranges."""
    return _estimate(asked_for(*_whole_trial(study, index)), study.root)


def _whole_trial(study: Study, index: int) -> tuple[RunPlan, Counts]:
    """A whole trial at one end of the search's ranges, scored at every rung, nothing shared."""
    search, resolved, steps = study.plan.search, study.scouted[index], _whole(study, index)
    rungs = (steps,) if search is None else tuple(steps * rung // search.rungs[-1] for rung in search.rungs)
    plan = with_steps(to_go_on_from(resolved.plan), steps, rungs[:-1])
    trunk = Trunk(plan, resolved.inputs, steps, {}, own=steps)
    return plan, _counts(trunk, replace(resolved, plan=plan), set())


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


def _estimate(asked: Asked, root: Path) -> Estimate:
    plan = asked.plan
    return estimate_of(asked, speed(plan.base.device, plan.training.num_threads()), root)


def _counts(trunk: Trunk, resolved: Resolved, drawn: set[str], before: Sequence[Run] = ()) -> Counts:
    """What there is to do for one trunk; ``drawn`` holds what an earlier one draws for it, and is added to.

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
    return Counts(
        photos=sum(len(found.photos) for found in resolved.sets.values()),
        encoded=encoded,
        classes=0 if trunk.of else classes,
        given=0 if trunk.of else own_pictures(plan),
        steps=0 if trunk.of else trunk.steps,
        snapshots=len(steps),
        pictures=pictures,
        drawn=pictures - left,
    )
