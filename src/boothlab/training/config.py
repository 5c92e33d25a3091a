"""Settings of the training loop. (Torch-free.)"""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, model_validator

from boothlab.config.base import Config
from boothlab.config.templates import require_known_words

MOST_STEPS = 100_000_000
"""No training takes more steps: years of them; what is computed from them stays far from where numbers end."""


class Optimizer(Config):
    """How gradients become steps."""

    kind: Literal["adamw", "adamw8bit", "prodigy"] = "adamw"
    """AdamW (Loshchilov & Hutter 2019); its 8-bit form (bitsandbytes); Prodigy (prodigyopt), which finds the rate
    itself: give it a learning rate of 1, or 0.5 at the least."""
    beta1: float = Field(0.9, ge=0, lt=1)
    """Decay of the mean of the gradients."""
    beta2: float = Field(0.999, ge=0, lt=1)
    """Decay of the mean of their squares."""
    weight_decay: float = Field(1e-2, ge=0)
    """Decoupled weight decay."""
    epsilon: float = Field(1e-8, gt=0)
    """Added to the denominator."""
    max_grad_norm: float = Field(1.0, ge=0)
    """Gradients are scaled down to this total norm; 0 leaves them as they are."""
    ema_decay: float | None = Field(None, gt=0, lt=1)
    """Snapshots hold a running mean of the weights with this decay per step; left out, the weights themselves."""


READ_BY: dict[str, tuple[str, ...]] = {
    "power": ("polynomial",),
    "decay": ("stable_decay",),
    "floor": ("linear", "cosine", "polynomial", "stable_decay"),
}
"""Setting of a rate → the kinds that it means something to."""


class Rate(Config):
    """How the learning rate goes over the steps."""

    kind: Literal["constant", "linear", "cosine", "polynomial", "stable_decay"] = "constant"
    """Constant; falling to the last step in a line, half a cosine or a power; constant, then falling in a line."""
    warmup: int = Field(0, ge=0, le=MOST_STEPS)
    """Steps over which the rate first rises; the first step already moves (1/warmup), unlike elsewhere."""
    power: float = Field(1.0, gt=0)
    """Exponent of polynomial."""
    decay: int | None = Field(None, ge=1, le=MOST_STEPS)
    """Steps over which stable_decay falls at the end; left out, a fifth of all."""
    floor: float = Field(0.0, ge=0, lt=1)
    """Where the fall ends, as a share of the full rate."""

    @model_validator(mode="after")
    def _kind_reads_all(self) -> Rate:
        for name, kinds in READ_BY.items():
            value = getattr(self, name)
            if value != type(self).model_fields[name].default and self.kind not in kinds:
                raise ValueError(
                    f"{name} = {value} does nothing with kind = '{self.kind}': leave it out, or set kind to "
                    f"{' or '.join(kinds)}"
                )
        return self

    @property
    def looks_ahead(self) -> bool:
        """Whether the rate at a step depends on the total number of steps."""
        return self.kind != "constant"


class Compute(Config):
    """How the arithmetic is done."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Number format of the forward and backward pass; weights and optimizer stay in fp32. From NVIDIA's Ampere on,
    convolutions in fp32 are TF32, by torch's default (cudnn.allow_tf32), as in diffusers' script."""
    gradient_checkpointing: bool = False
    """Compute activations twice instead of keeping them: much less memory, about 40 % more time."""


class Preview(Config):
    """Pictures drawn while the training goes on, to look at; they change nothing of it."""

    every: int | None = Field(None, ge=1, le=MOST_STEPS)
    """Steps between two sets of pictures (and one at the start and the end); left out, none is drawn."""
    prompts: tuple[str, ...] = Field(("a photo of {it}",), min_length=1)
    """What is drawn of each subject; {it} stands for "identifier class", or for its identifier alone."""
    seeds: int = Field(1, ge=1, le=64)
    """Pictures per prompt; the same noises every time, so that a row of them shows what the steps did."""

    @model_validator(mode="after")
    def _templates_are_known(self) -> Preview:
        require_known_words("prompts", self.prompts)
        return self

    def steps(self, total: int) -> list[int]:
        """The steps after which pictures are drawn, of ``total`` steps."""
        return [] if self.every is None else sorted({*range(0, total, self.every), total})


