"""The seam between a training and the dashboards that people already have.

A tracker is one file here with one class. It hears what the run folder hears and writes below that folder, so nothing
leaves the machine and `forget` finds it. (Torch-free until one is opened.)
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from boothlab.errors import PlanError
from boothlab.runs.events import Event, Extended, Finished, Resumed, Stepped, Validated, Warned
from boothlab.runs.run import step_of

INSTALL = "pip install 'boothlab[track]'"


class Tracker(Protocol):
    """What a dashboard is told. Values are plain floats; a step is the number of optimizer steps taken."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers that were true after ``step``."""

    def picture(self, step: int, name: str, path: Path) -> None:
        """A picture that was drawn after ``step``."""

    def end(self, state: str) -> None:
        """Nothing more comes; ``state`` is "finished" or "stopped"."""


Opened = Callable[[Path, str, Mapping[str, Any], int], Tracker]
"""(folder to write to, the run's name, its plan flattened, step it goes on from, 0 from the start) → a tracker."""

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
    names: Sequence[str], folder: Path, run: str, plan: Mapping[str, Any], step: int = 0
) -> list[Tracker]:
    """The trackers of ``names``, each with a folder of its own below ``folder``."""
    require_known(names)
    opened: list[Tracker] = []
    for name in dict.fromkeys(names):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        opener: Opened = importlib.import_module(TRACKERS[name]).open_tracker
        opened.append(opener(place, run, plan, step))
    return opened


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
    """Tells trackers what a run says, and pictures of its previews; a tracker that fails stops no training.

    Pictures of an earlier life up to ``step``, which this one goes on from, have been shown. Later ones are void like
    the numbers said beside them, and shown again though they are not drawn again.
    """

    def __init__(
        self, trackers: Sequence[Tracker], previews: Path, warn: Callable[[Warned], None], step: int = 0
    ) -> None:
        self._trackers = list(trackers)
        self._previews = previews
        self._shown = self._pictures(step) if step > 0 else set()
        self._warn = warn
        self._finished = False

    def hear(self, event: Event) -> None:
        """Pass on one event."""
        self._finished = self._finished or isinstance(event, Finished)
        values = values_of(event)
        if values:
            self._each(event.step, lambda tracker: tracker.log(event.step, values))
        if isinstance(event, Stepped | Resumed | Warned):
            return
        if isinstance(event, Extended):  # its pictures came from another run, whose dashboard is not this one
            self._shown.clear()
        for path in sorted(self._pictures(event.step) - self._shown):
            self._shown.add(path)
            name = path.relative_to(self._previews).with_suffix("").as_posix()
            self._show(event.step, name, path)

    def _pictures(self, step: int) -> set[Path]:
        """Those that were drawn up to ``step``: an earlier life may have left some of later ones."""
        found = self._previews.glob("step-*/*.png")
        return {path for path in found if (drawn := step_of(path.parent.name)) is not None and drawn <= step}

    def _show(self, step: int, name: str, path: Path) -> None:
        self._each(step, lambda tracker: tracker.picture(step, name, path))

    def end(self) -> None:
        """Close every tracker."""
        state = "finished" if self._finished else "stopped"
        self._each(0, lambda tracker: tracker.end(state))

    def _each(self, step: int, tell: Callable[[Tracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                tell(tracker)
            except Exception as error:  # noqa: BLE001 - foreign code beside a training that may have run for hours
                self._trackers.remove(tracker)
                kind = type(tracker).__name__
                self._warn(Warned(step, "tracker", f"{kind} failed and is left out: {type(error).__name__}: {error}"))
