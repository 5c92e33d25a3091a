"""The trials of a search, as a section of the page and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from boothlab.api.studies.costs import folder_of, is_finished
from boothlab.api.studies.resolving import Study
from boothlab.reports.study import SearchView, TrialView
from boothlab.studies.expand import axis_name, shown, who
from boothlab.studies.search import Search
from boothlab.studies.share import Trunk
from boothlab.studies.trials import Trial

SEARCH = "trials"
"""Name of the table, without its ending."""

OTHERS = {"failed": "failed", "running": "not ended"}
"""States that are only told where there are such trials, and how."""

SCORES = {
    "both": "the geometric mean of likeness to held-out photos and prompt following",
    "likeness": "likeness to held-out photos",
    "prompt": "prompt following",
}


def search_view(study: Study, trials: Sequence[Trial]) -> SearchView | None:
    """The section; None without a search."""
    search = study.plan.search
    if search is None or not trials:
        return None
    best = best_of(trials)
    steps = axis_name(search.steps)
    rows = tuple(
        TrialView(
            trial.number,
            tuple(_place(path, trial.params[path]) for path in search.ranges),
            tuple(trial.scores[rung] if rung < len(trial.scores) else None for rung in range(len(search.rungs))),
            ended(search, trial),
            best is not None and trial.number == best.number,
        )
        for trial in trials
    )
    return SearchView(
        summary(study, search, trials),
        tuple(axis_name(path) for path in search.ranges),
        tuple(f"{steps} {rung}" for rung in search.rungs),
        rows,
        f"The score is {SCORES[search.score]}, over all pictures of the contexts; one without a face counts as 0. Of "
        f"{search.reduction} trials one goes on at each rung; a pruned trial is not a bad one, only one that was "
        "behind. ★: the highest score of those that were trained to the end. Which checkpoint to take is decided "
        "below, over all rungs, gates included.",
    )


def summary(study: Study, search: Search, trials: Sequence[Trial]) -> str:
    """One sentence: how many trials, how they ended, what that saved."""
    counts = {state: sum(trial.state == state for trial in trials) for state in ("complete", "pruned", *OTHERS)}
    seeds = len(study.plan.seeds)
    taken = sum(_taken(study, search, trial) for trial in trials)
    whole = len(trials) * search.rungs[-1]
    times = "" if seeds == 1 else f", each with {seeds} training seeds"
    said = f"{len(trials)} trials{times}: {counts['complete']} trained to the end, {counts['pruned']} pruned"
    said += "".join(f", {counts[state]} {word}" for state, word in OTHERS.items() if counts[state])
    return f"{said}. They took {taken / whole:.0%} of the steps of training all to the end."


def _taken(study: Study, search: Search, trial: Trial) -> int:
    """Steps of a trial, in the unit of the rungs: each rung goes on from the one before it, or begins anew."""
    own = [t for t in study.shared.trunks if any(name.startswith(f"{trial.name},") for name in t.members)]
    own.sort(key=lambda trunk: trunk.steps)  # by rungs: a run beside the search may be one of them
    rungs = len(trial.scores) + _without_score(study, trial, own)
    reached = search.rungs[:rungs]
    goes_on = any(trunk.own < trunk.steps for trunk in own)
    return max(reached, default=0) if goes_on else sum(reached)


def _without_score(study: Study, trial: Trial, own: Sequence[Trunk]) -> bool:
    """Whether a failed trial was trained to one more rung, of which there is no score."""
    last = own[len(trial.scores) * len(study.plan.seeds) :] if trial.state == "failed" else []
    return bool(last) and all(is_finished(folder_of(study.root, study.of(trunk))) for trunk in last)


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The first of the highest last score among those trained to the end."""
    return max((trial for trial in trials if trial.state == "complete"), key=lambda t: t.scores[-1], default=None)


def ended(search: Search, trial: Trial) -> str:
    """What became of a trial, in words."""
    if trial.state == "pruned":
        return f"pruned at rung {len(trial.scores)} ({search.rungs[len(trial.scores) - 1]})"
    if trial.state == "running":
        return f"not ended; {len(trial.scores)} of {len(search.rungs)} rungs scored"
    return f"failed: {trial.reason}" if trial.state == "failed" else "trained to the end"


def search_head(study: Study) -> list[str]:
    """The table's head."""
    search = study.plan.search
    ranges, rungs = ([], []) if search is None else (list(search.ranges), list(search.rungs))
    return ["trial", *ranges, *(f"score_at_{rung}" for rung in rungs), "state", "last_rung", "reason"]


def search_rows(study: Study, trials: Sequence[Trial]) -> list[list[Any]]:
    """One line per trial; numbers stay numbers."""
    search = study.plan.search
    if search is None:
        return []
    found: list[list[Any]] = []
    for trial in trials:
        places = [_plain(path, trial.params[path]) for path in search.ranges]
        scores = [trial.scores[k] if k < len(trial.scores) else None for k in range(len(search.rungs))]
        last = search.rungs[len(trial.scores) - 1] if trial.scores else None
        found.append([trial.number, *places, *scores, trial.state, last, trial.reason])
    return found


def _place(path: str, value: Any) -> str:
    return who(value) if path == "subjects" else shown(value)


def _plain(path: str, value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else _place(path, value)
