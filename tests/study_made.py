"""Studies on the tiny model: their files, and small made points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from boothlab.config.show import to_toml
from boothlab.statistics.intervals import t_interval
from boothlab.studies.points import LIKENESS, PROMPT, Point
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
