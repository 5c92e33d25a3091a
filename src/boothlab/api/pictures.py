"""The pictures of a run's snapshots and of the base model that are scored, and what draws them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache as memo

from boothlab.config.load import whole_number
from boothlab.errors import PlanError, RunDamaged
from boothlab.evaluation.lots import BASE as BASE
from boothlab.evaluation.lots import DESCRIBED
from boothlab.evaluation.orders import Sets, Source, by_role, unique, wanted
from boothlab.files import damaged, folder_listing, read_table, sha256_json
from boothlab.generation.generate import generate
from boothlab.models.config import Base
from boothlab.models.load import load
from boothlab.models.locate import device_kind, fingerprint
from boothlab.models.model import Model
from boothlab.plan import RunPlan, plan_from
from boothlab.progress import Progress, silent, within
from boothlab.runs.run import Run, step_name
from boothlab.subjects import Subject
from boothlab.training import threads


def plan_of(run: Run) -> RunPlan:
    """The resolved plan of a run."""
    return plan_from(run.plan(), str(run.path / "plan.json"))


def require_same_base(run: Run, plan: RunPlan) -> None:
    """Raises RunDamaged where another model lies in the base model's place by now: with it the snapshots show
    nobody, and scores that were right would be overwritten. A run that does not say what it was trained on passes."""
    if not (run.path / "provenance.json").is_file():
        return
    inputs = read_table(run.path / "provenance.json").get("inputs", {})
    trained_on = inputs.get("base") if isinstance(inputs, dict) else inputs
    if trained_on is not None and not isinstance(trained_on, str):
        raise damaged(run.path / "provenance.json", "inputs.base is no hash")
    found = fingerprint(plan.base)
    if trained_on is not None and trained_on != found:
        raise RunDamaged(
            f"The base model {plan.base.model} is not the one that {run.name} was trained on any more "
            f"(hash {found[:12]}, then {trained_on[:12]}).",
            "Put the old one back; its weights are part of the result.",
        )


def keep_threads(plan: RunPlan) -> None:
    """Draw, and score what was drawn, with as many threads as the training had, in whichever process.

    Sums depend on it in their last bits, and a run that was killed goes on in a process that never trained.
    """
    threads.take(plan.training)


def snapshot_model(run: Run, plan: RunPlan, snapshot: str) -> Model:
    """The base model, or the base model with a snapshot in it."""
    model = load(_here(plan.base), plan.photos.size)
    if snapshot != BASE:
        if not run.has_weights(snapshot):
            raise RunDamaged(
                f"The snapshot {run.snapshots / snapshot} is not whole: weights or snapshot.json are gone.",
                "Give the command that made the run again; it makes the snapshot again.",
            )
        plan.strategy.restore(model, run.snapshots / snapshot)
        for module in model.parts().values():
            module.requires_grad_(False)
            module.eval()
    return model


def _here(base: Base) -> Base:
    """The base model on the device that it was trained on or, where this machine has none such, on what it has."""
    try:
        device_kind(base.device)
    except PlanError:
        return base.model_copy(update={"device": "auto"})
    return base


def weights_hash(run: Run, plan: RunPlan, snapshot: str) -> str:
    """What a picture of this snapshot depends on besides prompt, seed and sampler."""
    base = fingerprint(plan.base)
    if snapshot == BASE:
        return base
    return sha256_json({"base": base, "snapshot": folder_listing(run.snapshots / snapshot)})


def snapshots_of(run: Run) -> list[str]:
    """Names of the run's snapshots. Raises PlanError when there is none yet."""
    names = [step_name(step) for step in run.snapshot_steps()]
    if not names:
        raise PlanError(
            f"{run.path} has no snapshot yet.",
            "Give the command that made it; it makes those again that were deleted.",
        )
    return names


def choose_snapshot(run: Run, wanted: str | None) -> str:
    """``wanted`` (a step, a name, or "base"), or the last snapshot."""
    names = snapshots_of(run)
    if wanted is None:
        return names[-1]
    step = whole_number(wanted)
    name = wanted if step is None else step_name(step)
    if name not in (*names, BASE):
        raise PlanError(f"{run.path} has no snapshot {wanted[:40]}.", f"It has {', '.join([BASE, *names])}.")
    return name


def choose_subject(plan: RunPlan, wanted: str | None) -> Subject:
    """The subject called ``wanted``, or the plan's first."""
    if wanted is None:
        return plan.subjects[0]
    found = next((subject for subject in plan.subjects if subject.name == wanted), None)
    if found is None:
        names = ", ".join(subject.name for subject in plan.subjects)
        raise PlanError(f"This run has not learned {wanted[:40]!r}.", f"It has learned {names}.")
    return found


def evaluation_pictures(run: Run, plan: RunPlan, progress: Progress = silent) -> dict[str, dict[str, Sets]]:
    """subject → source → role → pictures of the evaluation plan; what is missing is made.

    Sources are "base", "described" for a subject with a description, and the snapshots.
    """
    require_same_base(run, plan)
    keep_threads(plan)
    asked = {
        (source, subject.name): wanted(plan.evaluation, subject, _kind(source))
        for source in ([BASE, DESCRIBED] if plan.evaluation.base else []) + snapshots_of(run)
        for subject in plan.subjects
        if source != DESCRIBED or subject.description
    }
    total = sum(len(unique(orders)) for orders in asked.values())
    found: dict[str, dict[str, Sets]] = {subject.name: {} for subject in plan.subjects}
    done = 0
    models: dict[str, Callable[[], Model]] = {}
    for (source, name), orders in asked.items():
        weights = BASE if source == DESCRIBED else source
        if weights not in models:
            models = {weights: memo(lambda weights=weights: snapshot_model(run, plan, weights))}
        before = done

        def tick(count: int, of: int, before: int = before) -> None:
            progress("pictures", before + count, total)

        folder = run.images / source / name
        drawn = generate(
            models[weights], weights_hash(run, plan, weights), unique(orders), plan.generation, folder, tick
        )
        found[name][source] = by_role(orders, drawn)
        done += len(drawn)
    return found


FRESH_IMAGES = "fresh"
"""Folder of a run's images with pictures that had no part in choosing a snapshot."""

FRESH = 1_000_003
"""Added to the evaluation's seed for pictures that had no part in choosing a snapshot."""


def fresh_pictures(run: Run, plan: RunPlan, subject: Subject, snapshot: str, progress: Progress = silent) -> Sets:
    """Context pictures of one snapshot from other initial noises than the evaluation's."""
    require_same_base(run, plan)
    keep_threads(plan)
    update = {"seed": plan.evaluation.seed + FRESH, "bare": 0, "class_pictures": 0, "unrelated": ()}
    asked = wanted(plan.evaluation.model_copy(update=update), subject, "tuned")
    folder = run.images / FRESH_IMAGES / snapshot / subject.name
    model = memo(lambda: snapshot_model(run, plan, snapshot))
    weights = weights_hash(run, plan, snapshot)
    return by_role(asked, generate(model, weights, unique(asked), plan.generation, folder, within(progress, "fresh")))


def _kind(source: str) -> Source:
    return "base" if source == BASE else "described" if source == DESCRIBED else "tuned"
