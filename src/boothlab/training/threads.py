"""How many threads of the processor PyTorch takes: those of the plan, or a share where others compute beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from boothlab.training.config import Training

_MOST: ContextVar[int | None] = ContextVar("most", default=None)


@contextmanager
def at_most(threads: int | None) -> Iterator[None]:
    """Meanwhile :func:`take` keeps to so many; None is no limit."""
    token = _MOST.set(threads)
    try:
        yield
    finally:
        _MOST.reset(token)


def take(settings: Training) -> None:
    """As many threads as a training has, from here on."""
    most, threads = _MOST.get(), settings.num_threads()
    torch.set_num_threads(threads if most is None else min(threads, most))
