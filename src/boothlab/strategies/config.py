"""The torch-free half of the strategy contract: what a plan may say, and the doors to the other half.

A strategy is a folder with ``config.py`` (a :class:`Strategy`) and ``method.py``, and one line in
``strategies/__init__.py``. ``tests/contracts/test_strategy.py`` then tests it by itself.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from boothlab.config.base import Config
from boothlab.models.costs import Trained
from boothlab.subjects import Subject

if TYPE_CHECKING:
    from boothlab.models.model import Model
    from boothlab.strategies.attached import Attached


class Strategy(Config):
    """What moves during training, and how fast."""

    kind: str

    @abstractmethod
    def attach(self, model: Model, subjects: Sequence[Subject], seed: int) -> Attached:
        """Open what this strategy moves in a frozen ``model``. Initial values depend on ``seed`` alone."""

    @abstractmethod
    def restore(self, model: Model, folder: Path) -> None:
        """Put into a fresh base ``model`` what ``Attached.export`` wrote to ``folder``."""

    def needs_one_token(self) -> bool:
        """Whether an identifier must be a single token, because its own word vector is learned."""
        return False

    def trains(self) -> Mapping[str, Trained]:
        """Role → what of it moves, for the estimates of `check`; here the whole denoiser."""
        return {"backbone": Trained(whole=True)}
