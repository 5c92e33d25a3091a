"""A learned word vector does what peft's ``TrainableTokens`` does: the same states, the same gradient."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from peft import TrainableTokensConfig, inject_adapter_in_model

from boothlab.models import words
from boothlab.models.model import Model

PROMPTS = ["a photo of nlwx person", "a dog", "bsgo and nlwx on nlwx"]


def states_and_gradient(model: Model, vectors: torch.nn.Parameter) -> tuple[torch.Tensor, torch.Tensor]:
    """The prompts' states with the vectors at other values, and the gradient of a made loss."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        vectors += 0.1 * torch.randn(vectors.shape, generator=generator)
    states = model.encode_text(PROMPTS).states_BLD
    (states * torch.randn(states.shape, generator=generator)).sum().backward()
    assert vectors.grad is not None
    return states.detach(), vectors.grad


def test_states_and_gradient_are_those_of_peft(fresh: Callable[[], Model]) -> None:
    ours, theirs = fresh(), fresh()
    rows = sorted(words.row(ours, "text_encoder", word) for word in ("nlwx", "bsgo"))
    (vectors,) = words.learn(ours.text_encoders()["text_encoder"], rows).values()
    encoder = theirs.text_encoders()["text_encoder"]
    inject_adapter_in_model(TrainableTokensConfig(token_indices=rows, target_modules=["token_embedding"]), encoder)
    (deltas,) = (p for name, p in encoder.named_parameters() if "trainable_tokens_delta" in name)
    before = ours.encode_text(PROMPTS).states_BLD.detach()
    (states, gradient), (expected, wanted) = states_and_gradient(ours, vectors), states_and_gradient(theirs, deltas)
    assert float((expected - before).abs().max()) > 1e-2
    torch.testing.assert_close(states, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-6)
    assert float(wanted.abs().max()) == pytest.approx(float(gradient.abs().max()), rel=1e-5)
