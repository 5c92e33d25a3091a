"""The contract of a photo step.

A step is a config with a ``kind`` and one pure method. Adding one costs a file beside this one and a line in
``__init__.py``; the suite in ``tests/contracts/test_photo_step.py`` then tests it by itself.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from boothlab.config.base import Config
from boothlab.photos.photo import Photo, Rejected


class Step(Config):
    """One thing done to each photo."""

    kind: str

    moves: ClassVar[bool] = True
    """Whether pixels may change. Steps that only say what counts come behind framing and resize."""

    @abstractmethod
    def apply(self, photo: Photo, size: int) -> Photo | Rejected:
        """The photo after this step, or why it is set aside.

        ``size`` is the side in pixels that the base model wants. Must not write to ``photo.pixels``; must be a
        pure function of its arguments; mask and pixels keep one shape; adds one line to the trail.
        """
