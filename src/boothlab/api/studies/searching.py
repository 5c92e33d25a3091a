"""The search of a study: trial after trial, rung by rung, each rung the same training taken further.

The record of trials is a file of the study's folder, written after every change. All that is decided (what is tried,
who goes on) follows from it and from the scores in the run folders, so a search that was killed ends as one that was
not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from boothlab.api.resolving import Resolved, contents_of
from boothlab.api.scoring import evaluate_run
from boothlab.api.studies.cluster import go_through_on_ray
from boothlab.api.studies.costs import ended_at, folder_of, is_finished
from boothlab.api.studies.photos import settle_photos
from boothlab.api.studies.resolving import Study, members_of, only, resolve_all
from boothlab.api.studies.running import EVALUATION, Outcome, Studied, attempt, note, train_and_score
from boothlab.api.studies.sharing import Drawn
from boothlab.errors import BoothlabError, PhotoError, PlanError
from boothlab.evaluation.derived import Scale, Table, identity_scale
from boothlab.evaluation.scores import read_scores
from boothlab.files import read_json, sha256_json, write_json
from boothlab.plan import trunk_digest
from boothlab.progress import Progress, silent
from boothlab.runs.run import Run, step_name
from boothlab.studies.expand import Planned, axis_name, expand, shown
from boothlab.studies.points import of_subject
from boothlab.studies.search import Search
from boothlab.studies.share import Shared, Trunk, to_go_on_from, with_steps
from boothlab.studies.trials import Trial, propose, require_optuna, score_of, scored

TRIALS = "trials.json"
"""File of the study's folder: the trials so far."""


def search_through(studied: Studied, progress: Progress = silent, ray: Any = None) -> Studied:
    """All trials of the study's search, as more runs of the study; what it was is returned without a search.

    The caller holds the study's folder. Trainings go on here, or on the cluster that ``ray`` is connected to; those
    that fail end their trial and nothing else, and the next call tries them again.
    """
    search = studied.study.plan.search
    if search is None:
        return studied
    going = _Searching(studied, search, progress, ray)
    for number in range(search.most):
        going.through(number)
        progress("trials", number + 1, search.most)
    whole = going.whole()
    note(whole.study, whole.outcomes, every=True)
    return whole


def search_so_far(studied: Studied) -> Studied:
    """The trials that were written down, as far as their rungs are still there; nothing is trained or written."""
    search = studied.study.plan.search
    if search is None:
        return studied
    going = _Searching(studied, search, silent, None)
    for trial in going.recorded[: search.most]:  # more of them were asked for once
        going.revisit(trial)
    return going.whole()


@dataclass(frozen=True, slots=True)
class _Rung:
    """One rung of one trial: its runs (one per training seed), resolved, and a training each."""

    runs: tuple[Planned, ...]
    resolved: tuple[Resolved, ...]
    trunks: tuple[Trunk, ...]


