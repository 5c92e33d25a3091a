"""TensorBoard: event files that ``tensorboard --logdir runs`` shows."""

from __future__ import annotations

import os
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


def open_tracker(folder: Path, run: str, plan: Mapping[str, Any]) -> Tracker:
    """A writer of one event file."""
    return TensorBoard(folder, run, plan)


class TensorBoard:
    """Scalars, the plan as text, previews as images."""

    def __init__(self, folder: Path, run: str, plan: Mapping[str, Any]) -> None:
        # A TensorBoard that has been open since an earlier life forgets what that one said, and takes up a new file.
        # Of a file that is deleted it waits for the rest.
        for left in folder.glob("events.out.tfevents.*"):
            os.truncate(left, 0)
        self._writer = require().SummaryWriter(str(folder), purge_step=0)
        lines = [f"    {name} = {value}" for name, value in plan.items()]
        self._writer.add_text("plan", "\n".join([run, "", *lines]), 0)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One point per curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, path: Path) -> None:
        """One image; those of one name are a row with a slider."""
        with Image.open(path) as image:
            self._writer.add_image(f"previews/{name}", np.asarray(image.convert("RGB")), step, dataformats="HWC")

    def end(self, state: str) -> None:
        """Write what is buffered."""
        self._writer.close()
