"""Runs of a study whose weights are the mean of others': what they hold, what they are beside, what they wait for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from boothlab import api
from boothlab.api.studies.reading import points_of, trunk_run
from boothlab.api.studies.resolving import Study
from boothlab.errors import PlanError
from boothlab.plan import load_plan
from boothlab.runs.events import Averaged, Stepped
from boothlab.runs.run import Run
from command_line import boothlab
from study_made import base_plan, write_study

WAYS = [
    {"kind": "dreambooth", "learning_rate": 1e-3},
    {"kind": "dreambooth", "learning_rate": 5e-4, "text_encoder": True},
]
"""Two ways to learn: one leaves the text encoder as the base model has it."""

BOTH = {"name": "both", "over": ["strategy", "seeds"], "at": {"training.steps": [4]}}


def file_of(place: Path, tiny_sd: Path, **study: Any) -> Path:
    axes = {"strategy": WAYS, "training.steps": [2, 4]}
    plan = base_plan(tiny_sd, "photos")
    return write_study(place, tiny_sd, 6, plan, **{"axes": axes, "seeds": [0, 1], "means": [BOTH], **study})


def told(place: Path) -> None:
    """The command, in the folder of the study."""
    found = boothlab("study", "study.toml", "--studies", "studies", home=place / "home", cwd=place)
    assert found.returncode == 0, found.stderr


@pytest.fixture(scope="module")
def studied(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Study, Path]]:
    """A study of eight runs in four trainings, and the mean of the four."""
    place = tmp_path_factory.mktemp("means")
    monkey = pytest.MonkeyPatch()
    monkey.setenv("BOOTHLAB_HOME", str(place / "home"))
    file = file_of(place, tiny_sd)
    told(place)
    yield api.check_study(file, place / "studies")[0], place
    monkey.undo()


def of_run(study: Study, name: str) -> Run:
    return trunk_run(study, next(trunk for trunk in study.shared.trunks if name in trunk.members))


def weights(run: Run, step: int, part: str, base: Path | None = None) -> Mapping[str, Tensor]:
    """A part of a snapshot; where that does not hold it, the base model's."""
    place = run.snapshots / f"step-{step:06d}" / part
    (file,) = (place if place.is_dir() or base is None else base / part).glob("*.safetensors")
    return {name.removeprefix("text_model."): tensor for name, tensor in load_file(file).items()}


def test_its_weights_are_the_mean_of_every_members(studied: tuple[Study, Path], tiny_sd: Path) -> None:
    study, _ = studied
    mean = of_run(study, "both, steps 4")
    members = study.runs[-1].members
    assert members == tuple(one.name for one in study.runs[:-1] if one.values["training.steps"] == 4)
    assert len(members) == 4
    for part in ("unet", "text_encoder"):
        found = weights(mean, 4, part)
        own = [weights(of_run(study, name), 4, part, tiny_sd) for name in members]
        assert any(not torch.equal(own[0][name], own[-1][name]) for name in found), part
        for name, tensor in found.items():
            expected = torch.stack([one[name].double() for one in own]).mean(0).to(tensor.dtype)
            assert torch.equal(tensor, expected), name


def test_it_takes_no_step_and_is_a_candidate_like_any_other(studied: tuple[Study, Path]) -> None:
    study, place = studied
    assert (study.shared.executes, study.shared.asked) == (16, 24)
    mean = of_run(study, "both, steps 4")
    events = mean.events()
    assert not any(isinstance(event, Stepped) for event in events)
    (made,) = (event for event in events if isinstance(event, Averaged))
    assert made.of.count("/step-000004") == 4
    assert mean.status().state == "finished"
    (point,) = (point for point in points_of(study) if point.folder == mean.name)
    assert (point.run, point.step, point.seed, point.rival) == ("both, steps 4", 4, 0, "")
    assert point.values["training.steps"] == 4
    table = (study.place / "table.csv").read_text()
    assert "both, steps 4" in table
    page = (study.place / "report.html").read_text()
    assert str(place) not in page
    assert mean.name in page


