"""From a study to its runs: every combination and every seed, each with a name and a valid plan. (Torch-free.)"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boothlab.config.load import apply_override, validate
from boothlab.errors import PlanError
from boothlab.plan import RunPlan, relative_to
from boothlab.strategies.mean.config import Mean
from boothlab.studies.plan import NUMBER, SEED, Named, StudyPlan, axis_values, changes, deep

MOST_PROBLEMS = 20
"""So many problems are listed; more of them say no more."""

ALIKE = "Points of the axes are called by six digits of a number, and by the names of subjects."
"""Why two of them may have one name."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One run of a study. ``setting`` names it without its seed, ``values`` are its places on the axes.

    ``values`` maps paths to what stands there; ``number`` is how many photos per subject it trains on, None for all.
    ``named`` tells a run with a name of its own from a point of the grid; ``rival`` is the name of a run that is no
    candidate, without its subject, else "". ``tree`` is the base plan with these values in it, as the file has them,
    without defaults. ``called`` is the name of the named run that it is of, without its subject.
    ``members`` are the runs whose weights are averaged where it is a mean, ``over`` the settings in
    which these differ and the mean has none; ``over_seeds`` tells that their training seeds differ too.
    """

    name: str
    setting: str
    seed: int
    values: Mapping[str, Any]
    number: int | None
    named: bool
    plan: RunPlan
    rival: str = ""
    tree: Mapping[str, Any] = field(default_factory=dict)
    called: str = ""
    members: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    over_seeds: bool = False


def expand(study: StudyPlan, tree: dict[str, Any], folder: Path, source: str = "the study") -> tuple[Planned, ...]:
    """Every run of ``study`` over the base plan ``tree``, in the order of the file, seeds innermost.

    Relative paths among the varied settings start at ``folder``. Raises one PlanError with every problem.
    """
    found: list[Planned] = []
    problems: dict[str, list[str]] = {}
    for setting, values, run in _settings(study):
        for seed in study.seeds:
            name = f"{setting} · seed {seed}" if len(study.seeds) > 1 else setting
            try:
                plan, number, own = _plan(tree, values, seed, study.name)
                rival = run.name if run is not None and run.rival else ""
                plan = relative_to(plan, folder)
                called = "" if run is None else run.name
                found.append(Planned(name, setting, seed, values, number, run is not None, plan, rival, own, called))
            except PlanError as error:
                for line in _lines(error):
                    problems.setdefault(line, []).append(name)
    if problems:
        raise PlanError(_told(source, problems))
    unknown = sorted(study.published.keys() - {planned.setting for planned in found})
    if unknown:
        raise PlanError(
            f"{source}: published.{unknown[0]}: there is no such run.", "Give the name of one of [[runs]]."
        )
    names = [planned.name for planned in found]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        named = any(planned.named for planned in found if planned.name == twice[0])
        hint = "Name the run otherwise." if named else f"{ALIKE} Give values that differ in these."
        raise PlanError(f"{source}: two runs are called {twice[0]!r}.", hint)
    return tuple(found)


def _settings(study: StudyPlan) -> Iterator[tuple[str, dict[str, Any], Named | None]]:
    """(name, path → value, the named run that it is of) of every setting."""
    axes = axis_values(study.axes)
    points: list[dict[str, Any]] = [{}] if study.ridge is None else study.ridge.points()
    alone = not study.runs and study.search is None
    if axes or study.ridge is not None or alone:
        for point in points:
            for values in itertools.product(*axes.values()):
                chosen = {**dict(zip(axes, values, strict=True)), **point}
                yield label(chosen) or study.name, chosen, None
    for run in study.runs:
        own = changes(run.settings)
        if not run.each_subject:
            yield run.name, own, run
        for nodes in axes["subjects"] if run.each_subject else ():
            yield f"{run.name}, {who(nodes)}", {**own, "subjects": nodes}, run


def label(values: Mapping[str, Any]) -> str:
    """A point of the grid in words: ``ada, learning rate 2e-06, steps per photo 100``; subjects go by their names."""
    return ", ".join(
        who(value) if path == "subjects" else f"{name} {shown(value)}"
        for name, (path, value) in zip(axis_names(list(values)), values.items(), strict=True)
    )


def axis_names(paths: Sequence[str]) -> list[str]:
    """The last parts of settings' paths in words, with as many parts before them as tell them from the others."""
    names = [path.split(".") for path in paths]
    found = []
    for parts in names:
        others = [other for other in names if other != parts]
        length = next((n for n in range(1, len(parts)) if all(other[-n:] != parts[-n:] for other in others)), None)
        found.append(".".join(parts if length is None else parts[-length:]).replace("_", " "))
    return found


