"""A walk along learning rate × steps, as a study's plan has it. (Torch-free.)"""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from boothlab.config.base import Config
from boothlab.training.config import MOST_STEPS


class Ridge(Config):
    """A walk along learning rate × steps: what two trainings of equal product have in common is much.

    Each learning rate takes exposure / learning rate steps, rounded, for each exposure. Several exposures put points
    beside the ridge, which show how steep it is.
    """

    learning_rates: tuple[float, ...] = Field(min_length=1)
    """The learning rates to walk through."""
    exposures: tuple[float, ...] = Field(min_length=1)
    """Learning rate × steps: 2e-4 is 100 steps at 2e-6."""
    rate: str = "strategy.learning_rate"
    """Path of the learning rate."""
    steps: Literal["training.steps_per_photo", "training.steps"] = "training.steps_per_photo"
    """Path of the number of steps: per photo, or ``training.steps`` for all together."""

    @field_validator("learning_rates", "exposures")
    @classmethod
    def _positive(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < value < math.inf for value in values):
            raise ValueError("every value must be a number greater than 0")
        if len(set(values)) < len(values):
            raise ValueError(f"a value is listed twice: {list(values)}")
        return values

    @model_validator(mode="after")
    def _steps_to_take(self) -> Ridge:
        long = [(e, r) for e in self.exposures for r in self.learning_rates if e / r > MOST_STEPS]
        if long:
            exposure, rate = long[0]
            raise ValueError(f"exposure {exposure:g} at learning rate {rate:g} is more than {MOST_STEPS:,} steps")
        short = [(e, r) for e in self.exposures for r in self.learning_rates if round(e / r) < 1]
        if short:
            exposure, rate = short[0]
            raise ValueError(f"exposure {exposure:g} at learning rate {rate:g} is less than one step")
        return self

    @model_validator(mode="after")
    def _points_differ(self) -> Ridge:
        walked: dict[tuple[float, int], float] = {}
        for exposure, rate in itertools.product(self.exposures, self.learning_rates):
            steps = round(exposure / rate)
            other = walked.setdefault((rate, steps), exposure)
            if other != exposure:
                raise ValueError(
                    f"exposures {other:g} and {exposure:g} are both {steps} steps at learning rate {rate:g}: leave "
                    "one out, or take smaller learning rates"
                )
        return self

    def points(self) -> list[dict[str, Any]]:
        """Path → value of every point."""
        return [{self.rate: r, self.steps: round(e / r)} for e in self.exposures for r in self.learning_rates]
