"""Settings of a mean of weights. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from boothlab.errors import PlanError
from boothlab.models.costs import Trained
from boothlab.strategies.config import Strategy
from boothlab.subjects import Subject

if TYPE_CHECKING:
    from boothlab.models.model import Model
    from boothlab.strategies.attached import Attached


class Mean(Strategy):
    """Nothing is trained: each weight is the mean of what other runs of the same subject have there (a "model soup",
    Wortsman et al. 2022). No line of ``STRATEGIES``, because there is no training to try."""

    kind: Literal["mean"] = "mean"
    of: tuple[str, ...] = Field(min_length=2)
    """Snapshots of other runs: RUN/snapshots/step-000300. They may differ in strategy, objective and training."""

    @field_validator("of")
    @classmethod
    def _different(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        twice = next((path for index, path in enumerate(paths) if path in paths[:index]), None)
        if twice is not None:
            raise ValueError(f"{twice} is named twice")
        return paths

    def attach(self, model: Model, subjects: Sequence[Subject], seed: int) -> Attached:
        """Raises PlanError."""
        raise PlanError("strategy.kind is 'mean', which trains nothing: its weights are made of other runs'.")

    def restore(self, model: Model, folder: Path) -> None:
        """Load the averaged modules."""
        from boothlab.strategies.mean.method import restore

        restore(model, folder)

    def trains(self) -> dict[str, Trained]:
        """What a snapshot may hold: denoiser and text encoder."""
        return {"backbone": Trained(whole=True), "text_encoder": Trained(whole=True)}
