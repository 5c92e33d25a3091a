"""The seam between a training and the dashboards that people already have.

A tracker is one file here with one class. It hears what the run folder hears and writes below that folder, so nothing
leaves the machine and `forget` finds it. Every life of a run makes its dashboards anew and tells them the whole log:
they are the same whether it was interrupted, extended or moved on the way. (Torch-free until one is opened.)
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from boothlab.errors import PlanError
from boothlab.runs.events import Event, Finished, Previewed, Stepped, Validated
from boothlab.runs.run import step_name

INSTALL = "pip install 'boothlab[track]'"


class Tracker(Protocol):
    """What a dashboard is told. Values are plain floats; a step is the number of optimizer steps taken."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers that were true after ``step``."""

    def picture(self, step: int, name: str, path: Path) -> None:
        """A picture that was drawn after ``step``; ``name`` is that of the same prompt and noise at every step."""

    def end(self, state: str) -> None:
        """Nothing more comes; ``state`` is "finished" or "stopped"."""


Opened = Callable[[Path, str, Mapping[str, Any]], Tracker]
"""(folder to write to, the run's name, its plan flattened) → a tracker, which begins anew whatever lies there."""

TRACKERS = {
    "tensorboard": "boothlab.tracking.tensorboard",
    "mlflow": "boothlab.tracking.mlflow",
    "wandb": "boothlab.tracking.wandb",
}
"""Name → module with a function ``open_tracker``; imported only when asked for."""


def require_known(names: Sequence[str]) -> None:
    """Raises PlanError for a tracker that does not exist or whose library is not installed, before any work."""
    for name in names:
        if name not in TRACKERS:
            raise PlanError(f"There is no tracker {name!r}.", f"There are {', '.join(TRACKERS)}.")
        importlib.import_module(TRACKERS[name]).require()


def open_trackers(
    names: Sequence[str], folder: Path, run: str, plan: Mapping[str, Any], warn: Callable[[str], None]
) -> list[Tracker]:
    """The trackers of ``names``, each with a folder of its own below ``folder``, and nothing told yet.

    Those that cannot be opened are left out, and ``warn`` hears of them.
    """
    require_known(names)
    opened: list[Tracker] = []
    for name in dict.fromkeys(names):
        try:
            (folder / name).mkdir(parents=True, exist_ok=True)
            opener: Opened = importlib.import_module(TRACKERS[name]).open_tracker
            opened.append(opener(folder / name, run, plan))
        except Exception as error:  # noqa: BLE001 - foreign code in the midst of a training
            warn(left_out(name, error))
    return opened


def emptied(folder: Path) -> Path:
    """``folder`` without what an earlier life of the run left there."""
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


def import_library(module: str, package: str) -> Any:
    """A tracker's library. Raises PlanError with the install line where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise PlanError(f"The package {package} is not installed.", f"Install it with `{INSTALL}`.") from error


def values_of(event: Event) -> dict[str, float]:
    """The numbers of an event that make a curve; empty for the others."""
    if isinstance(event, Stepped):
        found = {
            "train/loss": event.loss,
            "train/instance_loss": event.instance_loss,
            "train/class_loss": event.class_loss,
            "train/gradient_norm": event.norm,
            "train/learning_rate": event.lr,
            "train/seconds_per_step": event.seconds,
        }
    elif isinstance(event, Validated):
        found = {"fixed_noise/train_loss": event.train_loss, "fixed_noise/held_out_loss": event.held_out_loss}
    else:
        found = {}
    return {name: float(value) for name, value in found.items() if value is not None}


class Tracking:
    """Tells trackers what a run says, and pictures of its previews; a tracker that fails stops no training."""

    def __init__(self, trackers: Sequence[Tracker], previews: Path, warn: Callable[[str], None]) -> None:
        self._trackers = list(trackers)
        self._previews = previews
        self._warn = warn
        self._heard: set[Event] = set()

    def hear(self, event: Event) -> None:
        """Pass on one event; what a resume finds already done is said again and passed on once."""
        if event in self._heard:
            return
        self._heard.add(event)
        values = values_of(event)
        if values:
            self._each(lambda tracker: tracker.log(event.step, values))
        if isinstance(event, Previewed):
            for path in sorted((self._previews / step_name(event.step)).glob("*.png")):
                self._show(event.step, path)

    def _show(self, step: int, path: Path) -> None:
        self._each(lambda tracker: tracker.picture(step, path.stem, path))

    def end(self) -> None:
        """Close every tracker."""
        state = "finished" if any(isinstance(event, Finished) for event in self._heard) else "stopped"
        self._each(lambda tracker: tracker.end(state))

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                tell(tracker)
            except Exception as error:  # noqa: BLE001 - foreign code beside a training that may have run for hours
                self._trackers.remove(tracker)
                self._warn(left_out(type(tracker).__name__, error))


def left_out(tracker: str, error: Exception) -> str:
    """What is said of a tracker that fails."""
    return f"{tracker} failed and is left out: {type(error).__name__}: {error}"
