"""The one training loop of the recipe: seeded steps, EMA, atomic checkpoints, a log of losses.

Separate from the stages so that resume and logging are written, and tested, once. A stage's batch is a
function of (seed, step), so a resume goes on as if never stopped (bit-exact on one machine and thread count).
Several processes may share a training: each takes one of the next steps' batches, and one update follows the
mean of their gradients. Steps go on counting batches.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from pretraining import atomic, devices
from pretraining.muon import Muon, groups

Losses = dict[str, Tensor]
PORT = 29_641
"""Where processes that share a training meet, on loopback."""


def join(rank: int, count: int, port: int = PORT) -> None:
    """Share the training that follows with ``count - 1`` other processes of this machine; this one is ``rank``."""
    meeting = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)


def ranks() -> tuple[int, int]:
    """(number of this process, how many share the training)."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


@dataclass
class Schedule:
    """How long and how fast: steps, peak learning rate, warm-up steps, share of the run that decays."""

    steps: int
    lr: float
    warmup: int = 100
    decay: float = 1.0
    """Share of the steps, at the end, over which the rate falls to 2 % along a half cosine; 0 = never."""
    weight_decay: float = 0.01
    clip: float = 1.0

    def rate(self, step: int, warm_from: int = 0) -> float:
        """Learning rate of ``step`` (0-based); the warm-up starts at ``warm_from``."""
        warm = min(1.0, (step - warm_from + 1) / max(self.warmup, 1))
        start = self.steps * (1 - self.decay)
        if self.decay == 0 or step <= start:
            return self.lr * warm
        progress = min((step - start) / max(self.steps - start, 1), 1.0)
        return self.lr * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


