"""The contract between a strategy and the training loop: plain data, and nothing else.

The loop knows neither the strategy's name nor the model's family. It steps the groups, calls ``hold`` after each
optimizer step, and asks for an export when a snapshot is due. What a strategy does not put into ``groups`` it
must not change; the contract suite compares every other tensor bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

Precision = Literal["fp32", "fp16"]


@dataclass(frozen=True, slots=True, eq=False)
class ParamGroup:
    """Parameters that share a learning rate and a window of steps.

    ``parameters`` maps stable names to parameters (the names are the keys in checkpoints). They move in the
    steps ``opens <= step < closes`` (``closes`` None: to the end), and are bit-identical outside. ``always`` says
    that they take part in each of these, with a gradient of 0 where nothing in a batch depended on them.
    """

    name: str
    parameters: Mapping[str, nn.Parameter]
    lr: float
    opens: int = 0
    closes: int | None = None
    always: bool = False

    def is_open(self, step: int) -> bool:
        """Whether the parameters move in the optimizer step that starts from ``step``."""
        return self.opens <= step and (self.closes is None or step < self.closes)


def every_caption(caption: str) -> bool:
    """``moves`` of strategies that move the text encoders' weights."""
    return True


def nothing_to_hold() -> None:
    """``hold`` of strategies that move whole tensors only."""


@dataclass(frozen=True, slots=True, eq=False)
class Attached:
    """A strategy at work on one model.

    ``caption`` turns a filled prompt into what is tokenized (strategies that learn new words rewrite it).
    ``hold`` puts back, bit by bit, the parts of opened tensors that must not move (e.g. other rows of a token
    table). ``export`` writes what a snapshot needs into an empty folder. ``export_bytes`` is its size beforehand.
    ``moves_text`` says that embeddings of some captions change during training, ``moves(caption)`` whether this one's
    does then. Those must not be cached; the others stay what they were, bit for bit.
    """

    groups: tuple[ParamGroup, ...]
    export: Callable[[Path, Precision], None]
    export_bytes: Callable[[Precision], int]
    moves_text: bool = False
    moves: Callable[[str], bool] = staticmethod(every_caption)
    caption: Callable[[str], str] = staticmethod(lambda text: text)
    hold: Callable[[], None] = nothing_to_hold
    extra_state: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def num_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for group in self.groups for parameter in group.parameters.values())
