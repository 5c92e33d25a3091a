"""`study`: all runs of a study, each training once, resumable at any moment; a failed run does not stop the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from filelock import FileLock, Timeout

from boothlab.api.averaging import make_run
from boothlab.api.resolving import Resolved, run_of
from boothlab.api.scoring import evaluate_run
from boothlab.api.studies.costs import StudyCost, costs_of_study, share_of, taken_before
from boothlab.api.studies.resolving import Study
from boothlab.api.studies.sharing import Drawn, branch
from boothlab.api.studies.traces import ENCODED, LOCK, PAIRS, mark
from boothlab.errors import BoothlabError, Cancelled, NoSpace, RunBusy, disk_errors
from boothlab.files import read_json, sweep_temporaries, write_json
from boothlab.progress import Progress, silent
from boothlab.runs.events import Event, Stepped
from boothlab.runs.run import Run
from boothlab.studies.share import Trunk
from boothlab.studies.trials import Trial

OUTCOMES = "outcomes.json"
"""File of the study's folder: what became of each training."""

EVALUATION = "evaluation"
"""Stage at which a training failed that is there, and could not be scored."""

Listen = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One training of the study: its run folder's name, the runs that it gives, and why it failed ("" if it did not).

    ``stage`` is where it failed: "planning" (of a trial), "training" or "evaluation".
    """

    folder: str
    runs: tuple[str, ...]
    stage: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Studied:
    """A study that was gone through: what became of every training, in order, and of every trial of a search."""

    study: Study
    outcomes: tuple[Outcome, ...]
    trials: tuple[Trial, ...] = ()

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The trainings that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.reason)


def go_through(
    study: Study,
    progress: Progress = silent,
    listen: Listen = lambda e: None,
    arrived: Callable[[Outcome], None] = lambda o: None,
) -> Studied:
    """Every training of a resolved study in turn; ``arrived`` hears what became of each. The caller holds the study's
    folder."""
    clock = Clock(costs_of_study(study), progress, taken_before(study))
    drawn, outcomes = Drawn(), []
    for index, trunk in enumerate(study.shared.trunks):
        resolved = study.of(trunk)
        with clock.turn(index, trunk, listen) as heard:
            run, stage, reason = train_and_score(study, trunk, resolved, drawn, progress, heard)
        outcomes.append(Outcome(run.name if run else "", tuple(trunk.members), stage, reason))
        note(study, outcomes)
        arrived(outcomes[-1])
    return Studied(study, tuple(outcomes))


def note(study: Study, outcomes: Sequence[Outcome], every: bool = False) -> None:
    """Write down what became of the trainings so far. Until it is told of ``every`` one, what an earlier call wrote
    of the others stays: why they failed must not be lost where this call is stopped before their turn."""
    told = {name for found in outcomes for name in found.runs}
    there = {planned.name for planned in study.runs}
    # Trials are not among the runs before their search has come to them.
    earlier = [
        found
        for found in ([] if every else noted(study))
        if told.isdisjoint(found.runs) and (study.plan.search is not None or there.issuperset(found.runs))
    ]
    write_json(study.place / OUTCOMES, {"format": 1, "outcomes": [_tree(found) for found in [*outcomes, *earlier]]})


def noted(study: Study) -> tuple[Outcome, ...]:
    """What an earlier call wrote down of the study's trainings; none where nothing was."""
    try:
        tree = read_json(study.place / OUTCOMES)
        return tuple(Outcome(o["folder"], tuple(o["runs"]), o["stage"], o["reason"]) for o in tree["outcomes"])
    except (OSError, ValueError, KeyError, TypeError, BoothlabError):
        return ()


def _tree(found: Outcome) -> dict[str, object]:
    return {"folder": found.folder, "runs": list(found.runs), "stage": found.stage, "reason": found.reason}


def train_and_score(
    study: Study,
    trunk: Trunk,
    resolved: Resolved,
    drawn: Drawn,
    progress: Progress = silent,
    listen: Listen = lambda e: None,
) -> tuple[Run | None, str, str]:
    """Train and score one trunk; its folder, and where and why it failed. What was trained is scored in any case."""
    made: list[Run] = []
    encoded = study.place / ENCODED

    def training() -> None:
        made.append(run_of(resolved, study.root))
        if trunk.stem is not None and made[0].status().state != "finished":
            stem = make_run(study.of(trunk, trunk.stem), study.root, progress, listen, encoded)
            branch(made[0], stem, trunk.branch, resolved.plan, trunk.steps)
        make_run(resolved, study.root, progress, listen, encoded)

    def evaluation() -> None:
        drawn.give(made[0], resolved.plan, resolved.inputs)
        evaluate_run(made[0], progress)
        drawn.add(made[0], resolved.plan, resolved.inputs)

    reason = attempt(training)
    stage = "training" if reason else ""
    if made and made[0].snapshot_steps():
        unscored = attempt(evaluation)
        if unscored and not reason:
            stage, reason = EVALUATION, unscored
    return (made[0] if made else None), stage, reason


