"""Single words of a text encoder's token table, as parameters of their own beside the frozen table.

Separate from ``tokens``, which knows words without any weights. The table of SD v1.5 has 38 million numbers; opened
as a whole to learn one word of it, it would cost gradient, moments and mean of all of them. Parity: peft's
``TrainableTokens``, which copies the whole table in every pass (tests/parity/test_word_parity.py).
Shapes: B prompts, L tokens, R rows that are learned, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor, nn

from boothlab.models.model import Model
from boothlab.models.tokens import require_one_token


class Words(nn.Module):
    """In the place of a token table: some of its rows are learned, all others are as they were."""

    numbers: Tensor

    def __init__(self, table: nn.Embedding, rows: Sequence[int]) -> None:
        super().__init__()
        self.base_layer = table
        self.register_buffer("numbers", torch.tensor(sorted(set(rows)), device=table.weight.device), persistent=False)
        self.rows = nn.Parameter(table.weight.detach()[self.numbers].clone())

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, L) token numbers -> (B, L, D)."""
        is_row = tokens[..., None] == self.numbers
        # Autocast would round a product of matrices; the frozen words beside it are looked up, in full precision.
        with torch.autocast(self.rows.device.type, enabled=False):
            learned = is_row.to(self.rows.dtype) @ self.rows
        found: Tensor = torch.where(is_row.any(-1, keepdim=True), learned, self.base_layer(tokens))
        return found


def row(model: Model, role: str, word: str) -> int:
    """The row of a word in the table of the text encoder ``role``. Raises PlanError for a word of several tokens."""
    tokenizer = model.tokenizers()[role]
    found = tokenizer(word, add_special_tokens=False)["input_ids"]
    require_one_token(word, tokenizer.convert_ids_to_tokens(found))
    return int(found[0])


def holding(model: Model, role: str, rows: Sequence[int]) -> Callable[[str], bool]:
    """Whether the text encoder ``role`` reads one of these rows in a prompt, of which each is looked at once."""
    tokenizer, wanted = model.tokenizers()[role], frozenset(rows)

    @cache
    def holds(prompt: str) -> bool:
        return not wanted.isdisjoint(tokenizer(prompt, truncation=True)["input_ids"])

    return holds


def learn(encoder: nn.Module, rows: Sequence[int]) -> dict[str, nn.Parameter]:
    """Open these rows of the encoder's token table, and nothing else; returns the new parameter by its name."""
    words = Words(encoder.get_input_embeddings(), rows)  # type: ignore[operator]
    encoder.set_input_embeddings(words)  # type: ignore[operator]
    return {name: parameter for name, parameter in encoder.named_parameters() if parameter is words.rows}


@contextmanager
def folded(encoder: nn.Module) -> Iterator[None]:
    """A module for a while as stock libraries know it, with what was learned in its table; others as they are."""
    words = next((module for module in encoder.modules() if isinstance(module, Words)), None)
    if words is None:
        yield
        return
    weight = words.base_layer.weight.data
    before = weight[words.numbers].clone()
    try:
        weight[words.numbers] = words.rows.detach()
        encoder.set_input_embeddings(words.base_layer)  # type: ignore[operator]
        yield
    finally:
        weight[words.numbers] = before
        encoder.set_input_embeddings(words)  # type: ignore[operator]
