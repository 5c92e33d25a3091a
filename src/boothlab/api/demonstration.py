"""`demo`: photos → report on the built-in model, with the photos that ship."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from boothlab.api.reporting import report_run
from boothlab.api.resolving import resolve
from boothlab.api.scoring import evaluate_run
from boothlab.api.trainer import train_run
from boothlab.assets import asset
from boothlab.errors import NoWeights
from boothlab.plan import RunPlan, plan_from
from boothlab.progress import Progress, silent
from boothlab.runs.events import Event

SUBJECT = "mira"


def demo_plan() -> RunPlan:
    """The demo's plan; raises NoWeights when the sample photos are not installed."""
    photos = asset("samples", SUBJECT, "photos")
    if not photos.is_dir():
        raise NoWeights(f"The sample photos {SUBJECT} are not in this installation.", "Install boothlab again.")
    return plan_from(
        {
            "name": "demo",
            "subjects": [{"name": SUBJECT, "photos": str(photos), "class_noun": "person"}],
            "strategy": {"kind": "dreambooth", "learning_rate": 2e-4},
            "objective": {"class_images": 32},
            "training": {"steps": 300, "snapshots": [100, 200], "checkpoint_every": 50, "validation": {"every": 50}},
            "generation": {"steps": 20, "guidance": 4.0, "batch_size": 10},
        },
        "the demo's plan",
    )


def run_demo(out: Path, progress: Progress = silent, listen: Callable[[Event], None] = lambda event: None) -> Path:
    """Train, draw, score, report; what is there already is not done again."""
    run = train_run(resolve(demo_plan(), progress), out / "runs", progress, listen)
    evaluate_run(run, progress)
    return report_run(run, progress)
