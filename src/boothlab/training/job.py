"""One training as plain data, and its state as named tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from boothlab.diffusion.config import Objective
from boothlab.errors import NotFinite, RunDamaged
from boothlab.models.model import Conditioning, Model
from boothlab.runs.events import CheckpointSaved, Event, Validated
from boothlab.strategies.attached import Attached
from boothlab.training import checkpoint, snapshot
from boothlab.training.batches import Draws, Example, Pool
from boothlab.training.config import Training
from boothlab.training.ema import Ema
from boothlab.training.kept import Kept
from boothlab.training.optim import Optimizer
from boothlab.training.prior import FrozenPrior
from boothlab.training.validation import fixed_loss, worsened_for


@dataclass(slots=True, eq=False)
class Job:
    """What the loop needs. ``step`` is the number of optimizer steps taken; all else stays as it is.

    ``folder`` is the run folder, or None for a training that leaves nothing on disk (tests).
    """

    model: Model
    attached: Attached
    optimizer: Optimizer
    pool: Pool
    draws: Draws
    objective: Objective
    settings: Training
    steps: int
    folder: Path | None = None
    held_out: tuple[Example, ...] = ()
    ema: Ema | None = None
    prior: FrozenPrior | None = None
    kept: Kept | None = None
    step: int = 0
    text_cache: dict[str, Conditioning] = field(default_factory=dict)
    looks: list[Validated] = field(default_factory=list)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that changes, by name."""
        state: dict[str, Tensor] = {}
        for group in self.attached.groups:
            state |= {f"parameter/{name}": p.detach() for name, p in group.parameters.items()}
        state |= {f"optimizer/{name}": tensor for name, tensor in self.optimizer.state().items()}
        if self.ema is not None:
            state |= {f"ema/{name}": tensor for name, tensor in self.ema.mean.items()}
        return state | {f"extra/{name}": tensor for name, tensor in self.attached.extra_state.items()}

    def restore(self, found: checkpoint.Checkpoint) -> None:
        """Go on from ``found``. Raises RunDamaged when it does not fit this job."""
        parameters = {name: p for group in self.attached.groups for name, p in group.parameters.items()}
        given = {k.removeprefix("parameter/"): v for k, v in found.tensors.items() if k.startswith("parameter/")}
        if given.keys() != parameters.keys():
            odd = sorted(given.keys() ^ parameters.keys())[:3]
            raise RunDamaged(f"The checkpoint of step {found.step} does not fit this run: {', '.join(odd)} …")
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(given[name])
            for name, tensor in self.attached.extra_state.items():
                tensor.copy_(found.tensors[f"extra/{name}"])
            for name, tensor in {} if self.ema is None else self.ema.mean.items():
                tensor.copy_(found.tensors[f"ema/{name}"])
        prefix = "optimizer/"
        self.optimizer.restore({k.removeprefix(prefix): v for k, v in found.tensors.items() if k.startswith(prefix)})
        self.step = found.step

    def due(self) -> Iterator[Event]:
        """What is due at the current step: a look at the validation loss, the snapshot, the checkpoint."""
        every = self.settings.validation.every
        snapshot = self.step in self.settings.snapshot_steps(self.steps)
        # A snapshot is judged by its look too, as it would be had the training ended there.
        if every is not None and (self.step % every == 0 or snapshot):
            yield self.look()
        if self.folder is None:
            return
        if snapshot:
            yield self.save_snapshot(self.folder)
        if self.step > 0 and (self.step % self.settings.checkpoint_every == 0 or self.step == self.steps):
            yield self.save_checkpoint(self.folder)

    def look(self) -> Validated:
        """The loss at fixed noise, of the weights that a snapshot holds; remembered for early stopping."""
        with self.shown():
            seen = Validated(
                self.step,
                train_loss=self._fixed_loss(self.pool.instances),
                held_out_loss=self._fixed_loss(self.held_out) if self.held_out else None,
            )
        if seen not in self.looks:
            self.looks.append(seen)
        return seen

    def _fixed_loss(self, examples: Sequence[Example]) -> float:
        with torch.no_grad():
            texts = [self.condition([example.prompt]) for example in examples]
        found = fixed_loss(self.model, examples, texts, self.settings.validation.timesteps)
        if not math.isfinite(found):
            raise NotFinite(
                f"The loss at fixed noise is {found} at step {self.step}.",
                "Lower the learning rate, or compute in bf16 or fp32; checkpoints before this step are intact.",
            )
        return found

    def exhausted(self) -> bool:
        """Whether the held-out loss has stopped falling for as many looks as the plan is patient."""
        looking = self.settings.validation
        if looking.patience is None or looking.every is None:
            return False
        regular = [seen for seen in self.looks if seen.step % looking.every == 0]
        losses = [seen.held_out_loss for seen in regular if seen.held_out_loss is not None]
        return worsened_for(losses) >= looking.patience

    def condition(self, texts: Sequence[str]) -> Conditioning:
        """The prompts encoded: live those that move, the others once each."""
        self.keep(texts)
        captions = [self.attached.caption(text) for text in texts]
        moving = [caption for caption in captions if self.moves(caption)]
        live = self.model.encode_text(moving) if moving else None
        if live is not None and len(moving) == len(captions):
            return live
        parts = iter([] if live is None else live.each())
        return Conditioning.stack([next(parts) if self.moves(c) else self.text_cache[c] for c in captions])

    def keep(self, texts: Sequence[str]) -> None:
        """Encode those prompts that do not move and have not been; :meth:`condition` then only looks them up."""
        for caption in map(self.attached.caption, texts):
            if not self.moves(caption) and caption not in self.text_cache:
                # Always in full precision: the cache must not depend on who asked first.
                with torch.no_grad(), torch.autocast(self.model.device.type, enabled=False):
                    self.text_cache[caption] = self._encoded(caption)

    def moves(self, caption: str) -> bool:
        """Whether the training changes what the text encoders make of this prompt."""
        return self.attached.moves_text and self.attached.moves(caption)

    def _encoded(self, caption: str) -> Conditioning:
        """One prompt by text encoders that do not move."""
        return self.model.encode_text([caption]) if self.kept is None else self.kept.text(self.model, caption)

    def settle(self) -> None:
        """Encode every prompt that can come and does not move, and give back what training does not need.

        At SD v1.5's size that is 0.8 GB. The autoencoder is done when the pool is made; so are text encoders that do
        not move. Previews need both.
        """
        drawing = self.settings.validation.preview.every is not None
        if not drawing:
            self.model.release("autoencoder")
        examples = [*self.pool.instances, *self.held_out, *(e for group in self.pool.classes.values() for e in group)]
        self.keep(sorted({"", *(text for example in examples for text in example.prompts)}))
        for role in [] if drawing or self.attached.moves_text else self.model.text_encoders():
            self.model.release(role)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The model as snapshots hold it, to export or draw with; afterwards it trains on as if nothing had been."""
        modes = [(module, module.training) for part in self.model.parts().values() for module in part.modules()]
        with self.ema.in_place() if self.ema is not None else nullcontext():
            for module, _ in modes:
                module.training = False
            try:
                yield
            finally:
                for module, training in modes:
                    module.training = training

    def save_checkpoint(self, folder: Path) -> Event:
        """Write the checkpoint of the current step."""
        checkpoint.save(folder / "checkpoints", self.step, self.tensors(), max(1, self.settings.keep_checkpoints))
        return CheckpointSaved(self.step)

    def save_snapshot(self, folder: Path) -> Event:
        """Write the snapshot of the current step; one that is there already is the same bit for bit."""

        def export(place: Path) -> None:
            with self.shown():
                self.attached.export(place, self.settings.snapshot_precision)

        return snapshot.save(folder / "snapshots", self.step, export)
