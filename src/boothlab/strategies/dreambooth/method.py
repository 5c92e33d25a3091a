"""Full fine-tuning: every weight of the denoiser moves, and those of the text encoders if asked."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from boothlab.models.model import Model
from boothlab.models.weights import load_module, save_module, state_bytes
from boothlab.strategies.attached import Attached, ParamGroup, Precision
from boothlab.strategies.dreambooth.config import DreamBooth


def _moved(config: DreamBooth, model: Model) -> dict[str, nn.Module]:
    return {"backbone": model.backbone()} | (model.text_encoders() if config.text_encoder else {})


def attach(config: DreamBooth, model: Model) -> Attached:
    """Open the modules that move."""
    moved = _moved(config, model)
    groups = []
    for role, module in moved.items():
        module.requires_grad_(True)
        module.train()
        backbone = role == "backbone"
        groups.append(
            ParamGroup(
                name=role,
                parameters={f"{role}.{name}": parameter for name, parameter in module.named_parameters()},
                lr=config.learning_rate if backbone else config.text_encoder_learning_rate or config.learning_rate,
                closes=None if backbone else config.text_encoder_steps,
            )
        )

    def export(folder: Path, precision: Precision) -> None:
        for role, module in moved.items():
            save_module(module, folder, role, precision)

    return Attached(
        groups=tuple(groups),
        export=export,
        export_bytes=lambda precision: sum(state_bytes(module, precision) for module in moved.values()),
        moves_text=config.text_encoder,
    )


def restore(config: DreamBooth, model: Model, folder: Path) -> None:
    """Load the moved modules from a snapshot."""
    for role, module in _moved(config, model).items():
        load_module(module, folder, role)
