"""What a search tries next and which trial goes on: functions of the trials so far, by Optuna. (Torch-free.)

Optuna's own storage is not used. Its study is built anew from the trials for every question, with a sampler whose
seed is derived from the search's seed and the trial's number: so what is tried never depends on what the process went
through, and a search that was killed goes on as if it had not been.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from boothlab.errors import PlanError
from boothlab.evaluation.derived import Scale, Table
from boothlab.seeds import derive
from boothlab.studies.points import COLUMNS, LIKENESS, PROMPT
from boothlab.studies.search import Range, Search

State = Literal["running", "pruned", "complete", "failed"]

REDRAWN = 20
"""So often a setting that was tried is drawn anew; a sampler that is sure of it may draw it for ever."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting that is tried. ``params`` maps paths to values, ``scores`` has one per rung it was scored at.

    Pruned: its last score was not among the best of that rung. Failed: ``reason`` says why.
    """

    number: int
    params: Mapping[str, Any]
    scores: tuple[float, ...] = ()
    state: State = "running"
    reason: str = ""

    @property
    def name(self) -> str:
        """What its runs' names begin with."""
        return f"trial {self.number:02d}"

    def tree(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "params": dict(self.params), "scores": list(self.scores)}


def require_optuna() -> Any:
    """Optuna, silent. Raises PlanError where it is not installed."""
    try:
        optuna = importlib.import_module("optuna")
    except ImportError:
        raise PlanError(
            "A [search] needs Optuna, which is not installed.", "Install it: pip install 'boothlab[search]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def propose(search: Search, history: Sequence[Trial]) -> Trial:
    """The next trial after ``history``, whose trials must all have ended: settings that none of them had.

    One that was tried is drawn again; where nothing else comes, the first of all that is left is taken. Where none is
    left, it is one that was tried.
    """
    optuna = require_optuna()
    study = _replayed(optuna, search, history)
    tried = [trial.params for trial in history]
    number, params = len(history), dict[str, Any]()
    for redrawn in range(REDRAWN):
        params = _asked(optuna, study, search, (number, redrawn) if redrawn else (number,))
        if params not in tried:
            return Trial(number, params)
    if search.settings is not None:
        every = map(search.setting, range(min(search.settings, number + 1)))
        params = next((setting for setting in every if setting not in tried), params)
    return Trial(number, params)


def _asked(optuna: Any, study: Any, search: Search, counters: tuple[int, ...]) -> dict[str, Any]:
    """What the sampler would try, by the seed of this draw."""
    samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    study.sampler = samplers[search.sampler](seed=derive(search.seed, "search", *counters) % 2**32)
    drawn = study.ask(fixed_distributions=_distributions(optuna, search)).params
    return {path: range_.meant(drawn[path]) for path, range_ in search.ranges.items()}


def scored(search: Search, history: Sequence[Trial], trial: Trial, score: float) -> Trial:
    """``trial`` with one score more: it goes on, is pruned, or is complete. ``history`` are the trials before it.

    Asynchronous successive halving: it goes on while its score is among the best 1/``reduction`` of all scores at
    that rung so far; the first trials of a rung go on if they are the best so far. Source: Li et al. 2020 (ASHA), as
    in Optuna's SuccessiveHalvingPruner.
    """
    trial = replace(trial, scores=(*trial.scores, score))
    if len(trial.scores) == len(search.rungs):
        return replace(trial, state="complete")
    optuna = require_optuna()
    pruned = _live(_replayed(optuna, search, history), search, optuna, trial).should_prune()
    return replace(trial, state="pruned") if pruned else trial


def score_of(
    tables: Sequence[tuple[Table, Scale | None]],
    snapshots: Sequence[str],
    score: Literal["both", "likeness", "prompt"],
) -> float | None:
    """The mean score over runs and subjects, each given as its table with its scale of likeness, and its snapshot.

    A picture without a face counts as no likeness (0), so that the score cannot be raised by drawing nobody. "both"
    is the geometric mean of the two, negative ones taken as 0. None where something was not measured.
    """
    found = []
    for (table, scale), snapshot in zip(tables, snapshots, strict=True):
        likeness, prompt = _strict(table, snapshot, LIKENESS, scale), _strict(table, snapshot, PROMPT, None)
        if score != "both":
            value = likeness if score == "likeness" else prompt
        elif likeness is None or prompt is None:
            value = None
        else:
            value = float(np.sqrt(max(likeness, 0.0) * max(prompt, 0.0)))
        if value is None:
            return None
        found.append(value)
    return float(np.mean(found)) if found else None


def _strict(table: Table, snapshot: str, key: str, scale: Scale | None) -> float | None:
    column = next(column for column in COLUMNS if column.key == key)
    values = table.values(snapshot, column.pictures, column.metric, column.reference)
    if not len(values) or (key == LIKENESS and scale is None):
        return None
    if scale is not None:
        values = (values - scale.floor) / (scale.ceiling - scale.floor)
    return float(np.nan_to_num(values, nan=0.0).mean())


def _replayed(optuna: Any, search: Search, history: Sequence[Trial]) -> Any:
    """An Optuna study in memory that has seen ``history``."""
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=search.reduction)
    # Replayed settings are given; nothing is drawn for them.
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    states = {"pruned": optuna.trial.TrialState.PRUNED, "failed": optuna.trial.TrialState.FAIL}
    for trial in history:
        live = _live(study, search, optuna, trial)
        if trial.state == "complete":
            study.tell(live, trial.scores[-1])
        else:
            study.tell(live, state=states[trial.state])
    return study


def _live(study: Any, search: Search, optuna: Any, trial: Trial) -> Any:
    """A trial of Optuna's with the settings and scores of ``trial``; its rungs are reduction⁰, reduction¹, …"""
    given = {path: _drawn(search.ranges[path], value) for path, value in trial.params.items()}
    study.enqueue_trial(given)
    live = study.ask(fixed_distributions=_distributions(optuna, search))
    for rung, score in enumerate(trial.scores):
        live.report(score, step=search.reduction**rung)
        if rung + 1 < len(trial.scores):
            # The pruner notes a trial's score at a rung when it is asked there.
            live.should_prune()
    if trial.state in ("pruned", "complete"):
        live.should_prune()
    return live


def _distributions(optuna: Any, search: Search) -> dict[str, Any]:
    kinds = optuna.distributions
    found = {}
    for path, range_ in search.ranges.items():
        if range_.choices is not None:
            found[path] = kinds.CategoricalDistribution(range(len(range_.choices)))
        elif range_.whole:
            found[path] = kinds.IntDistribution(range_.low, range_.high, log=range_.log, step=range_.step or 1)
        else:
            found[path] = kinds.FloatDistribution(range_.low, range_.high, log=range_.log, step=range_.step)
    return found


def _drawn(range_: Range, value: Any) -> Any:
    """The plan's value as Optuna knows it."""
    return value if range_.choices is None else list(range_.choices).index(value)
