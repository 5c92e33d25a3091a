"""The training loop: one generator of events for every strategy and every family of models."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from boothlab.diffusion import objective
from boothlab.diffusion.objective import Noised
from boothlab.errors import NotFinite
from boothlab.runs.events import Event, Finished, Stepped
from boothlab.training import abreast, rates
from boothlab.training.batches import Dealt, noised, prompts
from boothlab.training.job import Job


def train(job: Job) -> Iterator[Event]:
    """Take optimization steps ``job.step`` … ``job.steps`` and say what happened.

    Exact resume: order, noise and timesteps depend only on (seed, step), so a run killed at any point and
    restarted yields the same weights bit for bit on the same kind of machine with the same number of threads.
    Closing the generator between two events saves a checkpoint first, so a stopped run loses nothing.
    """
    settings = job.settings
    try:
        while job.step < job.steps:
            yield from job.due()
            if job.exhausted():
                break
            started = time.perf_counter()
            passes = [_backward(job, batch) for batch in job.draws.deal(job.step)]
            _require_finite(job.step, passes)
            job.optimizer.withhold_closed(job.step)
            norm = job.optimizer.clip(job.step)
            lr = job.optimizer.step(rates.factor(settings.rate, job.step, job.steps, settings.compat))
            job.attached.hold()
            job.step += 1
            if job.ema is not None:
                job.ema.update(job.step)
            yield _stepped(job, passes, norm, lr, time.perf_counter() - started)
        job.steps = job.step
        yield from job.due()
    except GeneratorExit:
        if job.folder is not None and job.step > 0:
            job.save_checkpoint(job.folder)
        raise
    yield Finished(job.step)


def _backward(job: Job, batch: Sequence[Dealt]) -> tuple[float, float]:
    """Add the gradient of one pass; returns mean error of its photos, as they weigh, and of its class images."""
    schedule, settings = job.model.schedule, job.settings
    draws = [job.draws.draw(job.step, dealt) for dealt in batch]
    sample = noised(batch, draws, job.objective.prior_weight, job.model.device)
    texts = prompts(batch, draws)
    job.keep(texts)  # before halves part: how a prompt is encoded must not depend on which of them comes first
    if job.prior is not None:
        with autocast(settings.compute.precision, job.model.device.type):
            predicted = job.prior.predict(sample, texts[sample.num_instance :], job.moves)
        sample = replace(sample, prior_BCHW=predicted)
    noisy = objective.noisy(schedule, sample)

    def predict(part: slice) -> torch.Tensor:
        with autocast(settings.compute.precision, job.model.device.type):
            return job.model.predict(noisy[part], sample.timestep_B[part], job.condition(texts[part]))

    prediction, to_parameters = abreast.forward(predict, len(batch), _threads(job))
    error_B = objective.sample_errors(schedule, prediction, sample, job.objective.snr_gamma)
    job.optimizer.backward(objective.reduce(error_B, sample) / settings.accumulate)
    to_parameters()
    return _means(error_B.detach(), sample)


def _threads(job: Job) -> int:
    """How many threads a pass may share out among halves of its batch; 1 where it must go as a whole.

    A GPU takes a batch at once. A second pass adds to gradients that are there, in an order that halves would leave
    to chance. Checkpointed layers run again with the random state of the whole process.
    """
    settings = job.settings
    whole = job.model.device.type != "cpu" or settings.accumulate > 1 or settings.compute.gradient_checkpointing
    return 1 if whole else settings.num_threads()


def autocast(precision: str, device: str) -> torch.autocast:
    """The context of the forward pass; switched off for fp32."""
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device, dtype=dtype, enabled=precision != "fp32")


def _means(error_B: torch.Tensor, sample: Noised) -> tuple[float, float]:
    instances = sample.num_instance
    photo_error, class_error = (error_B * sample.weight_B)[:instances], error_B[instances:]
    return float(photo_error.mean()), float(class_error.mean()) if len(class_error) else 0.0


def _require_finite(step: int, passes: Sequence[tuple[float, float]]) -> None:
    for photos, class_images in passes:
        if math.isfinite(photos) and math.isfinite(class_images):
            continue
        raise NotFinite(
            f"The loss at step {step} is {photos:g} on photos and {class_images:g} on class images.",
            "Lower the learning rate; checkpoints before this step are intact.",
        )


def _stepped(
    job: Job, passes: Sequence[tuple[float, float]], norm: float | None, lr: float, seconds: float
) -> Stepped:
    with_prior = bool(job.pool.classes)
    told = passes[-1:] if job.settings.compat == "diffusers" else passes
    instance_loss, class_loss = (math.fsum(part) / len(told) for part in zip(*told, strict=True))
    return Stepped(
        step=job.step,
        loss=instance_loss + (job.objective.prior_weight * class_loss if with_prior else 0.0),
        instance_loss=instance_loss,
        class_loss=class_loss if with_prior else None,
        norm=norm,
        lr=lr,
        seconds=round(seconds, 4),
    )
