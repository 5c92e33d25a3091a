"""The plan of a run: one closed, typed tree, assembled from configs that live with their owners. (Torch-free.)"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from boothlab.config.base import Config, closed_union
from boothlab.config.load import load, parse_override, validate
from boothlab.diffusion.config import Objective
from boothlab.evaluation.config import Evaluation
from boothlab.files import expanded, sha256_json
from boothlab.generation.config import Generation
from boothlab.models.config import Base, is_place, placed_base
from boothlab.photos.config import Photos
from boothlab.strategies import STRATEGIES, DreamBooth, Strategy
from boothlab.strategies.mean.config import Mean
from boothlab.subjects import Subject
from boothlab.training.config import Training

if TYPE_CHECKING:
    AnyStrategy = Strategy
else:
    AnyStrategy = closed_union((*STRATEGIES, Mean))


AVERAGED = "mean"
"""Name of the input that stands for the snapshots that a mean is of."""


class RunPlan(Config):
    """Everything that decides what a run does."""

    name: str = Field("run", min_length=1, max_length=48)
    """First part of the run folder's name."""
    subjects: tuple[Subject, ...] = Field(min_length=1)
    """Who is learned."""
    base: Base = Base()
    """The base model."""
    photos: Photos = Photos()
    """How photos are prepared."""
    strategy: AnyStrategy = DreamBooth()
    """What moves."""
    objective: Objective = Objective()
    """What is minimised."""
    training: Training = Training()
    """How long and how."""
    generation: Generation = Generation()
    """How pictures are made."""
    evaluation: Evaluation = Evaluation()
    """What is drawn and compared."""

    @model_validator(mode="after")
    def _compat_is_well_defined(self) -> RunPlan:
        objective = self.objective
        if self.training.compat == "diffusers" and objective.prior_preservation and objective.snr_gamma is not None:
            raise ValueError(
                "training.compat is 'diffusers' with objective.snr_gamma and prior preservation: with a batch of one "
                "that script mixes the weights of photo and class image, with larger ones it stops with an error. "
                "Leave out objective.snr_gamma, or set training.compat or objective.prior_preservation off "
                "(--set training.compat=none)"
            )
        return self

    @model_validator(mode="after")
    def _subjects_differ(self) -> RunPlan:
        names = [subject.name for subject in self.subjects]
        if len(set(names)) < len(names):
            raise ValueError(f"subjects must have different names: {names}")
        words = [subject.identifier for subject in self.subjects if subject.identifier]
        if len({word.lower() for word in words}) < len(words):
            raise ValueError(f"subjects must have different identifiers: {words} (the model reads all in lower case)")
        return self


def load_plan(path: Path, overrides: tuple[str, ...] | list[str] = ()) -> RunPlan:
    """The plan in a TOML file. Relative paths in it are meant from the file's folder; a base model that ``--set``
    names, as the command line is typed, from the current one."""
    return placed(load(RunPlan, path, overrides), path, overrides)


def placed(plan: RunPlan, path: Path, overrides: Sequence[str]) -> RunPlan:
    """The plan read from ``path``, its places as :func:`load_plan` means them."""
    if any(parse_override(text)[0][:2] in (["base"], ["base", "model"]) for text in overrides):
        plan = plan.model_copy(update={"base": placed_base(plan.base, Path.cwd())})
    return relative_to(plan, path.resolve().parent)


def plan_from(tree: dict[str, Any], source: str) -> RunPlan:
    """The plan in a JSON tree, e.g. of a run folder."""
    return validate(RunPlan, tree, source)


def relative_to(plan: RunPlan, folder: Path) -> RunPlan:
    """``plan`` with its relative paths taken from ``folder``."""
    subjects = tuple(s.model_copy(update={"photos": folder / expanded(s.photos)}) for s in plan.subjects)
    update: dict[str, Any] = {"subjects": subjects}
    own = plan.objective.class_folder
    if own is not None:
        update["objective"] = plan.objective.model_copy(update={"class_folder": folder / expanded(own)})
    references = plan.photos.references
    if references is not None:
        update["photos"] = plan.photos.model_copy(update={"references": folder / expanded(references)})
    if isinstance(plan.strategy, Mean):
        snapshots = tuple(str(folder / expanded(Path(snapshot))) for snapshot in plan.strategy.of)
        update["strategy"] = plan.strategy.model_copy(update={"of": snapshots})
    return plan.model_copy(update=update | {"base": placed_base(plan.base, folder)})


