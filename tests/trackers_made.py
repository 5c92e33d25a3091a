"""A stand-in for MLflow that knows only the documented calls, and keeps files on the disk as MLflow does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import url2pathname


@dataclass
class Told:
    """What one MLflow run holds."""

    params: dict[str, str] = field(default_factory=dict)
    metrics: list[tuple[str, float, int]] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    status: str = "RUNNING"


class FakeMlflow:
    """The library; ``before_run`` is called where a store has an experiment and no run yet."""

    def __init__(self, before_run: Callable[[], None] = lambda: None) -> None:
        self.stores: list[Told] = []
        self.made: set[Path] = set()
        self.before_run = before_run
        self.entities = SimpleNamespace(Metric=lambda key, value, timestamp, step: (key, value, step))
        self.tracking = SimpleNamespace(MlflowClient=self.client)

    def client(self, tracking_uri: str) -> FakeClient:
        """A client of the store at ``tracking_uri``."""
        assert tracking_uri.startswith("file:///")
        store = Path(url2pathname(tracking_uri.removeprefix("file://")))
        if store not in self.made:
            (store / ".trash").mkdir(parents=True, exist_ok=True)
        self.made.add(store)
        return FakeClient(self, store)


class FakeClient:
    """MLflow's documented client calls."""

    def __init__(self, library: FakeMlflow, store: Path) -> None:
        self._library = library
        self._store = store

    def create_experiment(self, name: str) -> str:
        """Refuses a name that the store knows."""
        if not (self._store / ".trash").is_dir():  # made once by a process
            raise RuntimeError(f"'{self._store}' does not exist.")
        if (self._store / name).exists():
            raise RuntimeError(f"Experiment '{name}' already exists.")
        (self._store / name).mkdir()
        return name

    def create_run(self, experiment_id: str, run_name: str) -> Any:
        """A run, whose artifacts lie in the store."""
        self._library.before_run()
        (self._store / experiment_id / run_name).mkdir()
        self._library.stores.append(Told())
        return SimpleNamespace(info=SimpleNamespace(run_id=f"{experiment_id}/{run_name}"))

    def log_param(self, run_id: str, key: str, value: str) -> None:
        """One parameter."""
        self._library.stores[-1].params[key] = value

    def log_batch(self, run_id: str, metrics: list[tuple[str, float, int]]) -> None:
        """Points of curves."""
        self._library.stores[-1].metrics += metrics

    def log_artifact(self, run_id: str, local_path: str, artifact_path: str) -> None:
        """A file; one of the same name is written over."""
        place = self._store / run_id / artifact_path
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(local_path, place)
        self._library.stores[-1].artifacts.append(f"{artifact_path}/{Path(local_path).name}")

    def set_terminated(self, run_id: str, status: str) -> None:
        """How it ended."""
        assert (self._store / run_id).is_dir()
        self._library.stores[-1].status = status
