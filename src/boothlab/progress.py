"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Called with the stage's name, what is done, and of how much."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Say it."""


def silent(stage: str, done: int, total: int) -> None:
    """Nobody listens."""


def within(progress: Progress, stage: str) -> Callable[[int, int], None]:
    """``progress`` for the inside of one stage: called with (done, total)."""
    return lambda done, total: progress(stage, done, total)
