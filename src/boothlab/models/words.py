"""The word vectors of the text encoders: which row of the token table is a word's, and how it alone moves.

Separate from ``tokens``, which knows words without any weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from boothlab.errors import PlanError
from boothlab.models.model import Model


def table(encoder: nn.Module) -> nn.Parameter:
    """The token table of a text encoder, (vocabulary, width)."""
    return cast(nn.Parameter, encoder.get_input_embeddings().weight)  # type: ignore[operator]


def row(model: Model, role: str, word: str) -> int:
    """The row of a word in the table of the text encoder ``role``. Raises PlanError for a word of several tokens."""
    found = model.tokenizers()[role](word, add_special_tokens=False)["input_ids"]
    if len(found) != 1:
        raise PlanError(
            f"The identifier {word!r} is {len(found)} tokens, shared with other words: no vector is its own.",
            "Take one of a single token (`boothlab tokens`), or leave strategy.identifier_learning_rate out.",
        )
    return int(found[0])


def only_rows(weight: nn.Parameter, moving: Sequence[int]) -> Callable[[], None]:
    """Let gradients through to these rows alone; returns what puts all other rows back, bit by bit, after a step.

    The gradient of other rows must not count in the norm that is clipped; weight decay moves rows without any.
    """
    chosen = torch.tensor(sorted(set(moving)), device=weight.device)
    kept = weight.detach().clone()

    def through(gradient: Tensor) -> Tensor:
        return torch.zeros_like(gradient).index_copy_(0, chosen, gradient[chosen])

    weight.register_hook(through)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def hold() -> None:
        kept[chosen] = weight[chosen]
        weight.copy_(kept)

    return hold
