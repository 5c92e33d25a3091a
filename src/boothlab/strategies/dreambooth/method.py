"""Full fine-tuning: every weight of the denoiser moves; of the text encoders all, one word's vector, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn

from boothlab.models import words
from boothlab.models.model import Model
from boothlab.models.weights import load_module, save_module, state_bytes
from boothlab.strategies.attached import Attached, ParamGroup, Precision
from boothlab.strategies.dreambooth.config import DreamBooth
from boothlab.subjects import Subject


def _moved(config: DreamBooth, model: Model) -> dict[str, nn.Module]:
    moves_text = config.text_encoder or config.identifier_learning_rate is not None
    return {"backbone": model.backbone()} | (model.text_encoders() if moves_text else {})


def attach(config: DreamBooth, model: Model, subjects: Sequence[Subject]) -> Attached:
    """Open the modules that move. Raises PlanError for an identifier that has no vector of its own to learn."""
    moved = _moved(config, model)
    groups, holds = [], []
    for role, module in moved.items():
        backbone = role == "backbone"
        if backbone or config.text_encoder:
            module.requires_grad_(True)
            module.train()
            groups.append(
                ParamGroup(
                    name=role,
                    parameters={f"{role}.{name}": parameter for name, parameter in module.named_parameters()},
                    lr=config.learning_rate
                    if backbone
                    else config.text_encoder_learning_rate or config.learning_rate,
                    closes=None if backbone else config.text_encoder_steps,
                )
            )
        else:
            group, hold = _words(config, model, role, module, subjects)
            groups.append(group)
            holds.append(hold)

    def hold_all() -> None:
        for hold in holds:
            hold()

    def export(folder: Path, precision: Precision) -> None:
        for role, module in moved.items():
            save_module(module, folder, role, precision)

    return Attached(
        groups=tuple(groups),
        export=export,
        export_bytes=lambda precision: sum(state_bytes(module, precision) for module in moved.values()),
        moves_text=len(moved) > 1,
        hold=hold_all,
    )


def _words(
    config: DreamBooth, model: Model, role: str, encoder: nn.Module, subjects: Sequence[Subject]
) -> tuple[ParamGroup, Callable[[], None]]:
    """The subjects' word vectors as a group, and what holds all others."""
    weight = words.table(encoder)
    moving = [words.row(model, role, subject.identifier or "") for subject in subjects]
    weight.requires_grad_(True)
    (name,) = (name for name, parameter in encoder.named_parameters() if parameter is weight)
    rate = config.identifier_learning_rate or 0.0
    group = ParamGroup(role, {f"{role}.{name}": weight}, lr=rate, closes=config.text_encoder_steps)
    return group, words.only_rows(weight, moving)


def restore(config: DreamBooth, model: Model, folder: Path) -> None:
    """Load the moved modules from a snapshot."""
    for role, module in _moved(config, model).items():
        load_module(module, folder, role)
