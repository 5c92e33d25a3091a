"""Low-rank adaptation: small matrices beside frozen weights move."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from boothlab.models.adapters import AdapterShape, adapter_bytes, add_adapters, load_adapters, save_adapters
from boothlab.models.model import Model
from boothlab.seeds import derive
from boothlab.strategies.attached import Attached, ParamGroup, Precision
from boothlab.strategies.lora.config import Lora


def _moved(config: Lora, model: Model) -> dict[str, nn.Module]:
    return {"backbone": model.backbone()} | (model.text_encoders() if config.text_encoder else {})


def _shapes(config: Lora, model: Model) -> dict[str, AdapterShape]:
    customary = model.adapter_targets()
    shapes = {}
    for role in _moved(config, model):
        targets = config.targets if config.targets and role == "backbone" else customary[role]
        shapes[role] = AdapterShape(config.rank, config.alpha or float(config.rank), targets, config.dora)
    return shapes


def attach(config: Lora, model: Model, seed: int) -> Attached:
    """Put adapters in; only they are trainable."""
    moved, shapes = _moved(config, model), _shapes(config, model)
    groups = []
    for role, module in moved.items():
        added = add_adapters(module, shapes[role], derive(seed, "adapter", role))
        module.requires_grad_(False)
        for parameter in added:
            parameter.requires_grad_(True)
        module.train()
        backbone = role == "backbone"
        rate = config.learning_rate if backbone else config.text_encoder_learning_rate or config.learning_rate
        groups.append(
            ParamGroup(
                name=role,
                parameters={f"{role}.{n}": p for n, p in sorted(module.named_parameters()) if p.requires_grad},
                lr=rate,
                closes=None if backbone else config.text_encoder_steps,
            )
        )

    def export(folder: Path, precision: Precision) -> None:
        # Adapters are small: they are kept in full precision whatever the plan says of whole modules.
        save_adapters(folder, moved, shapes)

    return Attached(
        groups=tuple(groups),
        export=export,
        export_bytes=lambda precision: adapter_bytes(list(moved.values())),
        moves_text=config.text_encoder,
    )


def restore(config: Lora, model: Model, folder: Path) -> None:
    """Put adapters in and load them from a snapshot."""
    moved, shapes = _moved(config, model), _shapes(config, model)
    for role, module in moved.items():
        add_adapters(module, shapes[role], seed=0)
        module.requires_grad_(False)
        module.eval()
    load_adapters(folder, moved)
