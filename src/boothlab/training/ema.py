"""A running mean of the weights, for snapshots that are less shaken by the last steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Ema:
    """mean ← decay·mean + (1 − decay)·weights after each step; starts as the weights themselves.

    Early on the decay is at most (1 + step)/(10 + step), so that a short training is not all beginning.
    Source: the warm-up that TensorFlow's ``ExponentialMovingAverage`` documents.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self._parameters = dict(parameters)
        self._decay = decay
        self.mean: dict[str, Tensor] = {name: p.detach().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after ``step`` optimizer steps."""
        decay = min(self._decay, (1 + step) / (10 + step))
        weights = [parameter.detach() for parameter in self._parameters.values()]
        torch._foreach_lerp_([self.mean[name] for name in self._parameters], weights, 1.0 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the mean into the model for a while; the weights come back bit by bit."""
        kept = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}
        try:
            self._write(self.mean)
            yield
        finally:
            self._write(kept)

    @torch.no_grad()
    def _write(self, values: Mapping[str, Tensor]) -> None:
        for name, parameter in self._parameters.items():
            parameter.copy_(values[name])
