"""The demo's plan on the built-in model and on others."""

from __future__ import annotations

from pathlib import Path

import pytest

from boothlab.api.demonstration import demo_plan
from boothlab.errors import PhotoError, PlanError
from boothlab.models.config import Base
from boothlab.photos.config import Photos, Screen
from boothlab.photos.folder import list_folder
from boothlab.preparing.prepare import prepare
from photos_made import photo_folder


def test_another_base_has_snapshots_along_a_length_that_follows_from_the_photos(tmp_path: Path) -> None:
    photo_folder(tmp_path / "ada", 7)
    (tmp_path / "ada" / "captions.csv").write_text("file,caption\n")
    plan = demo_plan(tmp_path / "ada", "woman", Base(model="some/model"))
    assert (plan.training.steps, plan.training.snapshots) == (700, (231, 469))
    assert (plan.strategy.learning_rate, plan.training.batch_size) == (2e-6, 1)
    assert (plan.subjects[0].class_noun, plan.subjects[0].description) == ("woman", None)


def test_whose_demo_it_is_is_said_by_the_folder(tmp_path: Path) -> None:
    for name in ("ada", "Bob & Co"):
        photo_folder(tmp_path / name, 7)
    names = [
        demo_plan(tmp_path / name, "person", Base(model="toon")).subjects[0].name for name in ("ada", "Bob & Co")
    ]
    assert names == ["ada", "Bob-Co"]


def test_what_is_held_out_is_not_counted(tmp_path: Path) -> None:
    """Of thirteen photos three are held out; a prepared set says itself what is trained on, and holds other files."""
    photo_folder(tmp_path / "ada", 13)
    assert demo_plan(tmp_path / "ada", "woman", Base(model="some/model")).training.steps == 1000
    photo_folder(tmp_path / "few", 9, size=(72, 64))
    settings = Photos(domain="drawings", screen=Screen(enabled=False), framing="letterbox")
    made = prepare(tmp_path / "few", tmp_path / "set", settings, 64)
    assert len(list_folder(made.path).photos) > 9, "masks and a contact sheet"
    assert demo_plan(made.path, "woman", Base(model="some/model")).training.steps == 600
    sample = demo_plan(None, "person", Base(model="some/model"))
    assert sample.training.steps == 1300, "the sample has other photos to be held out"


def test_of_the_sample_photos_it_is_known_what_they_show() -> None:
    with pytest.raises(PlanError, match="sample photos are of a person"):
        demo_plan(None, "dog", Base(model="toon"))


def test_ones_own_subject_may_be_described_and_the_sample_is_already(tmp_path: Path) -> None:
    photo_folder(tmp_path / "ada", 4)
    told = demo_plan(tmp_path / "ada", "woman", Base(model="toon"), "a woman with a red quiff")
    assert told.subjects[0].description == "a woman with a red quiff"
    assert "teal long hair" in (demo_plan(None, "person", Base(model="toon")).subjects[0].description or "")
    with pytest.raises(PlanError, match="have their own description"):
        demo_plan(None, "person", Base(model="toon"), "a woman with a red quiff")


def test_on_the_built_in_model_there_are_four_snapshots_and_looks_at_each() -> None:
    training = demo_plan(None, "person", Base(model="toon")).training
    assert training.snapshot_steps(training.steps or 0) == (120, 180, 240, 300)
    assert training.validation.every is not None


def test_fresh_noise_at_every_step_is_for_the_built_in_model(tmp_path: Path) -> None:
    """docs/decisions/044; another base is drawn as its users know it."""
    photo_folder(tmp_path / "ada", 4)
    assert demo_plan(None, "person", Base(model="toon")).generation.sampler == "dpm++sde"
    assert demo_plan(tmp_path / "ada", "woman", Base(model="some/model")).generation.sampler == "dpm++"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="nobody"):
        demo_plan(tmp_path / "nobody", "person", Base(model="some/model"))


def test_its_places_mean_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo_folder(tmp_path / "ada", 4)
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    plan = demo_plan(Path("ada"), "woman", Base(model="model"))
    assert plan.subjects[0].photos == tmp_path / "ada"
    assert plan.base.model == str(tmp_path / "model")
