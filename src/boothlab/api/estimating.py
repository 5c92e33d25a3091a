"""What a plan will take: seconds, memory and disk, from configs, counted FLOPs and a measured rate; nothing loaded.

Every figure says what it is made of, and where memory or disk do not suffice, which settings would make them.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from boothlab.api.remedies import ROOM, Asked, Remedy, remedies_for
from boothlab.api.space import (
    Counts,
    disk_of,
    host_of,
    memory_of,
    moved_by,
    previews_of,
    samples_per_pass,
    saved_bytes,
    states_at_once,
    trained_numbers,
)
from boothlab.models.costs import FLOAT, SD15, Costs, backward_flops, costs_of, forward_flops, recomputed_flops
from boothlab.models.locate import part_configs
from boothlab.models.speed import Speed
from boothlab.plan import RunPlan
from boothlab.training.class_request import BLOCK

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

BUSY = "other programs take this machine's cores: the time is what it would be beside them, and may be far too long"
"""Said of a time that was told from a measurement on a busy machine."""

HALF_TIME = "the time is that of fp32, which is what was measured: in half precision it is at most that"
"""Said of a time on a GPU, which computes faster in half precision. A processor may not."""


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
    return estimate_of(asked_for(plan, counts), rates, root)


def estimate_of(asked: Asked, rates: Speed, root: Path) -> Estimate:
    """The estimate of one training, whatever is asked for how many times."""
    plan, counts, costs = asked.plan, asked.counts, asked.costs
    memory, disk = memory_of(plan, counts, costs), disk_of(plan, counts, costs)
    free_memory, free_disk = free_bytes(plan.base.device), shutil.disk_usage(existing(root)).free
    per_step = step_seconds(plan, costs, rates)
    short = [("memory", memory, free_memory)] if sum(memory.values()) > ROOM * free_memory else []
    short += [("disk", disk, free_disk)] if sum(disk.values()) > ROOM * free_disk else []
    remedies = [(what, remedy) for what, taken, free in short for remedy in remedies_for(what, [asked], free)]
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
        assumed=tuple(assumptions(plan, rates, asked.described)),
        rarer=rarer_checkpoints(plan, counts, disk, per_step),
    )


def asked_for(plan: RunPlan, counts: Counts, begins: bool = False) -> Asked:
    """The training of a resolved plan; of a base model without configs as of Stable Diffusion v1.5."""
    configs = part_configs(plan.base)
    costs = costs_of(configs or SD15, plan.photos.size or 512)
    return Asked(plan, counts, costs, begins, described=configs is not None)


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


def rarer_checkpoints(plan: RunPlan, counts: Counts, disk: Mapping[str, float], per_step: float) -> int | None:
    """Steps between checkpoints, in hundreds, so that writing them takes :data:`SAVING` of the training's time; None
    where it takes no more, or they come no oftener than the last step already."""
    one = disk["checkpoints"] / states_at_once(plan) / SAVED_PER_SECOND
    every = plan.training.checkpoint_every
    if counts.steps <= every or one / every <= SAVING * per_step:
        return None
    return min(counts.steps, 100 * math.ceil(one / (SAVING * per_step) / 100))
