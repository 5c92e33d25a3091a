"""A longer run goes on from a shorter one, and is the same as one trained from the start."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from boothlab import api
from boothlab.api.pictures import plan_of
from boothlab.api.resolving import resolve, run_of
from boothlab.api.studies.sharing import branch
from boothlab.errors import Cancelled
from boothlab.files import folder_listing, read_json, write_json
from boothlab.plan import RunPlan, plan_from
from boothlab.runs.events import Event, Extended, SnapshotSaved, Stepped, Validated, Warned
from boothlab.runs.provenance import versions
from boothlab.runs.run import Run


def plan(tiny_sd: Path, photos: Path, **training: Any) -> RunPlan:
    """A short run without class images."""
    tree = {
        "name": "ada",
        "subjects": [{"name": "ada", "photos": str(photos)}],
        "base": {"model": str(tiny_sd)},
        "strategy": {"kind": "dreambooth", "learning_rate": 1e-3},
        "objective": {"prior_preservation": False},
        "training": {"threads": 1, "checkpoint_every": 2, "snapshot_precision": "fp32", **training},
    }
    return plan_from(tree, "test")


def losses(run: Run) -> list[tuple[int, float]]:
    """(step, loss) of the history that counts."""
    return [(event.step, event.loss) for event in run.events() if isinstance(event, Stepped)]


@pytest.fixture
def long_run(tiny_sd: Path, photos: Path, tmp_path: Path) -> Run:
    """Eight steps from the start, in a folder where there is nothing to take over."""
    return api.train(plan(tiny_sd, photos, steps=8, snapshots=[3, 5]), tmp_path / "alone")


def test_extended_run_equals_one_from_the_start(tiny_sd: Path, photos: Path, tmp_path: Path, long_run: Run) -> None:
    api.train(plan(tiny_sd, photos, steps=5, snapshots=[3]), tmp_path / "runs")
    run = api.train(plan(tiny_sd, photos, steps=8, snapshots=[3, 5]), tmp_path / "runs")
    assert [(e.step, e.source[:3]) for e in run.events() if isinstance(e, Extended)] == [(5, "ada")]
    assert losses(run) == losses(long_run)
    assert [e.step for e in run.events() if isinstance(e, SnapshotSaved)] == [3, 5, 8]
    assert folder_listing(run.snapshots) == folder_listing(long_run.snapshots)


def test_a_snapshot_that_the_shorter_run_did_not_keep_is_made(
    tiny_sd: Path, photos: Path, tmp_path: Path, long_run: Run
) -> None:
    api.train(plan(tiny_sd, photos, steps=6, keep_checkpoints=9), tmp_path / "runs")
    run = api.train(plan(tiny_sd, photos, steps=8, snapshots=[3, 5]), tmp_path / "runs")
    # The shorter run has checkpoints at 2, 4 and 6; only what lies before the snapshot at 3 can be taken over.
    assert [e.step for e in run.events() if isinstance(e, Extended)] == [2]
    assert folder_listing(run.snapshots) == folder_listing(long_run.snapshots)
    assert losses(run) == losses(long_run)


def made_with(run: Run, torch: str | None = None, processor: str | None = None) -> None:
    """Let the run's provenance tell of another machine, or of nothing at all."""
    path = run.path / "provenance.json"
    tree = read_json(path)
    tree["versions"]["torch"] = torch or tree["versions"]["torch"]
    tree["machine"]["processor"] = processor or tree["machine"]["processor"]
    write_json(path, tree if torch or processor else [])


@pytest.mark.parametrize(
    "change", [{"torch": "1.0"}, {"processor": "abacus"}, {}], ids=["torch", "processor", "none"]
)
def test_a_run_of_other_versions_is_no_beginning(
    change: dict[str, Any], tiny_sd: Path, photos: Path, tmp_path: Path
) -> None:
    """What they train is not the same bit for bit, and the longer run's provenance named today's alone."""
    made_with(api.train(plan(tiny_sd, photos, steps=2), tmp_path / "runs"), **change)
    run = api.train(plan(tiny_sd, photos, steps=3), tmp_path / "runs")
    assert not [e for e in run.events() if isinstance(e, Extended)]


