"""From a plan as written to a plan with nothing left open, its photo sets, and the run folder it belongs to."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from boothlab.api.class_requests import too_few_class_images
from boothlab.api.means import look_up_parts
from boothlab.api.remarks import long_prompts, lost_captions, remarks_on, unnamed, untold
from boothlab.config.show import to_toml
from boothlab.errors import PhotoError, PlanError, RunDamaged, disk_errors
from boothlab.files import folder_listing, new_folder, sha256_file, sha256_json, spelled
from boothlab.generation.config import Generation
from boothlab.home import cache
from boothlab.models.config import Base, lays_out, most_steps
from boothlab.models.costs import costs_of, no_layer
from boothlab.models.locate import base_size, device_kind, fingerprint, part_configs, scheduler_config
from boothlab.models.tokens import (
    inspect_word,
    load_tokenizer,
    require_one_token,
    split,
    suggest,
)
from boothlab.photos.config import HELD_OUT_FROM, Photos, Screen
from boothlab.photos.folder import list_folder, pictures_in
from boothlab.photos.photoset import PhotoSet, is_complete, is_photo_set, read_set
from boothlab.plan import RunPlan, digest, trunk_digest
from boothlab.preparing.prepare import looks_for_faces, prepare
from boothlab.progress import Progress, silent, within
from boothlab.runs.provenance import provenance
from boothlab.runs.run import Run, create_run
from boothlab.strategies.mean.config import Mean
from boothlab.subjects import Subject
from boothlab.training.libraries import require_optimizer_library

DECIDED = (
    *("orientation", "alpha", "framing", "steps", "captions", "include", "exclude", "keep"),
    *("references", "held_out", "split_seed"),
)
"""Settings of photos that `prepare` has followed by the time there is a set."""

LEAST_FOR_PRODIGY = 0.5
"""Prodigy multiplies the rate that it finds by the plan's, and finds none where it does not move. After 400 steps of
a small network, on batches of four, it had found over half of what it finds at 1.0 with 0.5, less than a hundredth of
that with 0.3, and had stayed at the 1e-6 that it begins with up to 0.1."""

UNREADABLE = "may not be read"
"""Stands for the hash of such a file."""

PREPARATION = 7
"""Version of the preparation code: part of the address of prepared sets, so that new code never finds old ones."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A plan with every default filled in, the photo set of each subject, and the hashes of all inputs."""

    plan: RunPlan
    sets: dict[str, PhotoSet]
    inputs: dict[str, str]
    warnings: tuple[str, ...]

    @property
    def training_photos(self) -> int:
        """Photos that are trained on, over all subjects."""
        return sum(len(photo_set.train) for photo_set in self.sets.values())


def resolve(plan: RunPlan, progress: Progress = silent) -> Resolved:
    """Fill in identifiers, size, threads and device; prepare photos. Raises PlanError, PhotoError, NoWeights."""
    require_parts(plan)  # before the photos, which take the longest
    found = look_up_inputs(plan, progress)
    require_something_to_wait_for(plan, found.sets)
    if isinstance(found.plan.strategy, Mean):
        plan, inputs = look_up_parts(found.plan, found.inputs)
        return replace(found, plan=plan, inputs=inputs)
    own = (*remarks_on_objective(found.plan, found), *snapshots_beyond(found), *warmup_beyond(found))
    return replace(found, warnings=(*found.warnings, *own))


def remarks_on_objective(plan: RunPlan, found: Resolved) -> list[str]:
    """What is to be said of the plan's objective and the photos and base model that were found."""
    return [*too_few_class_images(plan, found.inputs["base"], found.sets), *untold(plan, found.sets)]


def snapshots_beyond(found: Resolved) -> list[str]:
    """A sentence where snapshots lie beyond the last step, which depends on how many photos are usable."""
    training = found.plan.training
    total = training.total_steps(found.training_photos)
    beyond = [step for step in training.snapshots if step > total]
    if not beyond:
        return []
    listed = ", ".join(map(str, beyond))
    return [f"The training ends at step {total}, so there will be no snapshot at {listed} (training.snapshots)."]


