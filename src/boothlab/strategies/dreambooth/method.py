"""Full fine-tuning: every weight of the denoiser moves; of the text encoders all, one word's vector, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from torch import nn

from boothlab.models import words
from boothlab.models.model import Model
from boothlab.models.weights import load_module, save_module, state_bytes
from boothlab.strategies.attached import Attached, ParamGroup, Precision, every_caption
from boothlab.strategies.dreambooth.config import DreamBooth
from boothlab.subjects import Subject


def _moved(config: DreamBooth, model: Model) -> dict[str, nn.Module]:
    return {"backbone": model.backbone()} | (model.text_encoders() if "text_encoder" in config.trains() else {})


def attach(config: DreamBooth, model: Model, subjects: Sequence[Subject]) -> Attached:
    """Open what moves. Raises PlanError for an identifier that has no vector of its own to learn."""
    moved = _moved(config, model)
    # Before a word is taken out of its table, which snapshots hold in one.
    sizes: dict[Precision, int] = {
        precision: sum(state_bytes(module, precision) for module in moved.values())
        for precision in get_args(Precision)
    }
    groups = []
    readers: list[Callable[[str], bool]] = []
    for role, module in moved.items():
        backbone = role == "backbone"
        rate = config.learning_rate if backbone else config.text_encoder_learning_rate or config.learning_rate
        if backbone or config.text_encoder:
            module.requires_grad_(True)
            module.train()
            opened = dict(module.named_parameters())
        else:
            rate = config.identifier_learning_rate or rate
            rows = [words.row(model, role, one.identifier or "") for one in subjects]
            opened = words.learn(module, rows)
            readers.append(words.holding(model, role, rows))
        groups.append(
            ParamGroup(
                name=role,
                parameters={f"{role}.{name}": parameter for name, parameter in opened.items()},
                lr=rate,
                closes=None if backbone else config.text_encoder_steps,
                always=not backbone and not config.text_encoder,  # some batches have no prompt with the word
            )
        )

    def export(folder: Path, precision: Precision) -> None:
        for role, module in moved.items():
            with words.folded(module):
                save_module(module, folder, role, precision)

    return Attached(
        groups=tuple(groups),
        export=export,
        export_bytes=sizes.__getitem__,
        moves_text=len(moved) > 1,
        moves=(lambda caption: any(reads(caption) for reads in readers)) if readers else every_caption,
    )


def restore(config: DreamBooth, model: Model, folder: Path) -> None:
    """Load the moved modules from a snapshot."""
    for role, module in _moved(config, model).items():
        load_module(module, folder, role)