def attempt(work: Callable[[], None]) -> str:
    """Why ``work`` failed; "" if it did not. What concerns the whole study is raised: Ctrl-C, a full disk."""
    try:
        work()
    except (Cancelled, NoSpace):
        raise
    except BoothlabError as error:
        return error.message
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in one run is that run's state, and is told
        return f"{type(error).__name__}: {error}"
    return ""


@contextmanager
def held(study: Study) -> Iterator[None]:
    """Hold the study's folder, and write down whose it is. Raises RunBusy when another process holds it."""
    place = study.place
    with disk_errors(place, f"make the study's folder {place}"):
        place.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise RunBusy(f"Another process is working on {place}.", "Wait for it to end, or stop it.") from None
    try:
        mark(place, study.names)
        # Encodings are written by the study's own trainings alone; half-written ones are of photos, and useless.
        own = (place, place / PAIRS, *(path for path in (place / ENCODED).rglob("*") if path.is_dir()))
        for folder in (path for path in own if path.is_dir()):
            sweep_temporaries(folder)
        yield
    finally:
        lock.release()


BELIEVED = 60.0
"""So many seconds of a study are taken to have gone as they were estimated. Loading comes before the first step, and
by its pace alone a study of two hours would be told, a minute long, to take days."""


class Clock:
    """How far the whole study is, in estimated seconds, and how long it will still take at the pace so far.

    Only what this call does counts: steps that an earlier one took say nothing of the pace. ``before`` maps numbers
    of trainings to what share of their own steps these are; where a training really begins is known when it does.
    """

    def __init__(self, cost: StudyCost, progress: Progress, before: Mapping[int, float]) -> None:
        self._costs, self._progress = cost.costs, progress
        self._before = dict(before)
        self._done = 0.0
        self._started = time.monotonic()

    @contextmanager
    def turn(self, index: int, trunk: Trunk, listen: Listen) -> Iterator[Listen]:
        """The turn of one trunk; yields what is to hear the training's events."""
        cost, begun = self._costs[index], self._done
        stepped = False

        def heard(event: Event) -> None:
            nonlocal stepped
            listen(event)
            if isinstance(event, Stepped) and not cost.finished:
                if not stepped:
                    stepped, self._before[index] = True, share_of(trunk, event.step - 1)
                self._done = max(self._done, begun + self._work(index, share_of(trunk, event.step)))
                self._tell()

        yield heard
        if not cost.finished:
            if not stepped:
                self._before[index] = 1.0  # trained to its end before, or it failed before its first step
            self._done = begun + self._work(index, 1.0) + cost.evaluation
            self._tell()

    def look(self, ended: Collection[int], reached: Mapping[int, float]) -> None:
        """Of trainings that go side by side: the numbers of those that ended, and what share of its steps each
        other one has taken."""
        for index, share in reached.items():
            # A worker goes on from a checkpoint, which lies before what the log of a killed one speaks of.
            if share > 0:
                self._before[index] = min(self._before.get(index, 0.0), share)
        self._done = sum(
            self._work(index, 1.0) + cost.evaluation if index in ended else self._work(index, reached.get(index, 0.0))
            for index, cost in enumerate(self._costs)
            if not cost.finished
        )
        self._tell()

    def _work(self, index: int, share: float) -> float:
        """Seconds of training that this call has done once such a share of its own steps is taken."""
        return self._costs[index].training * max(0.0, share - self._before.get(index, 0.0))

    def _tell(self) -> None:
        """In seconds that the whole will have taken, by its pace so far."""
        if self._done <= 0:
            return
        unfinished = [(index, cost) for index, cost in enumerate(self._costs) if not cost.finished]
        total = sum(self._work(index, 1.0) + cost.evaluation for index, cost in unfinished)
        passed = time.monotonic() - self._started
        pace = (passed + BELIEVED) / (self._done + BELIEVED)
        left = max(0.0, total - self._done) * pace
        self._progress("whole study (s)", round(passed), round(passed + left))