def own_tree(plan: RunPlan) -> dict[str, Any]:
    """The plan as a tree, of a mean without what only a training has."""
    tree = plan.model_dump(mode="json")
    if isinstance(plan.strategy, Mean):
        # Its members have objectives and trainings of their own, and these are the first one's.
        del tree["objective"], tree["training"]
    return tree


def for_others(plan: RunPlan) -> dict[str, Any]:
    """:func:`own_tree` for pages and dashboards: of every place on this disk its last part alone."""
    tree = own_tree(plan)
    for subject in tree["subjects"]:
        subject["photos"] = Path(subject["photos"]).name
    for node, name in ((tree["photos"], "references"), (tree.get("objective", {}), "class_folder")):
        if node.get(name) is not None:
            node[name] = Path(node[name]).name
    if isinstance(plan.strategy, Mean):
        tree["strategy"]["of"] = [snapshot_in_words(snapshot) for snapshot in plan.strategy.of]
    if is_place(plan.base.model) or Path(plan.base.model).is_absolute():
        tree["base"]["model"] = re.split(r"[/\\]", tree["base"]["model"].rstrip("/\\"))[-1]
    return tree


def snapshot_in_words(folder: str) -> str:
    """A snapshot by its run and its step, without the place: ada-1234abcd/step-000300."""
    return "/".join(part for part in Path(folder).parts[-3:] if part != "snapshots")


def digest(plan: RunPlan, inputs: dict[str, str]) -> str:
    """Hex SHA-256 of a resolved plan and of the content of its inputs.

    Places are replaced by contents: the same photos in another folder are the same run.
    """
    if isinstance(plan.strategy, Mean) and AVERAGED not in inputs:
        raise ValueError("a mean is known by what it is of, and that was not looked up")
    tree = _without_places(plan)
    return sha256_json({"plan": tree, "inputs": dict(sorted(inputs.items()))})


def trunk_digest(plan: RunPlan, inputs: dict[str, str]) -> str | None:
    """What two runs share when the shorter one is the beginning of the longer one, bit for bit.

    Leaves out how long the run is, what is kept on the way, and what is drawn afterwards. None when
    the learning rate looks ahead, or the end depends on what was seen on the way, or nothing is trained: then no run
    is another's beginning.
    """
    if plan.training.rate.looks_ahead or plan.training.validation.patience is not None:
        return None
    if isinstance(plan.strategy, Mean):
        return None
    tree = _without_places(plan)
    for name in ("steps", "steps_per_photo", "snapshots", "snapshot_precision"):
        tree["training"].pop(name)
    for name in ("checkpoint_every", "keep_checkpoints"):
        tree["training"].pop(name)
    tree.pop("evaluation")
    if not plan.objective.prior_preservation:
        tree.pop("generation")
    return sha256_json({"trunk": tree, "inputs": dict(sorted(inputs.items()))})


LATER = (("evaluation", "references_at_random"), ("objective", "class_contexts"), ("generation", "spacing"))
"""Settings that came later, none of them said at first: plans without them go on being the same runs."""


def _without_places(plan: RunPlan) -> dict[str, Any]:
    tree = plan.model_dump(mode="json", exclude={"name"})
    for subject in tree["subjects"]:
        subject.pop("photos")
        if not subject["identifier_alone"]:
            subject.pop("identifier_alone")  # came later, as LATER has it
    if any(subject.weight != 1.0 for subject in plan.subjects):
        tree["weights"] = "of their mean"  # taken as they were at first: such a run must not go on as another
    if plan.objective.prior_preservation and len({subject.class_noun for subject in plan.subjects}) > 1:
        tree["partners"] = "counted by noun"  # counted by photo at first, as above
    tree["photos"].pop("references")
    for room, name in LATER:
        if not tree[room][name]:
            tree[room].pop(name)
    tree["base"].pop("model")
    if isinstance(plan.strategy, Mean):
        tree["strategy"].pop("of")
    tree["objective"].pop("class_folder")
    return tree