class Validation(Config):
    """Looking at a training: the loss at fixed noise and timesteps, on photos trained on and held out; previews."""

    every: int | None = Field(None, ge=1, le=MOST_STEPS)
    """Steps between two looks (and one at the start, the end and every snapshot); left out, none."""
    timesteps: int = Field(4, ge=1, le=100)
    """At so many timesteps, equally spaced, each photo is looked at."""
    patience: int | None = Field(None, ge=1, le=MOST_STEPS)
    """Stop after so many regular looks without a lower loss on held-out photos; left out, never."""
    preview: Preview = Preview()
    """Pictures drawn while the training goes on."""

    @model_validator(mode="after")
    def _patience_needs_looks(self) -> Validation:
        if self.patience is not None and self.every is None:
            raise ValueError("patience needs validation.every")
        return self


class Training(Config):
    """How long and how the weights are moved."""

    steps: int | None = Field(None, ge=1, le=MOST_STEPS)
    """Optimizer steps; give either this or steps_per_photo."""
    steps_per_photo: int | None = Field(None, ge=1, le=MOST_STEPS)
    """Optimizer steps per training photo, summed over subjects; 100 when neither is given."""
    batch_size: int = Field(1, ge=1, le=256)
    """Photos per step and pass; as many class images come on top with prior preservation."""
    accumulate: int = Field(1, ge=1, le=1024)
    """Passes per optimizer step; equal to a batch so many times larger."""
    seed: int = Field(0, ge=0)
    """Everything random in the training depends on it."""
    threads: int | None = Field(None, ge=1, le=1024)
    """CPU threads; part of a run's identity, because sums depend on it in the last bits. Left out, all cores."""
    compute: Compute = Compute()
    """How the arithmetic is done."""
    validation: Validation = Validation()
    """Watching for overfitting."""
    optimizer: Optimizer = Optimizer()
    """The optimizer."""
    rate: Rate = Rate()
    """The learning-rate schedule."""
    checkpoint_every: int = Field(100, ge=1, le=MOST_STEPS)
    """Steps between checkpoints that a killed run goes on from. One holds what is trained and the optimizer's state,
    of Stable Diffusion's whole UNet 10 GB: `boothlab check` says where writing them takes much of the time."""
    keep_checkpoints: int = Field(2, ge=0, le=10_000)
    """How many checkpoints are kept; an old one goes only when the new one is safe. 0: the last one until the
    training is finished, then none. Most of what a run of whole weights takes on disk is theirs; but no longer
    training goes on from a run without them, and a snapshot that is deleted is trained again from the start."""
    snapshots: tuple[int, ...] = ()
    """Steps whose weights are kept for generation and scores; the last step always is."""
    snapshot_precision: Literal["fp16", "fp32"] = "fp16"
    """Number format of whole modules in snapshots; adapters are small, and always kept in fp32."""
    compat: Literal["none", "diffusers"] = "none"
    """Deal, warm up and report as diffusers' own DreamBooth script does; docs/deviations.md says how they differ."""

    @model_validator(mode="after")
    def _one_length(self) -> Training:
        if self.steps is not None and self.steps_per_photo is not None:
            raise ValueError("give steps or steps_per_photo, not both")
        if any(step < 1 for step in self.snapshots):
            raise ValueError(f"snapshots {list(self.snapshots)} must lie at step 1 or later")
        total = self.steps
        if total is not None and any(step > total for step in self.snapshots):
            raise ValueError(f"snapshots {list(self.snapshots)} must lie between 1 and steps ({total})")
        return self

    def total_steps(self, photos: int) -> int:
        """Optimizer steps for so many training photos."""
        if self.steps is not None:
            return self.steps
        return (self.steps_per_photo or 100) * photos

    def snapshot_steps(self, total: int) -> tuple[int, ...]:
        """Steps at which weights are kept, ascending, the last step among them."""
        return tuple(sorted({step for step in self.snapshots if step <= total} | {total}))

    def num_threads(self) -> int:
        """CPU threads of this run."""
        return self.threads or os.cpu_count() or 1
