"""Weights & Biases, offline: nothing is sent; ``wandb sync`` sends it if its owner wants to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boothlab.files import sha256_bytes
from boothlab.tracking.tracker import Tracker, emptied, import_library

UNASKED: dict[str, Any] = {
    "host": "",
    "console": "off",
    "disable_git": True,
    "save_code": False,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}
"""What switches off all that W&B records unasked: the command line, with the places that it names, and the machine.

A version that does not know one of them refuses it and is left out: that is better than a dashboard that tells.
"""


def require() -> Any:
    """The library. Raises PlanError where it is missing."""
    return import_library("wandb", "wandb")


def open_tracker(folder: Path, run: str, plan: Mapping[str, Any]) -> Tracker:
    """An offline run; in every life with the same id, so that all are one run where they are sent."""
    return WeightsAndBiases(folder, run, plan)


class WeightsAndBiases:
    """Metrics by their own step, the plan as config, previews as images."""

    def __init__(self, folder: Path, run: str, plan: Mapping[str, Any]) -> None:
        self._library = require()
        self._run = self._library.init(
            project="boothlab",
            name=run,
            id=sha256_bytes(run.encode())[:16],
            mode="offline",
            reinit="create_new",  # another run that this process has open may be one that is sent
            dir=str(emptied(folder)),
            config=dict(plan),
            settings=self._library.Settings(silent=True, **UNASKED),
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One point per curve."""
        self._run.log(dict(values), step=step)

    def picture(self, step: int, name: str, path: Path) -> None:
        """One image; those of one name are a row with a slider."""
        self._run.log({f"previews/{name}": self._library.Image(str(path))}, step=step)

    def end(self, state: str) -> None:
        """Close the run."""
        self._run.finish(exit_code=0 if state == "finished" else 1)
