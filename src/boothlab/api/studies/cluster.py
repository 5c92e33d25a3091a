"""The same study on a Ray cluster: one task per training; Ray places, watches and retries them.

Run folders lie on storage that all nodes share under one path; a task whose worker dies is started again by Ray and
goes on from its checkpoint. Every training on a processor keeps the threads of its plan, so the scores are those of
one machine. A GPU adds up in an order of its own; what is left to the processor beside it takes its share of cores.
"""

from __future__ import annotations

import importlib
import os
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from boothlab.api.studies.costs import costs_of_study, folder_of, is_finished, share_of, taken_before
from boothlab.api.studies.resolving import Study
from boothlab.api.studies.running import Clock, Outcome, Studied, note, train_and_score
from boothlab.api.studies.sharing import Drawn
from boothlab.errors import Cancelled, MachineError, NoSpace, PlanError
from boothlab.progress import Progress, silent
from boothlab.studies.share import Trunk
from boothlab.training.threads import at_most

RETRIES = 3
"""How often a training whose worker died is started again; what it had saved is not lost."""

POLL_SECONDS = 2.0

ANSWER_SECONDS = 10.0
"""So long a cluster may take to answer; Ray itself goes on asking for a quarter of an hour."""

NAMED = ("auto", "local")
"""Addresses that name no port: of the cluster that is found, and of a new one on this machine."""

PORTED = re.compile(r"(?:ray://)?(?P<host>\[[^\s\]]+\]|[^\s:/]+):(?P<port>\d{1,5})")


def require_answer(address: str | None) -> None:
    """To be asked before a study is held. Raises PlanError for what is no address, MachineError where nobody listens
    at it."""
    if address is None or address in NAMED:
        return
    found = PORTED.fullmatch(address)
    wrong = PlanError(f"--ray {address!r} is no address; give HOST:PORT, ray://HOST:PORT or auto.")
    if found is None or not 0 < int(found["port"]) < 2**16:
        raise wrong
    try:
        socket.create_connection((found["host"].strip("[]"), int(found["port"])), ANSWER_SECONDS).close()
    except UnicodeError:
        raise wrong from None  # a name that no machine can have
    except OSError as error:
        raise _silent(address, error) from error


def _silent(address: str, error: Exception) -> MachineError:
    return MachineError(f"The Ray cluster {address} does not answer: {error}.", "Start it: ray start --head")


@contextmanager
def cluster(address: str | None) -> Iterator[Any]:
    """Ray, connected to the cluster at ``address`` until the block ends; None, without Ray, where that is None.

    "auto" is the cluster that this machine belongs to, or a new one of this machine alone. One connection serves a
    whole study, so that workers without a GPU load their libraries once and not for every rung of a search. Raises
    MachineError where Ray is not installed or the cluster does not answer.
    """
    if address is None:
        yield None
        return
    ray = connected(address)
    try:
        yield ray
    finally:
        ray.shutdown()


def go_through_on_ray(
    study: Study,
    ray: Any,
    progress: Progress = silent,
    wanted: Sequence[int] | None = None,
    drawn: Drawn | None = None,
    arrived: Callable[[Outcome], None] = lambda o: None,
) -> Studied:
    """Every training of a resolved study (or those of ``wanted`` numbers) as a task of a connected cluster.

    ``drawn`` are evaluated runs that give what they have, besides the study's own; ``arrived`` hears what became of
    each training. The caller holds the study's folder. Raises MachineError where no node is large enough, NoSpace on
    a full disk.
    """
    numbers = range(len(study.shared.trunks)) if wanted is None else wanted
    trunks = study.shared.trunks
    require_room(ray, [trunks[index] for index in numbers])
    # What an earlier call trained comes back at once: told as done from the start, it promises nothing of the rest.
    runs = {index: folder_of(study.root, study.of(trunks[index])) for index in numbers}
    before = {index for index in numbers if is_finished(runs[index])}
    # A rung of a search is no study whose end could be told. What is there is asked before any worker adds to it.
    clock = Clock(costs_of_study(study), progress, taken_before(study)) if wanted is None else None
    tasks, rooms = declared(ray), rooms_of(ray)
    given, givers = ray.put(study), ray.put(drawn or Drawn())
    waiting: dict[Any, int] = {}

    def start(index: int) -> None:
        needs = resources(trunks[index], rooms)
        placed = tasks[needs["num_gpus"]].options(**needs, max_retries=RETRIES)
        threads = needs["num_cpus"] if needs["num_gpus"] else None
        waiting[placed.remote(given, index, givers, threads)] = index

    # Ray is given one when those that it waits for have ended, well or not: of a task that waits, in Ray, for a lost
    # one it says that it is lost too.
    held = waits(trunks, numbers)
    heirs = Counter(other for others in held.values() for other in others)

    def start_what_may() -> None:
        free = [index for index, others in held.items() if not others]
        # The longest way to the end comes first.
        for index in sorted(free, key=lambda index: -heirs[index]):
            del held[index]
            start(index)

    start_what_may()
    outcomes: dict[int, Outcome] = {}
    total = len(numbers)
    progress("trainings", len(before), total)
    while waiting:
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=POLL_SECONDS)
        for reference in done:
            index = waiting.pop(reference)
            outcomes[index] = _outcome(ray, reference, trunks[index])
            for others in held.values():
                others.discard(index)
            start_what_may()
            if wanted is None:
                note(study, [outcomes[k] for k in sorted(outcomes)])
            arrived(outcomes[index])
        progress("trainings", len(before | outcomes.keys()), total)
        if clock is not None:
            going = {index: share_of(trunks[index], runs[index].reached()) for index in waiting.values()}
            clock.look(outcomes.keys(), going)
    return Studied(study, tuple(outcomes[k] for k in sorted(outcomes)))


