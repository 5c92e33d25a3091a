"""What is wrong with a plan file, all of it at once: what it says, and whether what it names is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from boothlab.config.load import apply_override, parse_override, problem_error, problems, read_toml
from boothlab.errors import BoothlabError
from boothlab.models.locate import device_kind, part_configs
from boothlab.photos.folder import list_folder, pictures_in
from boothlab.photos.photoset import is_photo_set
from boothlab.plan import RunPlan, placed
from boothlab.training.libraries import require_optimizer_library

STAND_IN = {"name": "x", "photos": "x"}
"""A subject for plans whose own ones cannot be read."""


def plan_to_check(path: Path, overrides: Sequence[str] = ()) -> RunPlan:
    """The plan in a file. Raises one PlanError with what is wrong with its settings, its base model and its photos.

    One mistake that says all is raised as it is.
    """
    tree = read_toml(path)
    for text in overrides:
        apply_override(tree, *parse_override(text))
    wrong = problems(RunPlan, tree)
    plan, right = _readable(tree) if wrong else (RunPlan.model_validate(tree), set(RunPlan.model_fields))
    plan = placed(plan, path, overrides)
    missing = list(_missing(plan, right))
    if not wrong and len(missing) == 1:
        raise missing[0]
    if wrong or missing:
        raise problem_error([*wrong, *(" ".join(str(error).split()) for error in missing)], str(path))
    return plan


def _readable(tree: dict[str, Any]) -> tuple[RunPlan, set[str]]:
    """A plan of the nodes that are right by themselves, and their names; the others are as if left out."""
    right = {
        name for name in RunPlan.model_fields if not problems(RunPlan, {"subjects": [STAND_IN], **_only(tree, name)})
    }
    kept = {name: tree[name] for name in right if name in tree}
    kept.setdefault("subjects", [STAND_IN])
    if problems(RunPlan, kept):  # right one by one, but not together
        right &= {"base", "subjects"}
        kept = {"subjects": [STAND_IN]} | {name: tree[name] for name in right if name in tree}
    return RunPlan.model_validate(kept), right & (tree.keys() | {"base"})


def _only(tree: dict[str, Any], name: str) -> dict[str, Any]:
    return {name: tree[name]} if name in tree else {}


def _missing(plan: RunPlan, right: set[str]) -> Iterator[BoothlabError]:
    """What is not on this machine of what the nodes named in ``right`` ask for."""
    looks: list[Callable[[], object]] = []
    if "base" in right:
        looks += [lambda: part_configs(plan.base), lambda: device_kind(plan.base.device)]
    if "subjects" in right:
        looks += [_look(subject.photos) for subject in plan.subjects if not is_photo_set(subject.photos)]
    if "photos" in right and plan.photos.references is not None:
        looks.append(_look(plan.photos.references))
    own = plan.objective.class_folder
    if "objective" in right and own is not None:
        looks.append(lambda: pictures_in(own, "objective.class_folder"))
    if "training" in right:
        looks.append(lambda: require_optimizer_library(plan.training.optimizer.kind))
    for look in looks:
        try:
            look()
        except BoothlabError as error:
            yield error


def _look(folder: Path) -> Callable[[], object]:
    return lambda: list_folder(folder)
