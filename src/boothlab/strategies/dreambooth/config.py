"""Settings of full fine-tuning. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from boothlab.models.costs import Trained
from boothlab.strategies.config import Strategy
from boothlab.subjects import Subject

if TYPE_CHECKING:
    from boothlab.models.model import Model
    from boothlab.strategies.attached import Attached


class DreamBooth(Strategy):
    """Full fine-tuning of the denoiser (Ruiz et al. 2023), optionally with the text encoder or the identifier's word
    vector alone."""

    kind: Literal["dreambooth"] = "dreambooth"
    learning_rate: float = Field(2e-6, gt=0)
    """Learning rate of the denoiser."""
    text_encoder: bool = False
    """Train the text encoder too."""
    text_encoder_learning_rate: float | None = Field(None, gt=0)
    """Its learning rate; left out, that of the denoiser."""
    text_encoder_steps: int | None = Field(None, ge=1)
    """The text encoder, or the identifier's vector, moves only in the first so many steps; left out, in all."""
    identifier_learning_rate: float | None = Field(None, gt=0)
    """Of the text encoder learn the identifier's word vector alone, at this rate (textual inversion, Gal et al. 2022,
    beside the denoiser): what other words mean stays as it is. Left out, the vector stays too."""

    @model_validator(mode="after")
    def _one_way_to_move_words(self) -> DreamBooth:
        if self.identifier_learning_rate is not None and self.text_encoder:
            raise ValueError(
                "give text_encoder or identifier_learning_rate: the whole text encoder has that vector too"
            )
        return self

    @model_validator(mode="after")
    def _no_setting_of_what_stands_still(self) -> DreamBooth:
        if self.text_encoder_learning_rate is not None and not self.text_encoder:
            raise ValueError(
                "text_encoder_learning_rate needs text_encoder = true: else no weight moves at that rate (the rate "
                "of the identifier's vector is identifier_learning_rate)"
            )
        if self.text_encoder_steps is not None and "text_encoder" not in self.trains():
            raise ValueError(
                "text_encoder_steps needs text_encoder = true or identifier_learning_rate: else nothing of the text "
                "encoder moves in any step"
            )
        return self

    def needs_one_token(self) -> bool:
        """Where the identifier's vector is learned."""
        return self.identifier_learning_rate is not None

    def attach(self, model: Model, subjects: Sequence[Subject], seed: int) -> Attached:
        """Open the denoiser, and of the text encoders what is asked for."""
        from boothlab.strategies.dreambooth.method import attach

        return attach(self, model, subjects)

    def restore(self, model: Model, folder: Path) -> None:
        """Load the moved modules."""
        from boothlab.strategies.dreambooth.method import restore

        restore(self, model, folder)

    def trains(self) -> dict[str, Trained]:
        """The denoiser, and of the text encoder what is asked for."""
        found = {"backbone": Trained(whole=True)}
        if self.text_encoder:
            found["text_encoder"] = Trained(whole=True)
        elif self.identifier_learning_rate is not None:
            found["text_encoder"] = Trained(word=True)
        return found