def axis_name(path: str) -> str:
    """The last part of a setting's path in words: ``learning rate``."""
    return path.rpartition(".")[2].replace("_", " ")


def who(subjects: Any) -> str:
    """The subjects of a run in words, from what a study says of them: ``ada + bob``."""
    if not isinstance(subjects, Sequence) or isinstance(subjects, str):
        return shown(subjects)
    return " + ".join(str(node.get("name", "")) if isinstance(node, Mapping) else shown(node) for node in subjects)


def shown(value: Any) -> str:
    """A value of an axis, short enough for a table head; – where there is none."""
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        kind = str(value.get("kind", ""))
        if kind == "mean":
            return f"mean ({', '.join(map(str, value.get('of', ())))})"
        others = [f"{key} {shown(part)}" for key, part in value.items() if key != "kind"]
        return " ".join([kind, *([f"({', '.join(others)})"] if others else [])]).strip()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(shown(part) for part in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plan(
    tree: dict[str, Any], values: Mapping[str, Any], seed: int, name: str
) -> tuple[RunPlan, int | None, dict[str, Any]]:
    """The plan with ``values`` in it, the number of photos, which no run plan knows, and the plan as a tree."""
    if "name" in values:
        raise PlanError("\n  - name: what a run is called is no setting")
    own = deep(tree)
    # Steps are given in one of two ways: the varied one takes the place of the other.
    for one, other in (("steps", "steps_per_photo"), ("steps_per_photo", "steps")):
        if f"training.{one}" in values and isinstance(own.get("training"), dict):
            own["training"].pop(other, None)
    # A whole node first, then what is set within it: in whatever order the file lists them, none is written over.
    for path, value in sorted(values.items(), key=lambda item: item[0].count(".")):
        try:
            apply_override(own, path.split("."), deep(value))
        except PlanError as error:
            raise PlanError("\n  - " + error.message.removeprefix("--set ")) from None
    apply_override(own, SEED.split("."), seed)
    photos = own.get("photos")
    number = photos.pop("number", None) if isinstance(photos, dict) else None
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 1):
        raise PlanError(f"\n  - {NUMBER}: must be a whole number of photos, 1 or more (given: {number!r})")
    own["name"] = name
    plan = validate(RunPlan, own, "the plan")
    if isinstance(plan.strategy, Mean):
        raise PlanError("\n  - strategy.kind: a study makes means by [[means]], of its own runs (given: 'mean')")
    return plan, number, own


def _lines(error: PlanError) -> list[str]:
    """The single problems that an error lists."""
    lines = [line.removeprefix("  - ") for line in error.message.split("\n") if line.startswith("  - ")]
    return lines or [error.message]


def _told(source: str, problems: Mapping[str, Sequence[str]]) -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"{source} has {count}:"]
    for problem, runs in itertools.islice(problems.items(), MOST_PROBLEMS):
        more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
        lines.append(f"  - {problem} (in {runs[0]}{more})")
    if len(problems) > MOST_PROBLEMS:
        lines.append(f"  - and {len(problems) - MOST_PROBLEMS} more")
    return "\n".join(lines)
