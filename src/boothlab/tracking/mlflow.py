"""MLflow with a store of files on this disk: ``mlflow ui --backend-store-uri RUN/tracking/mlflow/store`` shows it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boothlab.files import read_json, write_json
from boothlab.tracking.tracker import Tracker, import_library

LONGEST = 500
"""Characters that MLflow keeps of a parameter's value."""

MOST = 100
"""Parameters that MLflow takes in one call."""


def require() -> Any:
    """The library. Raises PlanError where it is missing.

    MLflow wants a database by now; files need no server and no other package, so they are asked for.
    """
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    return import_library("mlflow", "mlflow")


def open_tracker(folder: Path, run: str, plan: Mapping[str, Any], step: int) -> Tracker:
    """The MLflow run that belongs to this run folder; the same one again after a resume."""
    return MlFlow(folder, run, plan)


class MlFlow:
    """Metrics, parameters, previews as artifacts; through ``MlflowClient``, so that no global state is touched."""

    def __init__(self, folder: Path, run: str, plan: Mapping[str, Any]) -> None:
        self._client = require().tracking.MlflowClient(tracking_uri=(folder / "store").resolve().as_uri())
        kept = folder / "run.json"
        if kept.is_file():
            self._run = str(read_json(kept)["id"])
            self._client.set_terminated(self._run, status="RUNNING")
            return
        place = (folder / "artifacts").resolve().as_uri()
        experiment = self._client.create_experiment("boothlab", artifact_location=place)
        self._run = str(self._client.create_run(experiment, run_name=run).info.run_id)
        for name, value in list(plan.items())[:MOST]:
            self._client.log_param(self._run, name, str(value)[:LONGEST])
        write_json(kept, {"format": 1, "id": self._run})

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One point per curve."""
        for name, value in values.items():
            self._client.log_metric(self._run, name, value, step=step)

    def picture(self, step: int, name: str, path: Path) -> None:
        """One artifact."""
        self._client.log_artifact(self._run, str(path), f"previews/step-{step:06d}")

    def end(self, state: str) -> None:
        """Close the run."""
        self._client.set_terminated(self._run, status="FINISHED" if state == "finished" else "KILLED")