def warmup_beyond(found: Resolved) -> list[str]:
    """A sentence where the learning rate is still rising at the last step."""
    training = found.plan.training
    total = training.total_steps(found.training_photos)
    if training.rate.warmup <= total:
        return []
    return [
        f"The training ends at step {total}, while the learning rate rises until step {training.rate.warmup} "
        f"(training.rate.warmup): it reaches {total / training.rate.warmup:.0%} of what is asked for."
    ]


def look_up_inputs(plan: RunPlan, progress: Progress = silent) -> Resolved:
    """The part of :func:`resolve` that photos, base model and prompts decide, which many runs of a study share.

    What else a plan asks for, :func:`require_parts` and :func:`require_something_to_wait_for` look at quickly.
    """
    part_configs(plan.base)
    device = device_kind(plan.base.device)
    size = base_size(plan.base) if plan.photos.size is None else plan.photos.size
    photos = plan.photos.model_copy(update={"size": size, "domain": domain_of(plan.photos, plan.base)})
    subjects, warnings = name_subjects(plan)
    training = plan.training.model_copy(update={"threads": plan.training.num_threads()})
    filled = plan.model_copy(
        update={
            "subjects": subjects,
            "photos": photos,
            "training": training,
            "base": plan.base.model_copy(update={"device": device}),
        }
    )
    _require_one_folder_each(filled)
    sets = {
        s.name: photo_set(s.photos, own_settings(photos, s, subjects), size, within(progress, "photos"))
        for s in subjects
    }
    inputs = {f"photos/{name}": found.content_hash for name, found in sets.items()}
    inputs["base"] = fingerprint(plan.base)
    own = plan.objective.class_folder
    if own is not None:
        names = [path.name for path in pictures_in(own, "objective.class_folder")]
        with disk_errors(own, "read the class images"):
            inputs["class_folder"] = sha256_json(folder_listing(own, names))
    remarks = (*unnamed(filled, sets), *long_prompts(filled, sets), *lost_captions(sets), *remarks_on(sets))
    return Resolved(filled, sets, inputs, (*warnings, *remarks))


def require_parts(plan: RunPlan) -> None:
    """Raises PlanError where a plan asks for what is not installed, or for parts that the base model has not."""
    require_optimizer_library(plan.training.optimizer.kind)
    _require_a_rate_for_prodigy(plan)
    _require_layers(plan)
    require_sampling(plan.generation, plan.base)
    _require_own_vectors(plan)


def _require_a_rate_for_prodigy(plan: RunPlan) -> None:
    """Prodigy finds one rate for everything, and its groups may only be closed; given another optimizer's rate, it
    never finds one."""
    if plan.training.optimizer.kind != "prodigy":
        return
    fields = type(plan.strategy).model_fields
    rates = {getattr(plan.strategy, name) for name in fields if name.endswith("learning_rate")} - {None, 0.0}
    if len(rates) > 1:
        raise PlanError(
            f"training.optimizer.kind is 'prodigy', which takes one learning rate, and strategy has {sorted(rates)}.",
            "Give the same everywhere (1.0 is its authors' advice), or use adamw.",
        )
    if min(rates, default=1.0) < LEAST_FOR_PRODIGY:
        raise PlanError(
            f"training.optimizer.kind is 'prodigy', which finds the rate itself and multiplies it by the plan's: at "
            f"strategy's {rates.pop()} it moves next to nothing; {LEAST_FOR_PRODIGY} is the least.",
            "Set strategy.learning_rate = 1.0, its authors' advice, or use adamw.",
        )


def _require_layers(plan: RunPlan) -> None:
    """A name of ``strategy.targets`` that ends like no layer is a slip, also beside others that fit.

    Where in the model a layer lies ("mid_block…") is seen only when adapters are put in.
    """
    configs = part_configs(plan.base) if "targets" in plan.strategy.model_fields_set else None
    if configs is None:
        return
    told = json.dumps(configs, sort_keys=True)
    for role, trained in plan.strategy.trains().items():
        names = _adaptable(told, role)
        for target in trained.targets:
            if not any(f".{target}".endswith(f".{name}") or f".{name}".endswith(f".{target}") for name in names):
                raise no_layer(role, target)


