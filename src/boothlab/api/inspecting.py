"""`check`, `show`, `doctor`, `tokens`: what would happen, what happened, what works here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from boothlab.api.class_requests import class_requests
from boothlab.api.estimating import Estimate, estimate
from boothlab.api.remarks import set_aside
from boothlab.api.resolving import Resolved, resolve
from boothlab.api.space import Counts
from boothlab.config.show import difference, to_toml
from boothlab.errors import BoothlabError
from boothlab.evaluation.orders import SOURCES, unique, wanted
from boothlab.features.faces import Domain
from boothlab.features.feature import Feature
from boothlab.files import require_writable
from boothlab.home import home
from boothlab.metrics import METRICS
from boothlab.metrics.metric import feature_of
from boothlab.models.config import Base, placed_base
from boothlab.models.speed import speed
from boothlab.models.tokens import TokenReport, inspect_word, load_tokenizer, suggest
from boothlab.photos.read import find_photos
from boothlab.plan import RunPlan, digest, own_tree, plan_from, snapshot_in_words
from boothlab.progress import Progress, silent
from boothlab.runs.provenance import versions
from boothlab.runs.run import Run, folder_name
from boothlab.runs.status import Status
from boothlab.strategies.mean.config import Mean


@dataclass(frozen=True, slots=True)
class Checked:
    """What a plan amounts to, found without loading a model."""

    plan: RunPlan
    folder: str
    training_photos: int
    held_out_photos: int
    rejected_photos: int
    steps: int
    snapshots: tuple[int, ...]
    pictures: int
    warnings: tuple[str, ...]
    estimate: Estimate


def check_plan(plan: RunPlan, root: Path, progress: Progress = silent) -> Checked:
    """Everything that can be wrong with a plan comes out here, before anything is loaded."""
    require_writable(root, "run folders")
    require_writable(home(), "shared results")
    resolved = resolve(plan, progress)
    full = resolved.plan
    steps = full.training.total_steps(resolved.training_photos)
    snapshots = full.training.snapshot_steps(steps)
    counts = Counts(
        photos=sum(len(found.photos) for found in resolved.sets.values()),
        snapshots=len(snapshots),
        pictures=evaluation_size(full, len(snapshots)),
        **_to_train(resolved, steps),
    )
    rates = speed(full.base.device, full.training.num_threads())
    return Checked(
        plan=full,
        folder=str(root / folder_name(full.name, digest(full, resolved.inputs))),
        training_photos=resolved.training_photos,
        held_out_photos=sum(len(found.held_out) for found in resolved.sets.values()),
        rejected_photos=sum(len(found.rejected) for found in resolved.sets.values()),
        steps=steps,
        snapshots=snapshots,
        pictures=counts.pictures,
        warnings=(*set_aside(resolved.sets), *resolved.warnings),
        estimate=estimate(full, counts, rates, root),
    )


def _to_train(resolved: Resolved, steps: int) -> dict[str, int]:
    """What only a training needs: class images that are drawn or given, and steps."""
    plan = resolved.plan
    if isinstance(plan.strategy, Mean):
        return {"classes": 0, "steps": 0}
    requests = class_requests(plan, resolved.inputs["base"], resolved.sets).values()
    return {"classes": sum(one.undrawn() for one in requests), "given": own_pictures(plan), "steps": steps}


def evaluation_size(plan: RunPlan, snapshots: int) -> int:
    """How many pictures the evaluation draws."""
    total = 0
    for subject in plan.subjects:
        named = subject.model_copy(update={"identifier": subject.identifier or "x"})
        counts = {kind: len(unique(wanted(plan.evaluation, named, kind))) for kind in SOURCES}
        total += snapshots * counts["tuned"]
        if plan.evaluation.base:
            total += counts["base"] + (counts["described"] if subject.description else 0)
    return total


def own_pictures(plan: RunPlan) -> int:
    """How many pictures of the user's own class folder are trained with, over all class nouns."""
    objective = plan.objective
    if objective.class_folder is None:
        return 0
    nouns = {subject.class_noun for subject in plan.subjects}
    return len(nouns) * min(objective.class_images, len(find_photos(objective.class_folder)[0]))


