"""`generate`: the pictures of a run's snapshots and of the base model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache as memo

from boothlab.errors import PlanError
from boothlab.evaluation.config import Evaluation
from boothlab.evaluation.evaluate import orders
from boothlab.files import folder_listing, sha256_json
from boothlab.generation.generate import Order, Picture, generate
from boothlab.models.load import load
from boothlab.models.locate import fingerprint
from boothlab.models.model import Model
from boothlab.plan import RunPlan, plan_from
from boothlab.progress import Progress, silent, within
from boothlab.runs.run import Run, step_name
from boothlab.seeds import derive
from boothlab.subjects import Subject, fill

BASE = "base"


def plan_of(run: Run) -> RunPlan:
    """The resolved plan of a run."""
    return plan_from(run.plan(), str(run.path / "plan.json"))


def snapshot_model(run: Run, plan: RunPlan, snapshot: str) -> Model:
    """The base model, or the base model with a snapshot in it."""
    model = load(plan.base, plan.photos.size)
    if snapshot != BASE:
        plan.strategy.restore(model, run.snapshots / snapshot)
        for module in model.parts().values():
            module.requires_grad_(False)
            module.eval()
    return model


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
        raise PlanError(f"{run.path} has no snapshot yet.", "Train it first, with the command that made it.")
    return names


def choose_snapshot(run: Run, wanted: str | None) -> str:
    """``wanted`` (a step, a name, or "base"), or the last snapshot."""
    names = snapshots_of(run)
    if wanted is None:
        return names[-1]
    name = step_name(int(wanted)) if wanted.isdigit() else wanted
    if name not in (*names, BASE):
        raise PlanError(f"{run.path} has no snapshot {wanted}.", f"It has {', '.join([BASE, *names])}.")
    return name


def generate_prompts(
    run: Run, prompts: Sequence[str], seeds: int, snapshot: str | None = None, progress: Progress = silent
) -> list[Picture]:
    """Pictures of the user's own prompts in ``images/prompts/SNAPSHOT``; {it} stands for the first subject."""
    plan = plan_of(run)
    name = choose_snapshot(run, snapshot)
    subject = plan.subjects[0]
    wanted = [
        _own_order(template, subject, name != BASE, derive(plan.evaluation.seed, "evaluation", "own", template, k))
        for template in prompts
        for k in range(seeds)
    ]
    folder = run.images / "prompts" / name
    model = memo(lambda: snapshot_model(run, plan, name))
    weights = weights_hash(run, plan, name)
    return generate(model, weights, wanted, plan.generation, folder, within(progress, "pictures"))


def _own_order(template: str, subject: Subject, tuned: bool, seed: int) -> Order:
    prompt = fill(template, subject.identifier if tuned else None, subject.class_noun)
    return Order(sha256_json([prompt, seed])[:12], prompt, seed)


def evaluation_pictures(
    run: Run, plan: RunPlan, evaluation: Evaluation, progress: Progress = silent
) -> dict[str, dict[str, list[Picture]]]:
    """subject → snapshot name or "base" → its pictures of the evaluation plan; what is missing is made."""
    sources = ([BASE] if evaluation.base else []) + snapshots_of(run)
    total = len(sources) * len(plan.subjects) * len(evaluation.prompts) * evaluation.seeds_per_prompt
    found: dict[str, dict[str, list[Picture]]] = {subject.name: {} for subject in plan.subjects}
    done = 0
    for source in sources:
        model: Callable[[], Model] = memo(lambda source=source: snapshot_model(run, plan, source))
        weights = weights_hash(run, plan, source)
        for subject in plan.subjects:
            wanted = orders(evaluation, subject, tuned=source != BASE)
            folder = run.images / source / subject.name
            before = done

            def tick(count: int, of: int, before: int = before) -> None:
                progress("pictures", before + count, total)

            found[subject.name][source] = generate(model, weights, wanted, plan.generation, folder, tick)
            done += len(wanted)
    return found
