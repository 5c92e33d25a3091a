"""MLflow with a store of files on this disk; docs/how-to/watch-a-training.md says how to open it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boothlab.runs.run import step_name
from boothlab.tracking.tracker import Tracker, emptied, import_library

LONGEST = 6000
"""Characters that MLflow keeps of a parameter's value."""


def require() -> Any:
    """The library. Raises PlanError where it is missing.

    MLflow wants a database by now; files need no server and no other package, so they are asked for.
    """
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    return import_library("mlflow", "mlflow")


def open_tracker(folder: Path, run: str, plan: Mapping[str, Any]) -> Tracker:
    """The one MLflow run of a store of its own."""
    return MlFlow(folder, run, plan)


class MlFlow:
    """Metrics, parameters, previews as artifacts; through ``MlflowClient``, so that no global state is touched."""

    def __init__(self, folder: Path, run: str, plan: Mapping[str, Any]) -> None:
        self._library = require()
        store = (emptied(folder) / "store").resolve()
        # A process makes these once for every place of a store, and it may be the one of an earlier life.
        (store / ".trash").mkdir(parents=True)
        self._client = self._library.tracking.MlflowClient(tracking_uri=store.as_uri())
        self._run = str(self._client.create_run(self._client.create_experiment("boothlab"), run_name=run).info.run_id)
        for name, value in plan.items():
            self._client.log_param(self._run, name, str(value)[:LONGEST])

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One point per curve; all in one call, which reads the run's state once."""
        metric, now = self._library.entities.Metric, int(time.time() * 1000)
        self._client.log_batch(self._run, metrics=[metric(name, values[name], now, step) for name in values])

    def picture(self, step: int, name: str, path: Path) -> None:
        """One artifact."""
        self._client.log_artifact(self._run, str(path), f"previews/{step_name(step)}")

    def end(self, state: str) -> None:
        """Close the run."""
        self._client.set_terminated(self._run, status="FINISHED" if state == "finished" else "KILLED")