def require_sampling(generation: Generation, base: Base) -> None:
    """Raises PlanError where samplers cannot lay out the steps over the base model's timesteps, with its own spacing
    where the plan says none. Of a single file nothing else than the usual is known."""
    scheduler = scheduler_config(base)
    spacing = generation.spacing or scheduler.get("timestep_spacing")
    timesteps = scheduler.get("num_train_timesteps", 1000)
    if not isinstance(timesteps, int):
        return  # said with all else that is wrong with the base model
    if not lays_out(generation.steps, spacing, timesteps):
        laid = f"with spacing {spacing} over" if spacing else "over"
        raise PlanError(
            f"generation.steps = {generation.steps} cannot be laid out {laid} the {timesteps} timesteps of "
            f"{base.model}: two would be at one timestep, or one at none.",
            f"Take {most_steps(generation.steps, spacing, timesteps)}, or another generation.spacing.",
        )


@lru_cache(maxsize=16)
def _adaptable(configs: str, role: str) -> frozenset[str]:
    """Names of the layers that can have an adapter, of configs as JSON: a study asks for every run."""
    layers = costs_of(json.loads(configs), side=512).part(role)  # no layer depends on the pictures' size
    return frozenset(layer.name for layer in layers if layer.kind in ("conv", "linear"))


def _require_own_vectors(plan: RunPlan) -> None:
    """An identifier whose own vector is learnt must have one."""
    if not plan.strategy.needs_one_token():
        return
    for subject in plan.subjects:
        if subject.identifier is not None:
            pieces = split(load_tokenizer(plan.base), subject.identifier)
            require_one_token(subject.identifier, [piece.text for piece in pieces])


def require_something_to_wait_for(plan: RunPlan, sets: Mapping[str, PhotoSet]) -> None:
    """Raises PlanError where the training's end depends on held-out photos and there are none."""
    if plan.training.validation.patience is not None and not any(found.held_out for found in sets.values()):
        raise PlanError(
            "training.validation.patience waits for the loss on held-out photos, and none is held out.",
            f"Give {HELD_OUT_FROM} photos or more, or others as photos.references; or leave patience out.",
        )


def _require_one_folder_each(plan: RunPlan) -> None:
    """Raises PlanError where one folder would stand for several subjects, or for several classes."""
    references, own = plan.photos.references, plan.objective.class_folder
    if references is not None and len(plan.subjects) > 1 and list_folder(references).photos:
        raise PlanError(
            f"photos.references = {references} holds photos, but there are {len(plan.subjects)} subjects.",
            "Put each subject's into a folder of its name in there.",
        )
    nouns = {subject.class_noun for subject in plan.subjects}
    if own is not None and len(nouns) > 1:
        raise PlanError(
            f"objective.class_folder = {own} cannot be of {' and of '.join(sorted(nouns))} at once.",
            "Leave it out, so that the base model draws the class images, or train the subjects apart.",
        )


def name_subjects(plan: RunPlan) -> tuple[tuple[Subject, ...], tuple[str, ...]]:
    """The subjects with an identifier each, and what speaks against the given ones."""
    tokenizer = load_tokenizer(plan.base)
    taken = [subject.identifier for subject in plan.subjects if subject.identifier]
    missing = len(plan.subjects) - len(taken)
    free = iter(suggest(tokenizer, missing, taken) if missing else [])
    subjects, warnings = [], []
    for subject in plan.subjects:
        if subject.identifier is None:
            subjects.append(subject.model_copy(update={"identifier": next(free)}))
            continue
        report = inspect_word(tokenizer, subject.identifier)
        warnings += [f"The identifier {report.word!r} {problem}." for problem in report.problems]
        subjects.append(subject)
    return tuple(subjects), tuple(warnings)


