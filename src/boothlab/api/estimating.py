"""What a plan will take: seconds, memory and disk, from configs, counted FLOPs and a measured rate; nothing loaded.

Every figure says what it is made of, and where memory or disk do not suffice, which settings would make them.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from boothlab.config.load import apply_override
from boothlab.models.costs import (
    FLOAT,
    HALF_SHARE,
    SD15,
    Costs,
    Trained,
    backward_flops,
    costs_of,
    drawing_numbers,
    forward_flops,
    kept_numbers,
    recomputed_flops,
)
from boothlab.models.locate import part_configs
from boothlab.models.speed import Speed
from boothlab.plan import RunPlan, plan_from
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

STEP_LAYERS = 100
"""What a step costs besides the model's layers (noise, clipping, the optimizer's calls, the event), in layers."""

IMPORTS = 6.0
"""Seconds until PyTorch, diffusers and transformers are imported (measured on the machine of docs/benchmarks.md)."""

READ_PER_SECOND = 0.5e9
"""Bytes of weights that are read and put in place in a second (0.5 to 1 measured; the first time, the disk's)."""

SAVED_PER_SECOND = 0.3e9
"""Bytes of checkpoints and snapshots written, flushed and hashed in a second (measured on the machine of
docs/benchmarks.md; disks differ by a factor of ten)."""

SAVING = 0.2
"""Share of the training's time that writing checkpoints may take without a word."""

ROOM = 0.9
"""Share of what is free that a plan may take; the rest is for other programs and for the error of the estimate."""

REMEDIES: dict[str, tuple[tuple[str, Any], ...]] = {
    "memory": (
        ("generation.batch_size", 1),
        ("objective.class_folder", "FOLDER"),
        ("training.compute.gradient_checkpointing", True),
        ("training.batch_size", 1),
        ("training.compute.precision", "bf16"),
        ("training.optimizer.kind", "adamw8bit"),
        ("strategy", {"kind": "lora"}),
    ),
    "disk": (
        ("training.keep_checkpoints", 1),
        ("training.snapshot_precision", "fp16"),
        ("training.snapshots", []),
        ("strategy", {"kind": "lora"}),
    ),
}
"""Settings that make a plan smaller, mildest first."""


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


BUSY = "other programs take this machine's cores: the time is what it would be beside them, and may be far too long"
"""Said of a time that was told from a measurement on a busy machine."""

HALF_TIME = "the time is that of fp32, which is what was measured: in half precision it is at most that"
"""Said of a time on a GPU, which computes faster in half precision. A processor may not."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A setting that saves ``saves`` bytes, and whether the plan then ``fits``."""

    setting: str
    saves: float
    fits: bool


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan takes. ``seconds``, ``memory`` and ``disk`` are by item; bytes of 10⁹ to the GB.

    ``teraflops_per_step`` is counted, ``seconds_per_step`` that over this machine's measured rate. ``free_memory``
    and ``free_disk`` are what the machine has now. ``host`` is what a plan takes of main memory where ``memory`` is a
    GPU's, of ``free_host``. ``assumed`` says what had to be assumed. ``rarer`` is a larger checkpoint_every,
    where writing checkpoints takes long beside the steps.
    """

    parameters: int
    trained: int
    teraflops_per_step: float
    seconds_per_step: float
    seconds: Mapping[str, float]
    memory: Mapping[str, float]
    host: Mapping[str, float]
    disk: Mapping[str, float]
    free_memory: float
    free_host: float
    free_disk: float
    remedies: tuple[tuple[str, Remedy], ...]
    assumed: tuple[str, ...]
    rarer: int | None

    @property
    def fits(self) -> bool:
        """Whether memory and disk suffice."""
        pairs = ((self.memory, self.free_memory), (self.host, self.free_host), (self.disk, self.free_disk))
        return all(sum(taken.values()) <= ROOM * free for taken, free in pairs)


def estimate(plan: RunPlan, counts: Counts, rates: Speed, root: Path) -> Estimate:
    """The estimate of a resolved plan (device, size and threads filled in)."""
    configs = part_configs(plan.base)
    costs = costs_of(configs or SD15, plan.photos.size or 512)
    memory, disk = memory_of(plan, counts, costs), disk_of(plan, counts, costs)
    free_memory, free_disk = free_bytes(plan.base.device), shutil.disk_usage(existing(root)).free
    per_step = step_seconds(plan, costs, rates)
    short = [("memory", memory, free_memory)] if sum(memory.values()) > ROOM * free_memory else []
    short += [("disk", disk, free_disk)] if sum(disk.values()) > ROOM * free_disk else []
    remedies = [
        (what, remedy) for what, taken, free in short for remedy in remedies_for(what, plan, counts, costs, free)
    ]
    return Estimate(
        parameters=costs.parameters,
        trained=trained_numbers(plan, costs),
        teraflops_per_step=step_flops(plan, costs) / 1e12,
        seconds_per_step=per_step,
        seconds=stage_seconds(plan, counts, costs, rates, per_step),
        memory=memory,
        host=host_of(plan, costs),
        disk=disk,
        free_memory=free_memory,
        free_host=free_bytes("cpu"),
        free_disk=free_disk,
        remedies=tuple(remedies),
        assumed=tuple(assumptions(plan, rates, configs is not None)),
        rarer=rarer_checkpoints(plan, counts, disk, per_step),
    )


def assumptions(plan: RunPlan, rates: Speed, described: bool) -> list[str]:
    """What the estimate takes for granted; ``described`` says that the model's configs were read."""
    found = [] if described else ["a single file carries no config: taken for Stable Diffusion v1.5"]
    if rates.busy:
        found.append(BUSY)
    if plan.training.compute.precision != "fp32" and plan.base.device != "cpu":
        found.append(HALF_TIME)
    return found


def existing(path: Path) -> Path:
    """``path``, or its nearest parent that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def free_bytes(device: str) -> float:
    """Memory that is free now: the machine's, or the GPU's."""
    if device == "cuda":
        import torch

        return float(torch.cuda.mem_get_info()[0])
    return float(psutil.virtual_memory().available)


def trained_numbers(plan: RunPlan, costs: Costs) -> int:
    """How many numbers the strategy moves."""
    return sum(trained.parameters(costs.part(role)) for role, trained in moved_by(plan).items())


def moved_by(plan: RunPlan) -> Mapping[str, Trained]:
    """Role → what of it is trained; nothing for a mean, though its snapshots hold as much."""
    return {} if isinstance(plan.strategy, Mean) else plan.strategy.trains()


def samples_per_pass(plan: RunPlan) -> int:
    """Photos and class images that go through the model together."""
    return plan.training.batch_size * (2 if plan.objective.prior_preservation else 1)


def step_flops(plan: RunPlan, costs: Costs) -> float:
    """FLOPs of one optimizer step, over all its passes. Text is encoded in each only where its encoder moves."""
    trains, again = moved_by(plan), plan.training.compute.gradient_checkpointing
    text_moves = "text_encoder" in trains
    found = 0.0
    for role, trained in trains.items():
        layers = costs.part(role)
        found += forward_flops(layers) + backward_flops(layers, trained, text_moves and role == "backbone")
        found += recomputed_flops(layers) if again else 0
    if "backbone" not in trains:
        found += 2.0 * forward_flops(costs.unet)
    return found * samples_per_pass(plan) * plan.training.accumulate


def step_seconds(plan: RunPlan, costs: Costs, rates: Speed) -> float:
    """Seconds of one optimizer step: forward time × FLOPs over forward FLOPs, and what touches every weight."""
    samples, passes = samples_per_pass(plan), plan.training.accumulate
    forward = rates.seconds(costs.unet, samples)
    if "text_encoder" in moved_by(plan):
        forward += rates.seconds(costs.text, samples)
    flops = forward_flops(costs.unet)
    flops += forward_flops(costs.text) if "text_encoder" in moved_by(plan) else 0
    ratio = step_flops(plan, costs) / (samples * passes * flops)
    trained = trained_numbers(plan, costs)
    # AdamW reads weight, gradient and two moments and writes three of them; clipping reads and writes the gradient.
    touched = 10.0 * FLOAT * trained
    if plan.training.optimizer.ema_decay is not None:
        touched += 3.0 * FLOAT * trained
    frozen = 0.0
    if plan.objective.predicts_prior:
        frozen = passes * rates.seconds(costs.unet, plan.training.batch_size)
    return forward * ratio * passes + frozen + touched / rates.copied + STEP_LAYERS * rates.layer


def stage_seconds(plan: RunPlan, counts: Counts, costs: Costs, rates: Speed, per_step: float) -> dict[str, float]:
    """Seconds of each stage of `train` and `evaluate`."""
    batch = plan.generation.batch_size
    validation = plan.training.validation
    looks = 0
    if validation.every is not None:
        regular = range(0, counts.steps + 1, validation.every)
        looks = len({*regular, *plan.training.snapshot_steps(counts.steps)})
    encoded = counts.photos - counts.encoded + counts.classes + counts.given
    previews, sets = previews_of(plan, counts), len(validation.preview.steps(counts.steps))
    return {
        "loading": IMPORTS + FLOAT * costs.parameters / READ_PER_SECOND,
        "class images": counts.classes * picture_seconds(plan, costs, rates, min(BLOCK, max(counts.classes, 1))),
        "encoding": encoded * rates.seconds(costs.encoder, 1),
        "training": counts.steps * per_step,
        "validation": looks * counts.photos * rates.seconds(costs.unet, validation.timesteps),
        "previews": previews * picture_seconds(plan, costs, rates, min(batch, previews // max(sets, 1))),
        "saving": saved_bytes(plan, counts, costs) / SAVED_PER_SECOND,
        "evaluation pictures": (counts.pictures - counts.drawn) * picture_seconds(plan, costs, rates, batch),
    }


def picture_seconds(plan: RunPlan, costs: Costs, rates: Speed, batch: int) -> float:
    """Seconds to draw one picture of ``batch`` that are drawn together."""
    batch = max(batch, 1)
    guided = 2 if plan.generation.guidance != 1.0 else 1
    drawn = plan.generation.steps * rates.seconds(costs.unet, guided * batch) + rates.seconds(costs.decoder, batch)
    return (drawn + rates.seconds(costs.text, guided * batch)) / batch


def previews_of(plan: RunPlan, counts: Counts) -> int:
    """How many pictures are drawn while the training goes on."""
    preview = plan.training.validation.preview
    return len(preview.steps(counts.steps)) * len(plan.subjects) * len(preview.prompts) * preview.seeds


def saved_bytes(plan: RunPlan, counts: Counts, costs: Costs) -> float:
    """Bytes of all checkpoints and snapshots that the training writes, kept or not."""
    disk, settings = disk_of(plan, counts, costs), plan.training
    checkpoints = math.ceil(counts.steps / settings.checkpoint_every)
    return disk["checkpoints"] * checkpoints / (settings.keep_checkpoints + 1) + disk["snapshots"]


def rarer_checkpoints(plan: RunPlan, counts: Counts, disk: Mapping[str, float], per_step: float) -> int | None:
    """Steps between checkpoints, in hundreds, so that writing them takes :data:`SAVING` of the training's time; None
    where it takes no more, or they come no oftener than the last step already."""
    one = disk["checkpoints"] / (plan.training.keep_checkpoints + 1) / SAVED_PER_SECOND
    every = plan.training.checkpoint_every
    if counts.steps <= every or one / every <= SAVING * per_step:
        return None
    return min(counts.steps, 100 * math.ceil(one / (SAVING * per_step) / 100))


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
        "checkpoints": (settings.keep_checkpoints + 1) * state * trained,
        "snapshots": float(counts.snapshots * width * exported),
        "pictures": (counts.pictures + previews_of(plan, counts)) * pixels,
        "photos and class images": (2 * counts.photos + counts.classes) * pixels,
    }


def remedies_for(what: str, plan: RunPlan, counts: Counts, costs: Costs, free: float) -> list[Remedy]:
    """Settings that save at least a twentieth, each alone, mildest first."""
    measure = memory_of if what == "memory" else disk_of
    before = sum(measure(plan, counts, costs).values())
    found = []
    for path, value in REMEDIES[what]:
        if path == "strategy" and isinstance(plan.strategy, Mean):
            continue
        after = sum(measure(*changed(plan, counts, path, value), costs).values())
        if before - after >= before / 20:
            said = value if isinstance(value, str) else str(value).lower()
            shown = "strategy.kind=lora" if path == "strategy" else f"{path}={said}"
            found.append(Remedy(shown, before - after, after <= ROOM * free))
    return found


def changed(plan: RunPlan, counts: Counts, path: str, value: Any) -> tuple[RunPlan, Counts]:
    """What there is to do with one setting changed."""
    if path == "objective.class_folder":
        return plan, replace(counts, classes=0)  # what is not drawn; their memory in training is the same
    return with_setting(plan, path, value), replace(counts, snapshots=1) if path == "training.snapshots" else counts


def with_setting(plan: RunPlan, path: str, value: Any) -> RunPlan:
    """``plan`` with one setting changed."""
    tree = plan.model_dump(mode="json")
    apply_override(tree, path.split("."), value)
    return plan_from(tree, "the plan")