@dataclass(slots=True)
class _Searching:
    """A search under way: the trials, and every rung that was trained for them."""

    studied: Studied
    search: Search
    progress: Progress
    ray: Any
    history: list[Trial] = field(init=False)
    recorded: list[Trial] = field(init=False)
    rungs: list[_Rung] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    scales: dict[str, Scale] = field(default_factory=dict)
    photos: dict[Path, Mapping[str, str]] = field(default_factory=dict)
    drawn: Drawn = field(default_factory=Drawn)

    def __post_init__(self) -> None:
        self.history, self.recorded = [], recorded_trials(self.study)
        for trunk in self.study.shared.trunks:
            resolved = self.study.of(trunk)
            run = folder_of(self.study.root, resolved)
            if is_finished(run):
                self.drawn.add(run, resolved.plan, resolved.inputs)

    @property
    def study(self) -> Study:
        return self.studied.study

    def through(self, number: int) -> None:
        """Take one trial to its end: the recorded settings of that number, or the next ones."""
        known = self.recorded[number].params if number < len(self.recorded) else None
        trial = propose(self.search, self.history) if known is None else Trial(number, known)
        self._record(trial)
        while trial.state == "running":
            reason, score = self._rung(trial)
            if score is None:
                trial = replace(trial, state="failed", reason=reason)
            else:
                trial = scored(self.search, self.history, trial, score)
            self._record(trial)
        self.history.append(trial)

    def revisit(self, trial: Trial) -> None:
        """Take over a trial as it was written down: rungs that were scored, and the one that failed."""
        for count in range(len(trial.scores) + (trial.state == "failed")):
            before = replace(trial, scores=trial.scores[:count])
            try:
                rung = planned_rung(self.study, self.search, before)
            except (PlanError, PhotoError):
                break  # why is in the outcomes
            part = self._part(rung)
            there = all(is_finished(folder_of(self.study.root, part.of(trunk))) for trunk in rung.trunks)
            if count < len(trial.scores) and not there:
                trial = replace(before, state="running")
                break
            self.rungs.append(rung)
        self.history.append(trial)

    def _part(self, rung: _Rung) -> Study:
        """The study with the runs of one rung alone."""
        return replace(self.study, runs=rung.runs, resolved=rung.resolved, shared=Shared(rung.trunks, 0, 0))

    def _record(self, trial: Trial) -> None:
        """Write the trials down; those that an earlier call went further with are not lost before their turn."""
        later = self.recorded[trial.number + 1 :]
        write_record(self.study, [*self.history, trial, *later])

    def _rung(self, trial: Trial) -> tuple[str, float | None]:
        """Train and score the next rung of a trial: why it failed, and the score."""
        try:
            rung = planned_rung(self.study, self.search, trial)
        except (PlanError, PhotoError) as error:
            self.outcomes.append(Outcome("", (rung_name(self.search, trial),), "planning", error.message))
            return error.message, None
        self._require_same_photos(trial)
        self.rungs.append(rung)
        outcomes = self._trained(rung)
        reasons = [outcome.reason for outcome in outcomes if outcome.reason]
        score = None if reasons else self._score(rung)
        if score is None and not reasons:
            # What was trained without a score was trained for nothing: that is told as any other failure is.
            reasons = [f"{_WANTED[self.search.score]} could not be measured"]
            outcomes = [replace(outcome, stage=EVALUATION, reason=reasons[0]) for outcome in outcomes]
        self.outcomes += outcomes
        return (reasons or [""])[0], score

    def _require_same_photos(self, trial: Trial) -> None:
        """Raises PlanError where a folder of photos is not what it was: trials on others would not be comparable."""
        for planned in planned_runs(self.study, self.search, trial):
            references = planned.plan.photos.references
            folders = [subject.photos for subject in planned.plan.subjects]
            for folder in folders if references is None else [*folders, references]:
                found = contents_of(folder) if folder.is_dir() else {}
                if self.photos.setdefault(folder, found) != found:
                    raise PlanError(
                        f"The photos in {folder} changed while the search went on; trials would not be comparable.",
                        "Call `boothlab study` again: the search starts anew with the photos as they are now.",
                    )

    def _trained(self, rung: _Rung) -> list[Outcome]:
        part = self._part(rung)
        found: dict[int, Outcome] = {}
        for index, trunk in enumerate(rung.trunks):
            run = folder_of(self.study.root, part.of(trunk))
            if is_finished(run):
                reason = attempt(partial(self._score_again, run))
                found[index] = Outcome(run.name, tuple(trunk.members), EVALUATION if reason else "", reason)
        waiting = [index for index in range(len(rung.trunks)) if index not in found]
        if self.ray is not None and waiting:
            done = go_through_on_ray(part, self.ray, self.progress, waiting, self.drawn).outcomes
            found |= dict(zip(waiting, done, strict=True))
        for index in waiting if self.ray is None else []:
            trunk = rung.trunks[index]
            run_made, stage, reason = train_and_score(part, trunk, part.of(trunk), self.drawn, self.progress)
            found[index] = Outcome(run_made.name if run_made else "", tuple(trunk.members), stage, reason)
        for trunk in rung.trunks:
            resolved = part.of(trunk)
            run = folder_of(self.study.root, resolved)
            if is_finished(run):
                self.drawn.add(run, resolved.plan, resolved.inputs)
        return [found[index] for index in range(len(rung.trunks))]

    def _score_again(self, run: Run) -> None:
        """Look the scores up, unless the code or the weights that score, or the limits that judge, have changed."""
        evaluate_run(run, self.progress)

    def _score(self, rung: _Rung) -> float | None:
        """The mean over seeds and subjects. Each subject keeps the scale of the first run that had one."""
        tables: list[tuple[Table, Scale | None]] = []
        snapshots: list[str] = []
        for trunk, resolved in zip(rung.trunks, rung.resolved, strict=True):
            run = folder_of(self.study.root, replace(resolved, plan=trunk.plan))
            scores = read_scores(run.path / "scores.csv")
            names = [subject.name for subject in trunk.plan.subjects]
            for name in names:
                table = Table(of_subject(scores, name, len(names) > 1))
                scale = identity_scale(table)
                if scale is not None:
                    self.scales.setdefault(name, scale)
                tables.append((table, self.scales.get(name)))
                snapshots.append(step_name(ended_at(run, trunk, trunk.steps)))
        return score_of(tables, snapshots, self.search.score)

    def whole(self) -> Studied:
        """The study with all rungs as runs, and what became of every training."""
        study = self.study
        runs = [*study.runs, *(planned for rung in self.rungs for planned in rung.runs)]
        resolved = [*study.resolved, *(found for rung in self.rungs for found in rung.resolved)]
        trunks = [trunk for rung in self.rungs for trunk in rung.trunks]
        found = replace(study, runs=tuple(runs), resolved=tuple(resolved))
        every = _each_once(found, [*study.shared.trunks, *trunks])
        shared = Shared(
            every,
            study.shared.executes + sum(trunk.own for trunk in every[len(study.shared.trunks) :]),
            study.shared.asked + sum(trunk.steps for trunk in trunks),
        )
        found = replace(found, shared=shared)
        return Studied(found, (*self.studied.outcomes, *self.outcomes), tuple(self.history))