@dataclass(frozen=True, slots=True)
class Shown:
    """A run as it stands. ``mean_of`` names the snapshots whose mean its weights are; "" for none."""

    run: Run
    status: Status
    plan: RunPlan
    mean_of: str
    differences: tuple[tuple[str, Any, Any], ...]
    snapshots: tuple[int, ...]
    summary: dict[str, Any] | None

    def tree(self) -> dict[str, Any]:
        """The resolved plan as JSON; see :func:`boothlab.plan.own_tree`."""
        return own_tree(self.plan)

    def toml(self) -> str:
        """The same as TOML."""
        return to_toml(self.tree())


def show_run(run: Run) -> Shown:
    """Status, plan, differences from the defaults, snapshots."""
    from boothlab.files import read_json

    plan = plan_from(run.plan(), str(run.path / "plan.json"))
    summary = run.path / "summary.json"
    changed, own = difference(RunPlan(subjects=plan.subjects), plan), own_tree(plan)
    return Shown(
        run=run,
        status=status_now(run),
        plan=plan,
        mean_of=", ".join(map(snapshot_in_words, plan.strategy.of)) if isinstance(plan.strategy, Mean) else "",
        differences=tuple(line for line in changed if line[0].split(".")[0] in own),
        snapshots=tuple(run.snapshot_steps()),
        summary=read_json(summary) if summary.is_file() else None,
    )


def status_now(run: Run) -> Status:
    """What a run's status amounts to: the step that its log has come to, and whether anybody still runs it.

    Nothing is written: the command that goes on with the run does that.
    """
    status = run.status()
    if status.state not in ("running", "lost"):
        return status
    step = max(status.step, run.reached())
    if status.state == "running" and run.is_held():
        return Status("running", step)
    return Status("lost", step, "the process that was running it is gone; the command that made it goes on with it")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``doctor``: what was looked at, whether it works, and what that means."""

    name: str
    works: bool
    detail: str


def examine() -> list[Finding]:
    """What works on this machine."""
    found = [Finding(f"package {name}", version != "absent", version) for name, version in versions().items()]
    found.append(Finding("cores", True, str(os.cpu_count())))
    memory = psutil.virtual_memory()
    found.append(Finding("memory", memory.available > 2e9, f"{memory.available / 1e9:.1f} GB free"))
    place = home()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found.append(Finding("disk", free > 2e9, f"{free / 1e9:.1f} GB free where shared results are kept"))
    found.append(_gpu())
    found.append(_toon())
    for place, what in ((home(), "shared results"), *((Path(name), name) for name in ("runs", "studies"))):
        found.append(_writable(place, what))
    found += [_feature(name, feature) for name, feature in sorted(features().items())]
    return found


def _writable(place: Path, what: str) -> Finding:
    try:
        require_writable(place, what)
    except BoothlabError as error:
        return Finding(f"place for {what}", False, error.message)
    return Finding(f"place for {what}", True, f"{place} can be written")


def features() -> dict[str, Feature]:
    """Name → everything that some metric looks with, at photographs or at drawings."""
    domains: tuple[Domain, ...] = ("photographs", "drawings")
    return {feature.name: feature for metric in METRICS for feature in (feature_of(metric, d) for d in domains)}


def _feature(name: str, feature: Feature) -> Finding:
    missing = feature.missing()
    return Finding(f"feature {name}", missing is None, missing or "ready")


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("GPU", True, torch.cuda.get_device_name(0))
    if torch.backends.mps.is_available():
        return Finding("GPU", True, "Apple MPS")
    return Finding("GPU", False, "none; the built-in model is made for the CPU, Stable Diffusion wants a GPU")


def _toon() -> Finding:
    from boothlab.models.locate import toon_folder

    try:
        folder = toon_folder()
    except BoothlabError as error:
        return Finding("built-in model toon", False, error.message)
    # Beside the model lie what knows its faces and its CLIP.
    size = sum(path.stat().st_size for path in folder.parent.rglob("*") if path.is_file())
    return Finding("built-in model toon", True, f"{size / 1e6:.0f} MB, with what its pictures are measured by")


def inspect_words(words: Sequence[str], base: Base, suggestions: int) -> tuple[list[TokenReport], list[str]]:
    """What is known of each word, and words that would be better."""
    tokenizer = load_tokenizer(placed_base(base, Path.cwd()))
    return [inspect_word(tokenizer, word) for word in words], suggest(tokenizer, suggestions, words)
