"""What a plan will take of memory and of disk, from configs and counts; nothing is loaded. (Torch-free.)"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from boothlab.models.costs import FLOAT, HALF_SHARE, Costs, Trained, drawing_numbers, kept_numbers
from boothlab.plan import RunPlan
from boothlab.strategies.mean.config import Mean
from boothlab.training.class_request import BLOCK

LIBRARIES = 0.9e9
"""Bytes of a process that has loaded PyTorch, diffusers and transformers and nothing else (measured)."""

WORKSPACES = 4
"""Copies of the largest layer's weights that convolutions make; 3.8 to 4.2 measured (docs/benchmarks.md)."""

STATES = {"adamw": 8.0, "adamw8bit": 2.1, "prodigy": 16.0}
"""Bytes of optimizer state per trained number, by kind."""

PICTURE_BYTES = 1.8
"""Bytes per pixel of a lossless PNG of a photo, at most about."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is to do: photos, class images still to be drawn, steps, snapshots, pictures of the evaluation.

    ``given`` are class pictures of the user's own. Those that the cache holds already cost nothing more; nor do the
    ``encoded`` of the photos, whose latents another training of the study makes, nor the ``drawn`` of the pictures,
    which another run of the same training has.
    """

    photos: int
    classes: int
    steps: int
    snapshots: int
    pictures: int
    given: int = 0
    encoded: int = 0
    drawn: int = 0


def trained_numbers(plan: RunPlan, costs: Costs) -> int:
    """How many numbers the strategy moves."""
    return sum(trained.parameters(costs.part(role)) for role, trained in moved_by(plan).items())


def moved_by(plan: RunPlan) -> Mapping[str, Trained]:
    """Role → what of it is trained; nothing for a mean, though its snapshots hold as much."""
    return {} if isinstance(plan.strategy, Mean) else plan.strategy.trains()


def samples_per_pass(plan: RunPlan) -> int:
    """Photos and class images that go through the model together."""
    return plan.training.batch_size * (2 if plan.objective.prior_preservation else 1)


def previews_of(plan: RunPlan, counts: Counts) -> int:
    """How many pictures are drawn while the training goes on."""
    preview = plan.training.validation.preview
    return len(preview.steps(counts.steps)) * len(plan.subjects) * len(preview.prompts) * preview.seeds


def memory_of(plan: RunPlan, counts: Counts, costs: Costs) -> dict[str, float]:
    """Bytes at the widest moment of the training. On a GPU all but the libraries lies there."""
    compute, optimizer = plan.training.compute, plan.training.optimizer
    trained = trained_numbers(plan, costs)
    half = compute.precision != "fp32"
    kept = sum(
        kept_numbers(costs.part(role), moved, compute.gradient_checkpointing)
        for role, moved in moved_by(plan).items()
    )
    unet, text = (sum(layer.parameters for layer in part) for part in (costs.unet, costs.text))
    # Autocast keeps rounded weights only of what takes a gradient, so the frozen copy has none beside it.
    training = {
        "libraries": LIBRARIES if plan.base.device != "cuda" else 0.0,
        "weights": FLOAT * costs.parameters,
        "frozen copy": FLOAT * (unet + text) if plan.objective.predicts_prior else 0.0,
        "gradients": FLOAT * trained,
        "optimizer": STATES[optimizer.kind] * trained,
        "running mean": FLOAT * trained if optimizer.ema_decay is not None else 0.0,
        "weights in half precision": 2.0 * unet if half else 0.0,
        "working space": FLOAT * WORKSPACES * max(layer.parameters for layer in costs.unet),
        "activations": FLOAT * kept * samples_per_pass(plan) * (HALF_SHARE[plan.base.device] if half else 1.0),
    }
    guided, together = plan.generation.guidance != 1.0, plan.generation.batch_size
    if plan.training.validation.preview.every is not None:
        previews = FLOAT * drawing_numbers(costs, together, guided)
        training["activations"] = max(training["activations"], previews)
    # Class images are drawn by blocks of their own size, whatever the pictures of the evaluation are.
    drawing = FLOAT * drawing_numbers(costs, max(together, BLOCK if counts.classes else 1), guided)
    bare = training["libraries"] + training["weights"] + drawing
    if bare > sum(training.values()) or isinstance(plan.strategy, Mean):
        training = {name: training[name] for name in ("libraries", "weights")} | {"drawing": drawing}
    return {name: float(size) for name, size in training.items() if size}


def host_of(plan: RunPlan, costs: Costs) -> dict[str, float]:
    """Bytes of main memory that a plan for a GPU of its own memory takes: the most while the model is read."""
    if plan.base.device != "cuda":
        return {}
    return {"libraries": LIBRARIES, "weights, while they are read": float(FLOAT * costs.parameters)}


def states_at_once(plan: RunPlan) -> int:
    """How many checkpoints lie there at most: those that are kept, and the one that is written beside them."""
    return max(1, plan.training.keep_checkpoints) + 1


def passing_of(plan: RunPlan, disk: Mapping[str, float]) -> float:
    """How much of ``disk_of`` is free again once the training is finished."""
    return disk["checkpoints"] * (1 - plan.training.keep_checkpoints / states_at_once(plan))


def disk_of(plan: RunPlan, counts: Counts, costs: Costs) -> dict[str, float]:
    """Bytes of the run folder and of its share of the cache, and of the checkpoint that is written beside the old."""
    settings, trained = plan.training, trained_numbers(plan, costs)
    state = FLOAT + STATES[settings.optimizer.kind] + (FLOAT if settings.optimizer.ema_decay is not None else 0)
    moves = plan.strategy.trains()
    modules = all(moved.as_module for moved in moves.values())
    width = 2 if modules and settings.snapshot_precision == "fp16" else FLOAT
    exported = sum(moved.exported(costs.part(role)) for role, moved in moves.items())
    pixels = costs.side**2 * PICTURE_BYTES
    return {
        "checkpoints": states_at_once(plan) * state * trained,
        "snapshots": float(counts.snapshots * width * exported),
        "pictures": (counts.pictures + previews_of(plan, counts)) * pixels,
        "photos and class images": (2 * counts.photos + counts.classes) * pixels,
    }


def saved_bytes(plan: RunPlan, counts: Counts, costs: Costs) -> float:
    """Bytes of all checkpoints and snapshots that the training writes, kept or not."""
    disk, settings = disk_of(plan, counts, costs), plan.training
    checkpoints = math.ceil(counts.steps / settings.checkpoint_every)
    return disk["checkpoints"] * checkpoints / states_at_once(plan) + disk["snapshots"]
