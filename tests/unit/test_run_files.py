"""A finished run whose base model was replaced or moved, or of which files are missing: told truly, and healed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from boothlab import api
from boothlab.api.pictures import plan_of
from boothlab.api.resolving import photo_sets_of
from boothlab.api.scoring import summary_of
from boothlab.errors import PlanError, RunDamaged
from boothlab.files import folder_listing, read_json
from boothlab.plan import RunPlan, plan_from
from boothlab.runs.run import Run
from photos_made import photo_folder
from tiny import build_tiny_sd


def plan_at(place: Path, model: str = "model") -> RunPlan:
    """A training of four steps with two snapshots."""
    tree = {
        "name": "ada",
        "subjects": [{"name": "ada", "photos": str(place / "photos"), "identifier": "nlwx"}],
        "base": {"model": str(place / model), "device": "cpu"},
        "objective": {"prior_preservation": False},
        "training": {"steps": 4, "snapshots": [2], "checkpoint_every": 2, "threads": 1},
        "generation": {"steps": 1},
        "evaluation": {"prompts": ["a photo of {it}"], "seeds_per_prompt": 1, "bare": 2, "class_pictures": 2},
    }
    return plan_from(tree, "test")


@pytest.fixture(scope="module")
def made(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``model/``, ``photos/`` and ``runs/`` with a trained and scored run; read only."""
    place = tmp_path_factory.mktemp("made")
    shutil.copytree(tiny_sd, place / "model")
    photo_folder(place / "photos", 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOTHLAB_HOME", str(place / "home"))
        api.evaluate(api.train(plan_at(place), place / "runs").path)
    return place


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Run:
    """The run in a place of its own, whose plan names the model and the photos there."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    (path,) = (tmp_path / "runs").iterdir()
    for name in ("plan.json", "plan.toml"):
        (path / name).write_text((path / name).read_text().replace(str(made), str(tmp_path)))
    return Run(path)


def test_a_base_model_that_was_replaced_is_refused_before_anything_is_written(run: Run, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "model")
    build_tiny_sd(tmp_path / "model", seed=1)
    before = folder_listing(run.path)
    for verb in (api.evaluate, api.report, api.rate, lambda path: api.generate(path, ["a photo of {it}"], 1)):
        with pytest.raises(RunDamaged, match="is not the one that"):
            verb(run.path)
    assert folder_listing(run.path) | {".lock": ""} == before | {".lock": ""}


@pytest.mark.parametrize(
    "gone",
    ["snapshots", "snapshots/step-000002/unet", "snapshots/step-000004", "photos/ada/000*", "photos/ada/manifest*"],
)
def test_training_again_puts_back_what_was_deleted(gone: str, run: Run, tmp_path: Path) -> None:
    kept = ("snapshots", "photos")
    before = {name: folder_listing(run.path / name) for name in kept}
    for path in run.path.glob(gone):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert {name: folder_listing(run.path / name) for name in kept if (run.path / name).is_dir()} != before
    api.train(plan_at(tmp_path), tmp_path / "runs")
    assert run.status().state == "finished"
    assert {name: folder_listing(run.path / name) for name in kept} == before


def test_messages_name_what_heals(run: Run) -> None:
    (run.path / "summary.json").unlink()
    with pytest.raises(RunDamaged) as found:
        summary_of(run)
    assert f"boothlab evaluate {run.path}" in found.value.hint
    shutil.rmtree(run.path / "snapshots" / "step-000004" / "unet")
    with pytest.raises(RunDamaged) as found:
        api.generate(run.path, ["a photo of {it}"], 1)
    assert "the command that made the run" in found.value.hint
    next((run.path / "photos" / "ada").glob("000*")).unlink()
    with pytest.raises(RunDamaged) as found:
        photo_sets_of(run, plan_of(run))
    assert "the command that made the run" in found.value.hint


def test_a_base_model_that_was_moved_is_told_to_the_run(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model").rename(tmp_path / "other")
    with pytest.raises(PlanError) as found:
        api.generate(run.path, ["a photo of {it}"], 1)
    assert "--set base.model=NEWPLACE" in found.value.hint
    digest = read_json(run.path / "plan.json")["digest"]
    assert api.train(plan_at(tmp_path, "other"), tmp_path / "runs").path == run.path
    assert read_json(run.path / "plan.json")["digest"] == digest
    assert str(tmp_path / "other") in (run.path / "plan.toml").read_text()
    assert api.generate(run.path, ["a photo of {it}"], 1).pictures