def stopped(wanted: RunPlan, root: Path, step: int) -> Run:
    """The run of ``wanted``, stopped after so many steps."""

    def listen(event: Event) -> None:
        if event.step == step:
            raise KeyboardInterrupt

    with pytest.raises(Cancelled):
        api.train(wanted, root, listen=listen)
    (path,) = root.iterdir()
    return Run(path)


def test_going_on_with_other_versions_is_said_and_such_a_run_is_no_beginning(
    tiny_sd: Path, photos: Path, tmp_path: Path
) -> None:
    short = plan(tiny_sd, photos, steps=3)
    made_with(stopped(short, tmp_path / "runs", 1), torch="1.0")
    run = api.train(short, tmp_path / "runs")
    told = [e for e in run.events() if isinstance(e, Warned) and e.code == "versions"]
    assert [e.step for e in told] == [1]
    assert f"torch 1.0 → {versions()['torch']}" in told[0].message
    assert read_json(run.path / "provenance.json")["versions"]["torch"] == "1.0"
    made_with(run, torch=versions()["torch"])  # back to those it began with: what lies between is still of others
    longer = api.train(plan(tiny_sd, photos, steps=4), tmp_path / "runs")
    assert not [e for e in longer.events() if isinstance(e, Extended)]
    # No stem of a study either.
    other = run_of(resolve(plan(tiny_sd, photos, steps=5)), tmp_path / "runs")
    assert branch(other, run, 3, plan_of(other), 5) is None
    assert branch(other, longer, 4, plan_of(other), 5) == 4


def test_a_run_that_starts_over_is_of_todays_versions(tiny_sd: Path, photos: Path, tmp_path: Path) -> None:
    short = plan(tiny_sd, photos, steps=2)
    run = stopped(short, tmp_path / "runs", 1)
    made_with(run, torch="1.0")
    shutil.rmtree(run.checkpoints)
    api.train(short, tmp_path / "runs")
    assert not [e for e in run.events() if isinstance(e, Warned) and e.code == "versions"]
    assert read_json(run.path / "provenance.json")["versions"] == versions()