_WANTED = {"both": "likeness or prompt following", "likeness": "likeness", "prompt": "prompt following"}


def _each_once(study: Study, trunks: Sequence[Trunk]) -> tuple[Trunk, ...]:
    """The trainings by their folders: settings that are written in two ways, or that a run beside the search has, are
    trained once."""
    found: dict[str, Trunk] = {}
    for trunk in trunks:
        name = folder_of(study.root, study.of(trunk)).name
        first = found.setdefault(name, trunk)
        found[name] = replace(first, members={**first.members, **trunk.members})
    return tuple(found.values())


def planned_rung(study: Study, search: Search, trial: Trial) -> _Rung:
    """The runs of a trial at its next rung. Raises PlanError, PhotoError where the settings cannot be had."""
    rung = len(trial.scores)
    length = search.rungs[rung]
    planned = planned_runs(study, search, trial)
    # Every trial is judged by the photos that were held out for the ends of all ranges.
    runs = settle_photos(planned, study.place, known=study.pools).runs
    resolved = resolve_all(runs)
    trunks = []
    for member in members_of(runs, resolved):
        before = member.steps * search.rungs[rung - 1] // length if rung else 0
        goes_on = trunk_digest(member.plan, dict(member.inputs)) is not None
        trunks.append(
            Trunk(
                with_steps(to_go_on_from(member.plan), member.steps, ()),
                member.inputs,
                member.steps,
                {member.name: member.steps},
                own=member.steps - before if goes_on else member.steps,
            )
        )
    return _Rung(runs, tuple(resolved), tuple(trunks))


def planned_runs(study: Study, search: Search, trial: Trial) -> tuple[Planned, ...]:
    """The runs of a trial at its next rung, on the user's own folders of photos. Raises PlanError."""
    values = {**trial.params, search.steps: search.rungs[len(trial.scores)]}
    return expand(only(study.plan, [(rung_name(search, trial), values)]), study.tree, study.folder, str(study.source))


def rung_name(search: Search, trial: Trial) -> str:
    """What a trial is called in tables at its next rung."""
    steps = axis_name(search.steps)
    return f"{trial.name}, {steps} {shown(search.rungs[len(trial.scores)])}"


def recorded_trials(study: Study) -> list[Trial]:
    """The trials that an earlier call wrote down; none where they were of another search, plan or photos."""
    try:
        tree = read_json(study.place / TRIALS)
        if tree["key"] != search_key(study):
            return []
        return [
            Trial(
                int(one["number"]), _params(study, one["params"]), tuple(one["scores"]), one["state"], one["reason"]
            )
            for one in tree["trials"]
        ]
    except (BoothlabError, KeyError, TypeError, ValueError):
        return []


def _params(study: Study, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as read from JSON; raises KeyError where they are not those of this search."""
    search = study.plan.search
    return {path: tree[path] for path in (search.ranges if search is not None else {})}


def write_record(study: Study, trials: Sequence[Trial]) -> None:
    """Write the trials down."""
    tree = {
        "format": 1,
        "key": search_key(study),
        "optuna": str(require_optuna().__version__),
        "trials": [trial.tree() for trial in trials],
    }
    write_json(Path(study.place) / TRIALS, tree)


def search_key(study: Study) -> str:
    """Names what trials may be taken up again for: the search but for its length, base plan, seeds and photos."""
    search = study.plan.search
    own = None if search is None else search.model_dump(mode="json", exclude={"trials"})
    inputs = [dict(found.inputs) for found in study.scouted]
    return sha256_json([own, study.tree, list(study.plan.seeds), inputs])
