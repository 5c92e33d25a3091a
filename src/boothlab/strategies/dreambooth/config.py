"""Settings of full fine-tuning. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from boothlab.models.costs import Trained
from boothlab.strategies.config import Strategy
from boothlab.subjects import Subject

if TYPE_CHECKING:
    from boothlab.models.model import Model
    from boothlab.strategies.attached import Attached


class DreamBooth(Strategy):
    """Full fine-tuning of the denoiser, optionally with the text encoder (Ruiz et al. 2023)."""

    kind: Literal["dreambooth"] = "dreambooth"
    learning_rate: float = Field(2e-6, gt=0)
    """Learning rate of the denoiser."""
    text_encoder: bool = False
    """Train the text encoder too."""
    text_encoder_learning_rate: float | None = Field(None, gt=0)
    """Its learning rate; left out, that of the denoiser."""
    text_encoder_steps: int | None = Field(None, ge=1)
    """The text encoder moves only in the first so many steps; left out, in all."""

    def attach(self, model: Model, subjects: Sequence[Subject], seed: int) -> Attached:
        """Open the denoiser, and the text encoders if asked."""
        from boothlab.strategies.dreambooth.method import attach

        return attach(self, model)

    def restore(self, model: Model, folder: Path) -> None:
        """Load the moved modules."""
        from boothlab.strategies.dreambooth.method import restore

        restore(self, model, folder)

    def trains(self) -> dict[str, Trained]:
        """The denoiser, and the text encoder if asked."""
        roles = ["backbone", *(["text_encoder"] if self.text_encoder else [])]
        return {role: Trained(whole=True) for role in roles}
