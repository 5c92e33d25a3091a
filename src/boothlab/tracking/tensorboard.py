"""TensorBoard: event files that ``tensorboard --logdir runs`` shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from boothlab.tracking.tracker import Tracker, import_library


def require() -> Any:
    """The library. Raises PlanError where it is missing."""
    import_library("tensorboard", "tensorboard")
    return import_library("torch.utils.tensorboard", "tensorboard")


def open_tracker(folder: Path, run: str, plan: Mapping[str, Any], step: int) -> Tracker:
    """A writer that voids what an earlier, longer life of the run said after ``step``."""
    return TensorBoard(folder, run, plan, step)


class TensorBoard:
    """Scalars, the plan as text, previews as images."""

    def __init__(self, folder: Path, run: str, plan: Mapping[str, Any], step: int) -> None:
        # From the start nothing counts that an earlier life said, its plan and pictures at step 0 included.
        self._writer = require().SummaryWriter(str(folder), purge_step=step + 1 if step else 0)
        lines = [f"    {name} = {value}" for name, value in plan.items()]
        self._writer.add_text("plan", "\n".join([run, "", *lines]), step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One point per curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, path: Path) -> None:
        """One image."""
        with Image.open(path) as image:
            self._writer.add_image(name, np.asarray(image.convert("RGB")), step, dataformats="HWC")

    def end(self, state: str) -> None:
        """Write what is buffered."""
        self._writer.close()
