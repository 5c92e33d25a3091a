"""A snapshot of a long run is the run trained for just so long, bit for bit (minutes: marked slow)."""

from __future__ import annotations

from pathlib import Path

import pytest

from boothlab import api
from boothlab.files import folder_listing
from boothlab.plan import RunPlan, plan_from

STEPS = (75, 100, 150, 250)


def plan(tiny_sd: Path, photos: Path, steps: int, snapshots: tuple[int, ...]) -> RunPlan:
    """Full fine-tuning with prior preservation at a constant rate."""
    return plan_from(
        {
            "name": f"steps-{steps}",
            "subjects": [{"name": "ada", "photos": str(photos)}],
            "base": {"model": str(tiny_sd)},
            "strategy": {"kind": "dreambooth", "learning_rate": 1e-3},
            "objective": {"class_images": 8},
            "generation": {"steps": 2},
            "training": {
                "steps": steps,
                "snapshots": list(snapshots),
                "snapshot_precision": "fp32",
                "threads": 1,
                "checkpoint_every": 1000,
            },
        },
        "test",
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_snapshots_of_500_steps_are_the_shorter_runs(tiny_sd: Path, photos: Path, tmp_path: Path) -> None:
    long = api.train(plan(tiny_sd, photos, 500, STEPS), tmp_path / "long")
    for steps in STEPS:
        # A root of its own: nothing is there to be extended, so every step is really taken.
        alone = api.train(plan(tiny_sd, photos, steps, ()), tmp_path / f"alone-{steps}")
        name = f"step-{steps:06d}"
        weights = folder_listing(alone.snapshots / name)
        assert len(weights) >= 2
        assert folder_listing(long.snapshots / name) == weights
