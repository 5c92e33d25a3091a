"""The runs of a study that are means of others: over axes of its grid, or of its named runs. (Torch-free.)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from boothlab.errors import PlanError
from boothlab.files import sha256_json
from boothlab.strategies.dreambooth.config import DreamBooth
from boothlab.strategies.mean.config import Mean
from boothlab.studies.expand import Planned, label, shown
from boothlab.studies.plan import MOST_RUNS, SEEDS, Means, StudyPlan, axis_values, changes

SAME = ("subjects", "photos", "base", "generation", "evaluation")
"""What runs must have in common to be averaged, and looked at as one."""


def means(study: StudyPlan, runs: Sequence[Planned], source: str) -> tuple[Planned, ...]:
    """Every mean that ``study`` asks for, of its planned ``runs``, in the order of the file.

    Raises PlanError where runs cannot be averaged, or there are none to.
    """
    found: list[Planned] = []
    for mean in study.means:
        groups = list(_named(mean, study, runs) if mean.of else _over(mean, runs, source))
        if not groups:
            raise PlanError(f"{source}: means {mean.name!r}: no run stands at all these values.", "Drop one of at.")
        for kept, members in groups:
            _require_alike(mean, members, source)
            found.append(_mean(mean, study, kept, members))
    if len(runs) + len(found) > MOST_RUNS:
        raise PlanError(
            f"{source}: {len(runs):,} runs and {len(found):,} means are more than the {MOST_RUNS:,} that are planned "
            "at most.",
            "Keep to some values of the axes: at.",
        )
    names = Counter(run.name for run in (*runs, *found))
    twice = next((run.name for run in found if names[run.name] > 1), None)
    if twice is not None:
        raise PlanError(f"{source}: two runs are called {twice!r}.", "Give the means another name.")
    first: dict[frozenset[str], str] = {}
    for run in found:
        other = first.setdefault(frozenset(run.members), run.name)
        if other != run.name:
            raise PlanError(
                f"{source}: means {other!r} and {run.name!r} are of the same runs.", "Leave one of them out."
            )
    return tuple(found)


def _over(mean: Means, runs: Sequence[Planned], source: str) -> Iterator[tuple[dict[str, Any], list[Planned]]]:
    """(what of the axes stays, runs) for every point of the rest of the grid."""
    at = axis_values(mean.at)
    for path, values in at.items():
        stand = [run.values[path] for run in runs if not run.named and path in run.values]
        strange = next((value for value in values if value not in stand), None)
        if strange is not None:
            raise PlanError(f"{source}: means {mean.name!r}: at.{path}: no run stands at {shown(strange)}.")
    groups: dict[str, tuple[dict[str, Any], list[Planned]]] = {}
    for run in runs:
        if run.named or any(run.values.get(path) not in values for path, values in at.items()):
            continue
        kept = {path: value for path, value in run.values.items() if path not in mean.over}
        key = sha256_json([kept, None if SEEDS in mean.over else run.seed])
        groups.setdefault(key, (kept, []))[1].append(run)
    yield from groups.values()


def _named(mean: Means, study: StudyPlan, runs: Sequence[Planned]) -> Iterator[tuple[dict[str, Any], list[Planned]]]:
    """The same of named runs, whose settings are no axes: for each training seed, and for each subject."""
    own = {path for run in study.runs if run.name in mean.of for path in changes(run.settings)}
    groups: dict[str, tuple[dict[str, Any], list[Planned]]] = {}
    for run in runs:
        if run.called in mean.of:
            kept = {path: value for path, value in run.values.items() if path not in own}
            key = sha256_json([kept, None if SEEDS in mean.over else run.seed])
            groups.setdefault(key, (kept, []))[1].append(run)
    yield from groups.values()


def _require_alike(mean: Means, members: Sequence[Planned], source: str) -> None:
    first = members[0]
    if len(members) < 2:
        raise PlanError(
            f"{source}: means {mean.name!r}: {first.name} stands alone there.", "A mean needs two runs or more."
        )
    for one in members:
        if one.rival:
            raise PlanError(
                f"{source}: means {mean.name!r}: {one.name} is a rival, and rivals are no candidates.",
                "Average runs that may be chosen.",
            )
        if not isinstance(one.plan.strategy, DreamBooth):
            raise PlanError(
                f"{source}: means {mean.name!r}: {one.name} has strategy.kind = {one.plan.strategy.kind!r}; only "
                "whole weights ('dreambooth') are averaged.",
                "The mean of adapters' factors is no mean of what these do.",
            )
        if one.plan.training.validation.patience is not None:
            raise PlanError(
                f"{source}: means {mean.name!r}: where {one.name} ends is not known before it is trained "
                "(training.validation.patience).",
                "Leave patience out, or leave the mean out.",
            )
        differ = next((node for node in SAME if getattr(one.plan, node) != getattr(first.plan, node)), None)
        if differ is not None or one.number != first.number:
            raise PlanError(
                f"{source}: means {mean.name!r}: {first.name} and {one.name} differ in {differ or 'photos.number'}; "
                "runs that are averaged may differ in strategy, objective and training alone."
            )


def _differing(members: Sequence[Planned]) -> tuple[str, ...]:
    """The settings that the members' places tell apart, but for the strategy, which is the mean itself."""
    paths = dict.fromkeys(path for one in members for path in one.values if path != "strategy")
    return tuple(path for path in paths if any(m.values.get(path) != members[0].values.get(path) for m in members))


def _mean(mean: Means, study: StudyPlan, kept: dict[str, Any], members: Sequence[Planned]) -> Planned:
    first = members[0]
    told = {path: value for path, value in kept.items() if path.split(".")[0] == "strategy"}
    called, count = ", ".join(filter(None, (mean.name, label(told)))), f"{len(members)} runs"
    strategy = Mean(of=(called, count if count != called else f"{count} averaged"))
    tree = {**first.tree, "strategy": strategy.model_dump(mode="json")}
    setting = ", ".join(filter(None, (mean.name, label(kept))))
    several = len(study.seeds) > 1 and SEEDS not in mean.over
    return Planned(
        name=f"{setting} · seed {first.seed}" if several else setting,
        setting=setting,
        seed=first.seed,
        values={**{path: value for path, value in kept.items() if path not in told}, "strategy": tree["strategy"]},
        number=first.number,
        named=True,
        plan=first.plan.model_copy(update={"strategy": strategy}),
        tree=tree,
        members=tuple(one.name for one in members),
        over=_differing(members),
        over_seeds=len({one.seed for one in members}) > 1,
    )
