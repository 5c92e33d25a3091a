"""The mean of whole weights, module by module; what a snapshot does not hold is what the base model has there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import nn

from boothlab.models.model import Model
from boothlab.models.weights import folder_of, load_module, save_module, stored_tensors
from boothlab.strategies.attached import Precision


def _modules(model: Model) -> dict[str, nn.Module]:
    return {"backbone": model.backbone()} | model.text_encoders()


def _holds(folder: Path, role: str) -> bool:
    return (folder / folder_of(role)).is_dir()


@torch.no_grad()
def average(
    model: Model,
    snapshots: Sequence[Path],
    folder: Path,
    precision: Precision,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write the mean of ``snapshots`` of full fine-tuning below ``folder``, through a fresh base ``model``.

    ``tell`` hears how many tensors of how many are done.

    Every tensor is summed in double precision and in turn, so that the order of the snapshots hardly ever shows and
    memory is that of one model. Raises RunDamaged where a snapshot does not fit.
    """
    holders = {role: [one for one in snapshots if _holds(one, role)] for role in _modules(model)}
    modules = {role: module for role, module in _modules(model).items() if holders[role]}
    done, total = 0, sum(len(module.state_dict()) for module in modules.values())
    for role, module in modules.items():
        moved = holders[role]
        with ExitStack() as stack:
            stored = [stack.enter_context(stored_tensors(module, snapshot, role)) for snapshot in moved]
            for name, tensor in module.state_dict().items():
                if tensor.is_floating_point():
                    summed = (len(snapshots) - len(moved)) * tensor.double()
                    for read in stored:
                        summed += read(name).double()
                    tensor.copy_(summed / len(snapshots))
                done += 1
                tell(done, total)
        save_module(module, folder, role, precision)


def restore(model: Model, folder: Path) -> None:
    """Load the modules that a mean holds."""
    for role, module in _modules(model).items():
        if _holds(folder, role):
            load_module(module, folder, role)
