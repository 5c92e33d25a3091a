"""The plan of a search: ranges instead of lists, trials that are cut short when others do better. (Torch-free.)"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from boothlab.config.base import Config
from boothlab.config.load import WIDEST

NODE = {"low", "high", "choices"}
"""What tells a range from a table of ranges."""

BETWEEN = 0.618
"""Where between the ends of a range a value is looked at: not in the middle, which may be a whole number."""

DIGITS = 4
"""Drawn numbers are rounded to so many significant digits, so that they can be read and typed."""


class Range(Config):
    """Where a setting is looked for: between two numbers, or among choices."""

    low: int | float | None = None
    """Smallest value. Two whole numbers make a range of whole numbers."""
    high: int | float | None = None
    """Largest value."""
    log: bool = False
    """Look on a logarithmic scale, as is usual for learning rates."""
    step: int | float | None = Field(None, gt=0)
    """Distance of neighbouring values from ``low`` on; left out, every value (for whole numbers 1)."""
    choices: tuple[Any, ...] | None = Field(None, min_length=1)
    """The values to choose from, in place of low and high; a table with a ``kind`` is a whole node."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Range:
        numbers = self.low is not None and self.high is not None
        if (self.choices is None) != numbers:
            raise ValueError("give low and high, or choices")
        if self.choices is not None:
            if self.log or self.step is not None or self.low is not None or self.high is not None:
                raise ValueError("choices stand alone, without low, high, log and step")
            if any(value in self.choices[:index] for index, value in enumerate(self.choices)):
                raise ValueError(f"choices list a value twice: {list(self.choices)}")
            return self
        low, high = self.low or 0, self.high or 0
        if not all(-WIDEST <= number <= WIDEST for number in (low, high, self.step or 0)):
            raise ValueError("low, high and step must be numbers of less than 64 bits")
        if low >= high:
            raise ValueError(f"low ({self.low}) must be smaller than high ({self.high})")
        if self.log and low <= 0:
            raise ValueError(f"on a logarithmic scale low must be greater than 0 (given: {self.low})")
        if self.log and self.step is not None:
            raise ValueError("log and step exclude each other")
        if self.whole and isinstance(self.step, float):
            raise ValueError(f"step must be a whole number, as low and high are (given: {self.step})")
        return self

    @model_validator(mode="after")
    def _steps_end_at_high(self) -> Range:
        if self.step is None or self.size is None:
            return self
        if self.size == 1:
            raise ValueError(f"step ({self.step}) is larger than all from low ({self.low}) to high ({self.high})")
        last = self.at(self.size - 1)
        if last != self.high:
            raise ValueError(
                f"in steps of {self.step} from low ({self.low}) on the last value is {last}, not high ({self.high})"
            )
        return self

    @property
    def whole(self) -> bool:
        """Whether it is a range of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def size(self) -> int | None:
        """How many values can be drawn; None where they lie as close as their digits."""
        if self.choices is not None:
            return len(self.choices)
        step = self.step or (1 if self.whole else None)
        return None if step is None else int((_exact(self.high) - _exact(self.low)) / _exact(step)) + 1

    def at(self, index: int) -> Any:
        """The value of that number, from ``low`` or the first choice on, as one would write it: 0.9, not 0.8999…"""
        if self.choices is not None:
            return self.choices[index]
        value = _exact(self.low) + index * _exact(self.step or 1)
        return int(value) if self.whole else float(value)

    def meant(self, drawn: Any) -> Any:
        """What was drawn, a number or the index of a choice, as the plan's value."""
        if self.choices is not None:
            return self.at(drawn)
        if self.size is not None:
            return self.at(round((_exact(drawn) - _exact(self.low)) / _exact(self.step or 1)))
        low, high = float(self.low or 0), float(self.high or 0)
        return min(max(float(f"{drawn:.{DIGITS}g}"), low), high)

    def holds(self, value: Any) -> bool:
        """Whether ``value`` is one of the numbers that can be drawn between ``low`` and ``high``."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (self.low or 0) <= value <= (self.high or 0) and self.meant(value) == value

    def ends(self) -> tuple[Any, ...]:
        """The values that a plan must bear if it is to bear them all, as they would be drawn: both ends and one
        between them, which may be no whole number where the ends are; or every choice."""
        if self.choices is not None:
            return self.choices
        low, high = self.low or 0, self.high or 0
        if self.size is None:
            middle = low * (high / low) ** BETWEEN if self.log else low + (high - low) * BETWEEN
            return (low, high, self.meant(middle))
        return (low, high, self.at(1)) if self.size > 2 else (low, high)


class Search(Config):
    """Trials whose settings are drawn from ranges; successive halving ends those that do worse than others."""

    ranges: dict[str, Range] = Field(min_length=1)
    """Dotted path of a setting → where it is looked for."""
    rungs: tuple[int, ...] = Field(min_length=1)
    """Lengths at which a trial is scored and may end, ascending; the last one is a whole training."""
    steps: Literal["training.steps_per_photo", "training.steps"] = "training.steps_per_photo"
    """What the rungs count: steps per photo, or steps in all."""
    trials: int = Field(20, ge=1, le=10_000)
    """How many settings are tried, each once; more can be asked for later."""
    reduction: int = Field(3, ge=2, le=100)
    """Of so many trials one goes on to the next rung."""
    sampler: Literal["tpe", "random"] = "tpe"
    """Optuna's tree-structured Parzen estimator, which learns from earlier trials, or plain chance."""
    score: Literal["both", "likeness", "prompt"] = "both"
    """What is to be high: the geometric mean of likeness to held-out photos and prompt following, or one of them."""
    seed: int = Field(0, ge=0)
    """What is tried depends on it, and on the scores of earlier trials."""

    @field_validator("ranges", mode="before")
    @classmethod
    def _flat(cls, tree: Any) -> Any:
        """Nested tables as dotted paths, so that quotes around a path may be left out."""
        return dict(_ranges(tree, "")) if isinstance(tree, dict) else tree

    @model_validator(mode="after")
    def _fits(self) -> Search:
        if list(self.rungs) != sorted(set(self.rungs)) or self.rungs[0] < 1:
            raise ValueError(f"rungs must ascend, from 1 on: {list(self.rungs)}")
        for path in ("training.steps", "training.steps_per_photo"):
            if path in self.ranges:
                raise ValueError(f"ranges.{path}: the rungs say how long a training is")
        if "training.seed" in self.ranges:
            raise ValueError("ranges.training.seed: give training seeds as `seeds` of the study: they are no setting")
        return self

    @property
    def settings(self) -> int | None:
        """How many different settings can be drawn; None where any range has no end of values."""
        sizes = [range_.size for range_ in self.ranges.values()]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    @property
    def most(self) -> int:
        """How many trials there are at most: no setting is tried twice."""
        return self.trials if self.settings is None else min(self.trials, self.settings)

    def setting(self, index: int) -> dict[str, Any]:
        """The setting of that number among all, where they have an end."""
        found = {}
        for path, range_ in self.ranges.items():
            index, own = divmod(index, range_.size or 1)
            found[path] = range_.at(own)
        return found


def _exact(number: float | None) -> Decimal:
    """The number as it is written: sums of these have no tail of nines."""
    return Decimal(str(number or 0))


def _ranges(tree: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value and not NODE & value.keys():
            yield from _ranges(value, here)
        else:
            yield here, value


def scouts(search: Search) -> list[dict[str, Any]]:
    """Path → value of plans that show whether all trials can be had: each range's ends, the others at their first.

    Every one has the first rung's length, but the last one, which is a whole training.
    """
    first = {path: range_.ends()[0] for path, range_ in search.ranges.items()}
    found = [first]
    for path, range_ in search.ranges.items():
        found += [{**first, path: value} for value in range_.ends()[1:]]
    whole = [{**first, search.steps: search.rungs[-1]}] if len(search.rungs) > 1 else []
    return [*({**values, search.steps: search.rungs[0]} for values in found), *whole]