def waits(trunks: Sequence[Trunk], numbers: Sequence[int]) -> dict[int, set[int]]:
    """Number of a training → those of ``numbers`` that must have ended before it begins.

    Trainings of one family go one after the other: each starts from where the one before it ended. A mean of other
    runs' weights waits for all that give them.
    """
    families: dict[str, list[int]] = {}
    giver = {name: index for index in numbers for name in trunks[index].members}
    found: dict[int, set[int]] = {}
    for index in numbers:
        trunk = trunks[index]
        before = families.setdefault(trunk.family, []) if trunk.family else []
        found[index] = {*before, *(giver[name] for name in trunk.of if name in giver)}
        before.append(index)
    return found


def connected(address: str) -> Any:
    """Ray, connected to a cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray = importlib.import_module("ray")
    except ImportError:
        raise MachineError("Ray is not installed.", "Install it: pip install ray") from None
    names = ("BOOTHLAB_HOME",)
    environment = {name: os.environ[name] for name in names if name in os.environ}
    options: dict[str, Any] = {
        "runtime_env": {"env_vars": environment},
        "log_to_driver": False,
        "logging_level": "ERROR",
    }
    try:
        try:
            ray.init(address=address, **options)
        except ConnectionError:
            if address != "auto":
                raise
            ray.init(include_dashboard=False, **options)
    except (ConnectionError, RuntimeError, OSError) as error:
        raise _silent(address, error) from error
    return ray


def declared(ray: Any) -> dict[int, Any]:
    """GPUs of a training → the task that does it.

    A worker that had a GPU ends with its task: the next one would find its memory still taken, and a process stays
    on the card that it began with, whichever Ray gives it later. Ray takes that where a function is declared, and
    not in its options.
    """
    return {0: ray.remote(_task), 1: ray.remote(max_calls=1)(_task)}


def rooms_of(ray: Any) -> list[tuple[int, int]]:
    """CPUs and GPUs of every node that is there."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in nodes]


def resources(trunk: Trunk, rooms: Sequence[tuple[int, int]]) -> dict[str, int]:
    """What a training needs of a node: its plan's threads, or a GPU to itself and that GPU's share of the cores.

    With all cores for each, as many as a plan takes that names none, the GPUs of a node would work one at a time. Ray
    asks the same of every node, so that the one with the fewest cores to a GPU decides.
    """
    threads = trunk.plan.training.num_threads()
    if trunk.plan.base.device == "cuda":
        share = min((cpus // gpus for cpus, gpus in rooms if gpus), default=1)
        return {"num_cpus": max(1, min(threads, share)), "num_gpus": 1}
    return {"num_cpus": threads, "num_gpus": 0}


def require_room(ray: Any, trunks: Sequence[Trunk]) -> None:
    """Raises MachineError for a training too large for every node: Ray would wait for one, and say nothing."""
    room = rooms_of(ray)
    for trunk in trunks:
        cpus, gpus = resources(trunk, room).values()
        if not any(cpus <= has_cpus and gpus <= has_gpus for has_cpus, has_gpus in room):
            largest = max(room, key=lambda node: (node[1] >= gpus, node[0]), default=(0, 0))
            raise MachineError(
                f"A training needs {cpus} CPUs and {gpus} GPUs of one node (training.threads, base.device); of the "
                f"Ray cluster's {len(room)} nodes the largest has {largest[0]} and {largest[1]}.",
                "Lower training.threads, or add a node that is large enough.",
            )


def idle_gpus(study: Study, ray: Any) -> str:
    """A sentence where plans that leave the device open are for processors, and the cluster has GPUs; else ""."""
    gpus = sum(gpus for _, gpus in rooms_of(ray))
    both = zip((*study.runs, *study.scouts), (*study.resolved, *study.scouted), strict=True)
    left_open = any(one.plan.base.device == "auto" and found.plan.base.device == "cpu" for one, found in both)
    if not gpus or not left_open:
        return ""
    return (
        f"The trainings go to processors, and GPUs of the Ray cluster ({gpus}) stay idle: base.device is auto, which "
        "is decided on the machine that starts the study, and this one has no GPU. Start it on one that has; or say "
        "base.device = cpu where that is meant."
    )


def _task(study: Study, index: int, drawn: Drawn, threads: int | None) -> tuple[str, str, str]:
    """In a worker: train and score one trunk, with no more than so many threads of the processor; folder, stage and
    reason as in :class:`Outcome`."""
    trunk = study.shared.trunks[index]
    for other in study.shared.trunks:
        resolved = study.of(other)
        run = folder_of(study.root, resolved)
        if is_finished(run):
            drawn.add(run, resolved.plan, resolved.inputs)
    with at_most(threads):
        run_made, stage, reason = train_and_score(study, trunk, study.of(trunk), drawn)
    return (run_made.name if run_made else ""), stage, reason


def _outcome(ray: Any, reference: Any, trunk: Trunk) -> Outcome:
    """What became of a task; one whose worker died too often is a training that failed."""
    try:
        folder, stage, reason = ray.get(reference)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, NoSpace | Cancelled):
            raise cause from None  # the worker is well, and what it raised concerns the whole study
        last = str(error).strip().splitlines()[-1]
        return Outcome("", tuple(trunk.members), "training", f"its worker was lost: {last}")
    return Outcome(folder, tuple(trunk.members), stage, reason)
