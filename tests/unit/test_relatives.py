"""What a run takes over from others of the same training: what it would draw itself, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boothlab.api import relatives
from boothlab.api.relatives import take_drawn
from boothlab.files import write_bytes, write_json
from boothlab.plan import RunPlan, plan_from
from boothlab.runs.run import Run, step_name
from study_made import base_plan

DRAWN = ["base/ada", "fresh/step-000002/ada", "step-000002/ada"]


@pytest.fixture(autouse=True)
def weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots hold what their step says."""
    monkeypatch.setattr(relatives, "weights_hash", lambda run, plan, name: f"weights of {name}")


def plan(**evaluation: Any) -> RunPlan:
    tree = base_plan("toon", "photos")
    tree["evaluation"] |= evaluation
    return plan_from(tree, "test")


def made(root: Path, name: str, steps: tuple[int, ...], own: RunPlan, trunk: str | None = "t") -> Run:
    """A run folder with empty snapshots."""
    run = Run(root / name)
    write_json(run.path / "plan.json", {"format": 1, "trunk": trunk, "plan": own.model_dump(mode="json")})
    for step in steps:
        (run.snapshots / step_name(step)).mkdir(parents=True)
    return run


def scored(run: Run, weights: str = "weights of {}") -> Run:
    """The run with a picture of each snapshot, one of them fresh too, one of the base model, and vectors."""
    for source in ("base", "fresh/step-000002", *map(step_name, run.snapshot_steps())):
        place = run.images / source / "ada"
        write_bytes(place / "bare-000.png", source.encode())
        write_json(place / "bare-000.json", {"weights": weights.format(source.rpartition("/")[2])})
    write_bytes(run.path / "features" / "colour-1.npz", run.name.encode())
    write_json(run.path / "summary.json", {"format": 1})
    return run


def taken(run: Run) -> list[str]:
    return sorted(str(path.parent.relative_to(run.images)) for path in run.images.rglob("*.png"))


def test_pictures_of_the_same_weights_are_taken_with_their_vectors(tmp_path: Path) -> None:
    """Of two relatives, the vectors of the one that has more of the pictures."""
    scored(made(tmp_path, "a", (9,), plan()))
    scored(made(tmp_path, "b", (2, 5), plan()))
    run = made(tmp_path, "c", (2, 4), plan())
    take_drawn(run, plan())
    assert taken(run) == DRAWN
    assert (run.images / "step-000002" / "ada" / "bare-000.json").is_file()
    assert (run.path / "features" / "colour-1.npz").read_bytes() == b"b"


def test_pictures_of_other_weights_are_not(tmp_path: Path) -> None:
    """As where another version of the code trained the same plan: the base model's are the same ones still."""
    scored(made(tmp_path, "a", (2,), plan()), "other weights of {}")
    run = made(tmp_path, "b", (2,), plan())
    take_drawn(run, plan())
    assert taken(run) == ["base/ada"]


def test_nothing_is_taken_from_who_is_no_relative(tmp_path: Path) -> None:
    scored(made(tmp_path, "another training", (2,), plan(), trunk="u"))
    scored(made(tmp_path, "asked otherwise", (2,), plan(bare=3)))
    unscored = scored(made(tmp_path, "not scored to its end", (2,), plan()))
    (unscored.path / "summary.json").unlink()
    run = made(tmp_path, "b", (2,), plan())
    take_drawn(run, plan())
    assert taken(run) == []
    alone = made(tmp_path, "rate looks ahead", (2,), plan(), trunk=None)
    scored(made(tmp_path, "as well", (2,), plan(), trunk=None))
    take_drawn(alone, plan())
    assert taken(alone) == []


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    scored(made(tmp_path, "a", (2,), plan()))
    run = made(tmp_path, "b", (2, 4), plan())
    write_bytes(run.images / "step-000002" / "ada" / "bare-001.png", b"half of them")
    take_drawn(run, plan())
    assert [path.name for path in (run.images / "step-000002" / "ada").iterdir()] == ["bare-001.png"]
