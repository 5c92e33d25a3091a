"""Studies on the tiny model: their files, and small made points."""

from __future__ import annotations

import re
import shutil
import signal
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from boothlab.config.show import to_toml
from boothlab.files import folder_listing, sha256_bytes
from boothlab.runs.run import Run
from boothlab.statistics.intervals import t_interval
from boothlab.studies.points import LIKENESS, PROMPT, Point
from command_line import start
from killing import Due, ended_when, never
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
    facts = {"setting": run, "subject": "ada", "folder": f"of {run} {seed}", "snapshot": "step-000100", "step": 100}
    facts |= {"photos": 6, "state": "done", "word": "good", **more}
    return Point(run=run, seed=seed, values=values, cells=cells, pictures=pictures, **facts)


RATE = "strategy.learning_rate"


def made_study(means: dict[str, dict[float, float]], seeds: int = 3, **more: Any) -> list[Point]:
    """One run per subject, learning rate and seed, with these mean likenesses over twenty pictures."""
    random = np.random.default_rng(3)
    return [
        made_point(
            f"{subject} {rate} {seed}",
            {"subjects": subject, RATE: rate},
            seed,
            mean + random.normal(0, 0.03, 20),
            0.5 + random.normal(0, 0.03, 20),
            subject=subject,
            **more,
        )
        for subject, rates in means.items()
        for rate, mean in rates.items()
        for seed in range(seeds)
    ]


TIMES = re.compile(rb"about \d+ s at \d[\d.e+-]* s a step")
"""What a study's page tells of how fast it was made."""

AXES = {"strategy.learning_rate": [1e-3, 1e-2], "training.steps": [3, 6]}

SEARCH: dict[str, Any] = {
    "ranges": {"strategy.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}},
    "rungs": [1, 3],
    "steps": "training.steps",
    "trials": 3,
    "reduction": 2,
    "score": "prompt",
}


@dataclass(frozen=True)
class Place:
    """A folder with a study file."""

    path: Path
    options: tuple[str, ...] = ()
    cold: bool = False
    """Whether a life begins with its imports."""

    @property
    def study(self) -> Path:
        return self.path / "studies" / "rates"

    def begin(self) -> BaseProcess:
        out, err, home = (self.path / name for name in ("out.txt", "err.txt", "home"))
        return start("study", "study.toml", *self.options, home=home, cwd=self.path, out=out, err=err, cold=self.cold)

    def finish(self) -> None:
        assert self.kill_when(never) is None

    def result(self) -> dict[str, Any]:
        """Everything that must not depend on what the study went through: its page and all its tables among it."""
        runs = [Run(path.parent) for path in sorted(self.study.glob("runs/*/plan.json"))]
        files = [path for path in sorted(self.study.iterdir()) if path.is_file() and path.name != ".lock"]
        page, timed = TIMES.subn(b"", (self.study / "report.html").read_bytes())
        assert timed
        return {
            "names": [path.name for path in files],
            "tables": {path.name: self._anywhere(path.read_bytes()) for path in files if path.suffix != ".html"},
            "page": sha256_bytes(self._anywhere(page)),
            "weights": {run.name: folder_listing(run.snapshots) for run in runs},
            "states": {run.name: run.status().state for run in runs},
        }

    def _anywhere(self, text: bytes) -> bytes:
        """``text`` as it would be in any other place: it may name the folder where missing weights belong."""
        return text.replace(str(self.path).encode(), b"PLACE")

    def kill_when(self, due: Due, how: signal.Signals = signal.SIGKILL) -> int | None:
        """Start it, send ``how`` as soon as ``due``; the exit code, or None when it came to its end before."""
        process = self.begin()
        if ended_when(process, due, how):
            return process.exitcode
        assert process.exitcode == 0, (self.path / "err.txt").read_text()
        return None

    def wipe(self) -> None:
        """Forget everything, so that the next life is a whole one."""
        for name in ("studies", "home"):
            shutil.rmtree(self.path / name, ignore_errors=True)


def make(path: Path, model: Path, **study: Any) -> Place:
    write_study(path, model, **{"axes": AXES, **study})
    return Place(path)


def make_series(path: Path, model: Path, **study: Any) -> Place:
    """A study built as the shipped ``cyr-toon.toml``: named runs with fixed photos held out for each subject.

    Five are snapshots of one training, one has another rate, one is of two subjects with fewer photos each.
    """
    for first, name in ((0, "ada"), (20, "bob")):
        photo_folder(path / "photos" / name, 4, size=(72, 64), first=first)
        photo_folder(path / "more" / name, 3, size=(72, 64), first=first + 10)
    plan = base_plan(model, "photos/ada", batch_size=2, optimizer={"ema_decay": 0.98}, validation={"every": 4})
    plan["strategy"] |= {"text_encoder": True, "text_encoder_steps": 5}
    ada, bob = ({"name": name, "photos": f"photos/{name}"} for name in ("ada", "bob"))
    runs = [{"name": f"S_{count}", "settings": {"training.steps_per_photo": count}} for count in (1, 2, 3, 4, 5)]
    steep = {"strategy.learning_rate": 1e-2, "training.steps_per_photo": 2}
    mix = {"training.steps_per_photo": 1, "photos.number": 3, "subjects": [ada, bob]}
    runs += [{"name": "S_steep", "settings": steep}, {"name": "S_mix", "settings": mix}]
    more = {
        "runs": runs,
        "held_out": {"ada": "more/ada", "bob": "more/bob"},
        "claims": ["Too many steps overfit."],
        "notes": ["One factor on steps, the same for all runs."],
        "published": {"S_1": {"LPIPS": 0.678}, "S_mix": {"LPIPS": 0.66}},
    }
    write_study(path, model, plan=plan, **more, **study)
    return Place(path, cold=True)