def photo_set(folder: Path, settings: Photos, size: int, progress: Any = None) -> PhotoSet:
    """The prepared photos of ``folder``: as it is when it is a photo set, else prepared into the shared cache."""
    if is_photo_set(folder):
        found = read_set(folder)
        ignored = [name for name in DECIDED if getattr(settings, name) != Photos.model_fields[name].default]
        # Screening turned off asks nothing of a set: it is a plan's word for folders, and a study may mix both.
        ignored += ["screen"] if settings.screen.model_copy(update={"enabled": True}) != Screen() else []
        if ignored:
            listed = ", ".join(f"photos.{name}" for name in ignored)
            raise PlanError(
                f"{folder} is a photo set, in which {listed} is decided already.",
                "Give the folder of originals, or prepare the set otherwise.",
            )
        wrong = [photo.name for photo in found.photos if photo.size != (size, size)]
        if wrong:
            raise PlanError(
                f"The photo set {folder} was prepared at {found.photos[0].size[0]} px; the base model wants {size}.",
                "Prepare the photos again, or set photos.size.",
            )
        return found
    key = {
        "version": PREPARATION,
        "faces": looks_for_faces(settings),
        "photos": contents_of(folder),
        "references": None if settings.references is None else contents_of(settings.references),
        "others": [others_in(place) for place in (folder, settings.references) if place is not None],
        "settings": settings.model_dump(mode="json", exclude={"references"}),
        "size": size,
    }
    out = cache("photo-sets") / sha256_json(key)[:16]
    if is_photo_set(out):
        with contextlib.suppress(PhotoError, RunDamaged):  # a damaged one is made again
            return read_set(out)
    earlier = sorted(path for path in out.parent.iterdir() if is_photo_set(path)) if out.parent.is_dir() else []
    return prepare(folder, out, settings, size, progress, earlier)


def contents_of(folder: Path) -> dict[str, str]:
    """The hashes of everything in ``folder`` that preparation reads. What may not be read is set aside there, or told
    where somebody's caption is in it."""
    listing = list_folder(folder)
    found = {}
    for path in (*listing.photos, *listing.words):
        with disk_errors(path, "read the photos"):
            try:
                found[spelled(path.name)] = sha256_file(path)
            except PermissionError:
                found[spelled(path.name)] = UNREADABLE
    return found


def others_in(folder: Path) -> dict[str, str]:
    """What else lies in ``folder``, and why it is set aside: a set tells of it, though its photos are the same."""
    return {item.name: item.code for item in list_folder(folder).others}


def domain_of(photos: Photos, base: Base) -> Literal["photographs", "drawings"]:
    """What the pictures are: as the plan says, else drawings for the built-in model and photographs for others."""
    if photos.domain != "auto":
        return photos.domain
    return "drawings" if base.model == "toon" else "photographs"


def own_settings(photos: Photos, subject: Subject, subjects: Sequence[Subject]) -> Photos:
    """The settings of one of a plan's subjects: with several, each has its references in a folder of its name.

    Of one that has no such folder beside others that have, nothing is held out. A photo set says itself what is.
    """
    if photos.references is None:
        return photos
    if (photos.references / subject.name).is_dir():
        return photos.model_copy(update={"references": photos.references / subject.name})
    if any((photos.references / other.name).is_dir() for other in subjects) and not is_photo_set(subject.photos):
        return photos.model_copy(update={"references": None, "held_out": 0.0})
    return photos


def run_of(resolved: Resolved, root: Path) -> Run:
    """The run folder of a resolved plan, made now if need be, with its own copy of the photo sets."""
    plan = resolved.plan
    tree = plan.model_dump(mode="json")
    run = create_run(
        root,
        plan.name,
        digest(plan, resolved.inputs),
        trunk_digest(plan, resolved.inputs),
        tree,
        to_toml(tree),
        provenance(resolved.inputs, plan.base.device),
    )
    for name, found in resolved.sets.items():
        target = run.path / "photos" / name
        if not is_complete(target):
            with new_folder(target) as temporary:
                shutil.copytree(found.path, temporary, dirs_exist_ok=True)
    return run


def photo_sets_of(run: Run, plan: RunPlan) -> dict[str, PhotoSet]:
    """The run's own copies of its photo sets, by subject. Raises RunDamaged with what puts a damaged one back."""
    try:
        return {subject.name: read_set(run.path / "photos" / subject.name) for subject in plan.subjects}
    except (PhotoError, RunDamaged) as error:
        raise RunDamaged(
            error.message,
            f"Delete the folder {run.path / 'photos'} and give the command that made the run again; it puts the "
            "photos back and trains nothing.",
        ) from error