@pytest.mark.parametrize(
    "change",
    [{"rate": {"kind": "linear"}}, {"seed": 1}, {"batch_size": 2}, {"validation": {"every": 2, "patience": 9}}],
)
def test_runs_that_differ_in_what_matters_are_not_extended(
    tiny_sd: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    from photos_made import photo_folder

    photos = photo_folder(tmp_path / "many", 9)  # some are held out, or patience would be refused
    api.train(plan(tiny_sd, photos, steps=2), tmp_path / "runs")
    run = api.train(plan(tiny_sd, photos, steps=4, **change), tmp_path / "runs")
    assert not [e for e in run.events() if isinstance(e, Extended)]


def test_looks_at_the_held_out_loss_are_taken_over(tiny_sd: Path, photos: Path, tmp_path: Path) -> None:
    look = {"every": 2}
    alone = api.train(plan(tiny_sd, photos, steps=6, validation=look), tmp_path / "alone")
    api.train(plan(tiny_sd, photos, steps=3, validation=look), tmp_path / "runs")
    run = api.train(plan(tiny_sd, photos, steps=6, validation=look), tmp_path / "runs")
    seen = [e for e in run.events() if isinstance(e, Validated)]
    assert [e.step for e in seen] == [0, 2, 4, 6]
    assert seen == [e for e in alone.events() if isinstance(e, Validated)]


def test_a_snapshot_is_looked_at_as_if_the_training_had_ended_there(
    tiny_sd: Path, photos: Path, tmp_path: Path
) -> None:
    look = {"every": 4}
    short = api.train(plan(tiny_sd, photos, steps=3, validation=look), tmp_path / "alone")
    long_run = api.train(plan(tiny_sd, photos, steps=6, snapshots=[3], validation=look), tmp_path / "runs")
    seen = [e for e in long_run.events() if isinstance(e, Validated)]
    assert [e.step for e in seen] == [0, 3, 4, 6]
    assert seen[:2] == [e for e in short.events() if isinstance(e, Validated)]
    longer = api.train(plan(tiny_sd, photos, steps=8, snapshots=[3], validation=look), tmp_path / "runs")
    assert [e.step for e in longer.events() if isinstance(e, Extended)] == [6]
    assert [e.step for e in longer.events() if isinstance(e, Validated)] == [0, 3, 4, 8]


def test_early_stop_keeps_the_weights_of_the_step_it_stopped_at(tiny_sd: Path, tmp_path: Path) -> None:
    from photos_made import photo_folder

    photos = photo_folder(tmp_path / "many", 9)
    # At this rate the held-out loss only rises, so the first look stays the best one.
    tree = plan(tiny_sd, photos, steps=40, validation={"every": 2, "patience": 3}).model_dump(mode="json")
    tree["strategy"]["learning_rate"] = 0.05
    run = api.train(plan_from(tree, "test"), tmp_path / "runs")
    looks = [e for e in run.events() if isinstance(e, Validated)]
    best = min(looks, key=lambda e: e.held_out_loss or 0.0)
    assert run.status().step == best.step + 6 < 40
    assert run.snapshot_steps() == [run.status().step]
    assert load_file(run.snapshots / f"step-{run.status().step:06d}" / "unet" / "diffusion_pytorch_model.safetensors")


def states(run: Run) -> list[str]:
    return sorted(path.name for path in run.checkpoints.glob("*"))


def test_a_run_that_keeps_no_checkpoint_has_one_until_it_is_finished(
    tiny_sd: Path, photos: Path, tmp_path: Path, long_run: Run
) -> None:
    wanted = plan(tiny_sd, photos, steps=8, snapshots=[3, 5], keep_checkpoints=0)
    run = stopped(wanted, tmp_path / "runs", 5)
    assert states(run) == ["step-000005"], "one, though it wrote three"
    run = api.train(wanted, tmp_path / "runs")
    assert states(run) == []
    assert folder_listing(run.snapshots) == folder_listing(long_run.snapshots)
    assert losses(run) == losses(long_run)
    assert (run.status().state, run.status().step) == ("finished", 8)
    longer = api.train(plan(tiny_sd, photos, steps=9, keep_checkpoints=0), tmp_path / "runs")
    assert not [e for e in longer.events() if isinstance(e, Extended)], "there is nothing to go on from"


def test_what_a_kill_left_of_checkpoints_that_are_not_kept_goes_with_the_next_call(
    tiny_sd: Path, photos: Path, tmp_path: Path
) -> None:
    wanted = plan(tiny_sd, photos, steps=2, keep_checkpoints=0)
    run = api.train(wanted, tmp_path / "runs")
    (run.checkpoints / "step-000002").mkdir(parents=True)
    said = read_json(run.path / "status.json")
    api.train(wanted, tmp_path / "runs")
    assert states(run) == []
    assert read_json(run.path / "status.json") == said, "nothing was trained for it"


def test_a_deleted_snapshot_of_a_run_without_checkpoints_is_trained_again(
    tiny_sd: Path, photos: Path, tmp_path: Path, long_run: Run
) -> None:
    wanted = plan(tiny_sd, photos, steps=8, snapshots=[3, 5], keep_checkpoints=0)
    run = api.train(wanted, tmp_path / "runs")
    shutil.rmtree(run.snapshots / "step-000005")
    again = api.train(wanted, tmp_path / "runs")
    assert again.path == run.path
    assert folder_listing(again.snapshots) == folder_listing(long_run.snapshots)
    assert losses(again) == losses(long_run)
    assert states(again) == []
