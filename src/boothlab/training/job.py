"""One training as plain data, and its state as named tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from boothlab.diffusion.config import Objective
from boothlab.errors import RunDamaged
from boothlab.files import new_folder, write_json
from boothlab.models.model import Conditioning, Model
from boothlab.runs.events import CheckpointSaved, Event, SnapshotSaved
from boothlab.runs.run import step_name
from boothlab.strategies.attached import Attached
from boothlab.training import checkpoint
from boothlab.training.batches import Pool
from boothlab.training.config import Training
from boothlab.training.optim import Optimizer


@dataclass(slots=True, eq=False)
class Job:
    """What the loop needs. ``step`` is the number of optimizer steps taken; all else stays as it is.

    ``folder`` is the run folder, or None for a training that leaves nothing on disk (tests).
    """

    model: Model
    attached: Attached
    optimizer: Optimizer
    pool: Pool
    objective: Objective
    settings: Training
    steps: int
    folder: Path | None = None
    step: int = 0
    text_cache: dict[str, Conditioning] = field(default_factory=dict)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that changes, by name."""
        state: dict[str, Tensor] = {}
        for group in self.attached.groups:
            state |= {f"parameter/{name}": p.detach() for name, p in group.parameters.items()}
        state |= {f"optimizer/{name}": tensor for name, tensor in self.optimizer.state().items()}
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
        prefix = "optimizer/"
        self.optimizer.restore({k.removeprefix(prefix): v for k, v in found.tensors.items() if k.startswith(prefix)})
        self.step = found.step

    def due(self) -> Iterator[Event]:
        """Write the snapshot and the checkpoint that are due at the current step."""
        if self.folder is None:
            return
        if self.step in self.settings.snapshot_steps(self.steps):
            yield self.save_snapshot(self.folder)
        if self.step > 0 and (self.step % self.settings.checkpoint_every == 0 or self.step == self.steps):
            yield self.save_checkpoint(self.folder)

    def save_checkpoint(self, folder: Path) -> Event:
        """Write the checkpoint of the current step."""
        checkpoint.save(folder / "checkpoints", self.step, self.tensors(), self.settings.keep_checkpoints)
        return CheckpointSaved(self.step)

    def save_snapshot(self, folder: Path) -> Event:
        """Write the snapshot of the current step; one that is there already is the same bit for bit."""
        path = folder / "snapshots" / step_name(self.step)
        if not path.is_dir():
            with new_folder(path) as temporary:
                self.attached.export(temporary, self.settings.snapshot_precision)
                write_json(temporary / "snapshot.json", {"format": 1, "step": self.step})
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return SnapshotSaved(self.step, name=path.name, size=size)
