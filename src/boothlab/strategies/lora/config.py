"""Settings of low-rank adaptation. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from boothlab.models.costs import ADAPTER_TARGETS, Trained
from boothlab.strategies.config import Strategy
from boothlab.subjects import Subject

if TYPE_CHECKING:
    from boothlab.models.model import Model
    from boothlab.strategies.attached import Attached


class Lora(Strategy):
    """Low-rank adapters beside frozen weights (Hu et al. 2021); with `dora`, weight-decomposed (Liu et al. 2024)."""

    kind: Literal["lora"] = "lora"
    learning_rate: float = Field(1e-4, gt=0)
    """Learning rate of the denoiser's adapters."""
    rank: int = Field(8, ge=1, le=1024)
    """Rank of the update."""
    alpha: float | None = Field(None, gt=0)
    """The update is scaled by alpha / rank; left out, alpha = rank."""
    targets: tuple[str, ...] | None = None
    """Names of the linear layers that get adapters; left out, the attention projections."""
    dora: bool = False
    """Learn magnitude and direction of each weight column apart."""
    text_encoder: bool = False
    """Adapters in the text encoder too."""
    text_encoder_learning_rate: float | None = Field(None, gt=0)
    """Their learning rate; left out, that of the denoiser's adapters."""
    text_encoder_steps: int | None = Field(None, ge=1)
    """They move only in the first so many steps; left out, in all."""

    @model_validator(mode="after")
    def _no_setting_of_what_stands_still(self) -> Lora:
        for name in ("text_encoder_learning_rate", "text_encoder_steps"):
            if getattr(self, name) is not None and not self.text_encoder:
                raise ValueError(f"{name} needs text_encoder = true: else the text encoder has no adapters")
        return self

    def attach(self, model: Model, subjects: Sequence[Subject], seed: int) -> Attached:
        """Put adapters in."""
        from boothlab.strategies.lora.method import attach

        return attach(self, model, seed)

    def restore(self, model: Model, folder: Path) -> None:
        """Put adapters in and load them."""
        from boothlab.strategies.lora.method import restore

        restore(self, model, folder)

    def trains(self) -> dict[str, Trained]:
        """Adapters in the denoiser, and in the text encoder if asked."""
        targets = {"backbone": self.targets or ADAPTER_TARGETS["backbone"]}
        if self.text_encoder:
            targets["text_encoder"] = ADAPTER_TARGETS["text_encoder"]
        return {role: Trained(targets=names, rank=self.rank, magnitudes=self.dora) for role, names in targets.items()}
