"""The runs of a study that are means of others: over axes of its grid, or of its named runs. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from boothlab.config.load import validate
from boothlab.errors import PlanError
from boothlab.files import sha256_json
from boothlab.plan import RunPlan
from boothlab.strategies.dreambooth.config import DreamBooth
from boothlab.studies.expand import Planned, label
from boothlab.studies.plan import SEEDS, Means, StudyPlan, axis_values, changes, deep

SAME = ("subjects", "photos", "base", "generation", "evaluation")
"""What runs must have in common to be averaged, and looked at as one."""


def means(study: StudyPlan, runs: Sequence[Planned], source: str) -> tuple[Planned, ...]:
    """Every mean that ``study`` asks for, of its planned ``runs``, in the order of the file.

    Raises PlanError where runs cannot be averaged, or there are none to.
    """
    found: list[Planned] = []
    for mean in study.means:
        groups = list(_named(mean, study, runs) if mean.of else _over(mean, runs))
        if not groups:
            raise PlanError(f"{source}: means {mean.name!r}: no run stands at {mean.at}.", "Give values of the axes.")
        for kept, members in groups:
            _require_alike(mean, members, source)
            found.append(_mean(mean, study, kept, members))
    names = [run.name for run in (*runs, *found)]
    twice = next((run.name for run in found if names.count(run.name) > 1), None)
    if twice is not None:
        raise PlanError(f"{source}: two runs are called {twice!r}.", "Give the means another name.")
    return tuple(found)


def _over(mean: Means, runs: Sequence[Planned]) -> Iterator[tuple[dict[str, Any], list[Planned]]]:
    """(what of the axes stays, runs) for every point of the rest of the grid."""
    at = axis_values(mean.at)
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
    strategy = {"kind": "mean", "of": [", ".join(filter(None, (mean.name, label(told)))), f"{len(members)} runs"]}
    tree = deep(dict(first.tree))
    tree["strategy"] = strategy
    setting = ", ".join(filter(None, (mean.name, label(kept))))
    several = len(study.seeds) > 1 and SEEDS not in mean.over
    return Planned(
        name=f"{setting} · seed {first.seed}" if several else setting,
        setting=setting,
        seed=first.seed,
        values={**{path: value for path, value in kept.items() if path not in told}, "strategy": strategy},
        number=first.number,
        named=True,
        plan=first.plan.model_copy(update={"strategy": validate(RunPlan, tree, "the plan").strategy}),
        tree=tree,
        members=tuple(one.name for one in members),
        over=_differing(members),
    )
