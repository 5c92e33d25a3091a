"""Studies on the tiny model: their files, and small made points."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from boothlab.config.show import to_toml
from boothlab.files import folder_listing
from boothlab.runs.run import Run
from boothlab.statistics.intervals import t_interval
from boothlab.studies.points import LIKENESS, PROMPT, Point
from command_line import start
from photos_made import photo_folder


def base_plan(model: Path | str, photos: Path | str, **training: Any) -> dict[str, Any]:
    """A run plan for the tiny model as a tree: drawn in two steps, scored on two prompts."""
    return {
        "base": {"model": str(model)},
        "subjects": [{"name": "ada", "photos": str(photos), "identifier": "rinn"}],
        "photos": {"domain": "drawings", "screen": {"enabled": False}},
        "strategy": {"kind": "dreambooth", "learning_rate": 1e-3},
        "objective": {"class_images": 4},
        "training": {"checkpoint_every": 2, "threads": 1, "snapshot_precision": "fp32", **training},
        "generation": {"steps": 2},
        "evaluation": {
            "prompts": ["a photo of {it}", "a photo of {it} on a red background"],
            "seeds_per_prompt": 1,
            "bare": 2,
            "class_pictures": 1,
            "unrelated": [],
        },
    }


def write_study(place: Path, model: Path, photos: int = 4, plan: dict[str, Any] | None = None, **study: Any) -> Path:
    """``place/study.toml`` with so many photos beside it; ``study`` holds axes, runs, seeds."""
    if not (place / "photos").is_dir():
        photo_folder(place / "photos", photos, size=(72, 64))
    tree = {"name": "rates", **study, "plan": plan or base_plan(model, "photos")}
    (place / "study.toml").write_text(to_toml(tree))
    return place / "study.toml"


def made_point(
    run: str, values: dict[str, Any], seed: int = 0, likeness: Any = (), prompt: Any = (), **more: Any
) -> Point:
    """A finished point with these values per picture."""
    pictures = {LIKENESS: np.asarray(likeness, float), PROMPT: np.asarray(prompt, float)}
    pictures = {key: found for key, found in pictures.items() if len(found)}
    cells = {key: t_interval(found) for key, found in pictures.items()}
    facts = {"setting": run, "subject": "ada", "folder": "f", "snapshot": "step-000100", "step": 100, "photos": 6}
    facts |= {"state": "done", "word": "good", **more}
    return Point(run=run, seed=seed, values=values, cells=cells, pictures=pictures, **facts)


TABLES = ("table.csv", "pictures.csv", "effects.csv", "choices.json", "table.md", "table.tex")

AXES = {"strategy.learning_rate": [1e-3, 1e-2], "training.steps": [3, 6]}


@dataclass(frozen=True)
class Place:
    """A folder with a study file."""

    path: Path
    options: tuple[str, ...] = ()

    @property
    def study(self) -> Path:
        return self.path / "studies" / "rates"

    def begin(self) -> BaseProcess:
        out, err = self.path / "out.txt", self.path / "err.txt"
        return start("study", "study.toml", *self.options, home=self.path / "home", cwd=self.path, out=out, err=err)

    def finish(self, expected: int = 0) -> None:
        process = self.begin()
        process.join(240)
        assert process.exitcode == expected, (self.path / "err.txt").read_text()

    def result(self) -> dict[str, Any]:
        """Everything that must not depend on what the study went through."""
        runs = [Run(path.parent) for path in sorted(self.study.glob("runs/*/plan.json"))]
        return {
            "tables": {name: (self.study / name).read_bytes() for name in TABLES},
            "weights": {run.name: folder_listing(run.snapshots) for run in runs},
            "states": {run.name: run.status().state for run in runs},
        }

    def kill_when(self, due: Callable[[], bool], how: signal.Signals = signal.SIGKILL) -> int | None:
        """Start it, send ``how`` as soon as ``due``; the exit code, or None when it came to its end before."""
        process = self.begin()
        assert process.pid is not None
        while process.is_alive():
            if due():
                os.kill(process.pid, how)
                process.join(240)
                return process.exitcode
            time.sleep(0.02)
        assert process.exitcode == 0, (self.path / "err.txt").read_text()
        return None


def make(path: Path, model: Path, **study: Any) -> Place:
    write_study(path, model, **{"axes": AXES, **study})
    return Place(path)