def test_it_is_no_beginning_and_is_known_by_what_it_is_of(studied: tuple[Study, Path]) -> None:
    study, _ = studied
    mean = of_run(study, "both, steps 4")
    tree = json.loads((mean.path / "plan.json").read_text())
    assert tree["trunk"] is None
    provenance = json.loads((mean.path / "provenance.json").read_text())
    assert set(provenance["inputs"]) == {"base", "photos/ada", "mean"}


def test_its_own_plan_makes_the_same_run_elsewhere(studied: tuple[Study, Path], tmp_path: Path) -> None:
    study, _ = studied
    mean = of_run(study, "both, steps 4")
    again = api.train(load_plan(mean.path / "plan.toml"), tmp_path / "runs")
    assert again.name == mean.name
    for part in ("unet", "text_encoder"):
        one, other = weights(mean, 4, part), weights(again, 4, part)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_other_words_for_the_subject_are_no_members_of_it(studied: tuple[Study, Path], tmp_path: Path) -> None:
    study, _ = studied
    plan = of_run(study, "both, steps 4").path / "plan.toml"
    word = load_plan(plan).subjects[0].identifier
    for change, said in (
        ("identifier_alone=true", f"is of ada ({word} person), and this plan of ada ({word} person in no prompt)."),
        ("class_noun=owl", f"is of ada ({word} person), and this plan of ada ({word} owl)."),
    ):
        with pytest.raises(PlanError) as caught:
            api.train(load_plan(plan, [f"subjects.0.{change}"]), tmp_path / "runs")
        assert said in caught.value.message
    assert not (tmp_path / "runs").exists()


def test_called_again_nothing_is_made_again(studied: tuple[Study, Path]) -> None:
    study, place = studied
    mean = of_run(study, "both, steps 4")
    before = {path: path.stat().st_mtime_ns for path in mean.path.rglob("*.safetensors")}
    told(place)
    assert {path: path.stat().st_mtime_ns for path in mean.path.rglob("*.safetensors")} == before


def test_a_deleted_snapshot_is_averaged_again(studied: tuple[Study, Path]) -> None:
    study, place = studied
    mean = of_run(study, "both, steps 4")
    before = weights(mean, 4, "unet")
    shutil.rmtree(mean.snapshots / "step-000004")
    told(place)
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(mean, 4, "unet").items())


def test_check_says_what_is_made_of_what(studied: tuple[Study, Path]) -> None:
    study, place = studied
    found = boothlab("check", "study.toml", "--studies", "studies", home=place / "home", cwd=place)
    assert "9 runs, 4 settings × 2 training seeds, and 1 means of weights" in found.stdout
    assert "mean      of the weights of 4 runs → both, steps 4" in found.stdout
    assert "executes 16 of 24 steps (67%), in 4 trainings; 4 of them are done" in found.stdout
    mean = of_run(study, "both, steps 4")
    alone = boothlab("check", mean.path / "plan.toml", home=place / "home", cwd=place).stdout
    assert "training  none: the mean of other runs' weights, as step 4" in alone
    assert "weights   0 of" in alone
    assert "TFLOP" not in alone
    assert f"runs/{mean.name}" in alone


def test_its_page_its_pictures_and_its_export_are_those_of_any_run(
    studied: tuple[Study, Path], tmp_path: Path
) -> None:
    study, place = studied
    mean = of_run(study, "both, steps 4")
    for arguments in (
        ("show", mean.path),
        ("report", mean.path),
        ("generate", mean.path, "--prompt", "a photo of {it}", "--seeds", "1"),
        ("export", mean.path, "--to", tmp_path / "exported"),
    ):
        found = boothlab(*arguments, home=place / "home", cwd=place)
        assert found.returncode == 0, found.stderr
    page = (mean.path / "report.html").read_text(encoding="utf-8")
    assert "not trained: its weights are the mean of" in page
    assert page.count("/step-000004") >= 4
    assert str(place) not in page
    assert (tmp_path / "exported" / "unet").is_dir()