@dataclass
class Training:
    """One stage's training: modules, loss of a step, where it is kept."""

    folder: Path
    modules: Mapping[str, nn.Module]
    loss_at: Callable[[int], Losses]
    """step -> named losses; ``loss`` is minimised, the others are logged."""
    schedule: Schedule
    batch: int
    ema_decay: float = 0.0
    sample: Callable[[int], None] | None = None
    sample_every: int = 0
    checkpoint_seconds: float = 180.0
    log_every: int = 50
    adam_groups: list[dict[str, object]] | None = None
    """Optimizer groups for AdamW; by default Muon trains all parameters of ``modules``."""
    ema: dict[str, Tensor] = field(default_factory=dict)
    step: int = 0
    warm_from: int = 0
    """Step at which the warm-up begins: 0, or where adopted weights without optimizer state took over."""
    device: torch.device = devices.CPU
    """Where the modules are and the losses come from."""

    def __post_init__(self) -> None:
        rate, decay = self.schedule.lr, self.schedule.weight_decay
        self.optimizer: torch.optim.Optimizer
        if self.adam_groups is None:
            named = (pair for module in self.modules.values() for pair in module.named_parameters())
            self.optimizer = Muon(groups(named), lr=rate, weight_decay=decay)
        else:
            self.optimizer = torch.optim.AdamW(
                self.adam_groups, lr=rate, weight_decay=decay, betas=(0.9, 0.99), foreach=True
            )
        if self.ema_decay and not self.ema:
            self.ema = {name: value.clone() for name, value in self.weights().items()}
        self._norms = torch.zeros((), device=self.device)
        """Sum of the gradient norms since they were last found finite."""

    def weights(self) -> dict[str, Tensor]:
        """All modules' tensors under ``module/name``."""
        return {
            f"{name}/{key}": value.detach()
            for name, module in self.modules.items()
            for key, value in module.state_dict().items()
        }

    def restore(self) -> bool:
        """Go on from the checkpoint in ``folder``, if there is one."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        saved = read(path)
        for name, module in self.modules.items():
            module.load_state_dict(
                {
                    key.removeprefix(f"{name}/"): value
                    for key, value in saved["weights"].items()
                    if key.startswith(f"{name}/")
                }
            )
        ema = saved["ema"] if self.ema_decay else {}
        self.ema = {name: value.to(self.device) for name, value in ema.items()}
        self.step = saved["step"] * saved["batch"] // self.batch
        if saved["optimizer"] is None:
            self.warm_from = self.step
        else:
            self.optimizer.load_state_dict(saved["optimizer"])
            self.warm_from = saved["warm_from"] * saved["batch"] // self.batch
        return True

    def save(self) -> None:
        """Write the checkpoint atomically; never one of weights that a non-finite gradient moved."""
        self._require_finite()
        state = {
            "weights": self.weights(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema,
            "step": self.step,
            "batch": self.batch,
            "warm_from": self.warm_from,
        }
        atomic.write(self.folder / "checkpoint.pt", lambda path: torch.save(state, path))

    def run(self, until: int | None = None) -> None:
        """Train to ``until`` (default: the schedule's end), checkpointing on the way and at the end."""
        self.restore()
        saved_at = logged_at = time.monotonic()
        sums: dict[str, Tensor] = {}
        logged_step = self.step
        last = self.schedule.steps if until is None else min(until, self.schedule.steps)
        rank, count = ranks()
        if self.step >= last and not rank:
            print(f"{self.folder.name}: finished at step {self.step:,} of {last:,}; --until goes no further.")
        while self.step < last:
            if not rank and self.sample and self.sample_every and self.step % self.sample_every < count:
                self.sample(self.step)
            for name, value in self._update(rank, count).items():
                sums[name] = sums[name] + value if name in sums else value
            if rank:
                continue
            if self.step % self.log_every < count:
                self._require_finite()
                done = self.step - logged_step
                means = {name: round(float(value) * count / done, 5) for name, value in sums.items()}
                now = time.monotonic()
                self._log(means, done * self.batch / (now - logged_at))
                sums, logged_at, logged_step = {}, now, self.step
            if time.monotonic() - saved_at > self.checkpoint_seconds:
                self.save()
                saved_at = time.monotonic()
        if rank:
            return
        self.save()
        if self.sample and self.sample_every:
            self.sample(self.step)

    def _update(self, rank: int, count: int) -> Losses:
        """One update from the batches of ``count`` steps, of which this process takes number ``rank``."""
        rate = self.schedule.rate(self.step, self.warm_from) * count**0.5
        for group in self.optimizer.param_groups:
            group["lr"] = rate * float(group.get("lr_factor", 1.0))
        losses = self.loss_at(self.step + rank)
        losses["loss"].backward()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        if count > 1:
            share_gradients(parameters, count)
        self._norms += torch.nn.utils.clip_grad_norm_(parameters, self.schedule.clip)
        if self.device.type == "cpu":
            self._require_finite()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += count
        if self.ema_decay and not rank:
            self._update_ema(count)
        return {name: value.detach() for name, value in losses.items()}

    def _require_finite(self) -> None:
        """Raises: FloatingPointError after a gradient that is not finite. On a card asking means waiting for it, so
        there it is asked with every line of the log and every checkpoint, on a CPU before every update.
        """
        if not torch.isfinite(self._norms):
            raise FloatingPointError(f"{self.folder.name}: a gradient norm is not finite, by step {self.step}")
        self._norms.zero_()

    @torch.no_grad()
    def _update_ema(self, steps: int) -> None:
        """Exponential mean whose memory grows with the run until it reaches ``ema_decay`` per step."""
        decay = min(self.ema_decay, (1 + self.step) / (10 + self.step)) ** steps
        values = {name: value for name, value in self.weights().items() if value.is_floating_point()}
        torch._foreach_lerp_([self.ema[name] for name in values], list(values.values()), 1 - decay)

    def _log(self, means: dict[str, float], speed: float) -> None:
        line = {
            "step": self.step,
            "pictures": self.step * self.batch,
            "per_second": round(speed, 1),
            "lr": self.schedule.rate(self.step, self.warm_from),
            **means,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line) + "\n")


def share_gradients(parameters: list[Tensor], count: int) -> None:
    """Every process's gradients become the mean of all ``count``; a batch without some attribute may lack one."""
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    parts = (flat / count).split([gradient.numel() for gradient in gradients])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view(parameter.shape)


def read(path: Path) -> dict[str, Any]:
    """A stage's checkpoint. Raises: ValueError for one of an older recipe, which did not say how large a step was."""
    saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if "batch" not in saved:
        raise ValueError(f"{path} was written by an older recipe; go on in a new folder, with --continue-from")
    return saved


def ema_weights(folder: Path, module: str) -> dict[str, Tensor]:
    """The EMA tensors (or the plain ones where no EMA was kept) of one module in a stage's checkpoint."""
    saved = read(folder / "checkpoint.pt")
    source = saved["ema"] or saved["weights"]
    return {key.removeprefix(f"{module}/"): value for key, value in source.items() if key.startswith(f"{module}/")}
