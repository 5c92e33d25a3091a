"""`check` says everything that it can see at once, whatever one mistake hides."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from boothlab.api.checking import plan_to_check
from boothlab.errors import NoWeights, PhotoError, PlanError
from boothlab.plan import load_plan
from photos_made import photo_folder

PLAN = """
name = "ada"
[[subjects]]
name = "ada"
photos = "nope"
[base]
model = "models/sd"
[strategy]
kind = "lorra"
learnin_rate = 1e-3
"""


def written(folder: Path, text: str) -> Path:
    (folder / "ada.toml").write_text(text)
    return folder / "ada.toml"


def lines(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(PlanError) as caught:
        plan_to_check(path, overrides)
    assert caught.value.exit_code == 2
    first, *rest = caught.value.message.splitlines()
    assert first == f"{path} has {len(rest)} problems:"
    return [line.removeprefix("  - ") for line in rest]


def test_a_misspelt_kind_hides_nothing_and_what_is_missing_is_said_beside_it(tmp_path: Path) -> None:
    kind, setting, base, photos = lines(written(tmp_path, PLAN))
    assert kind == "strategy.kind: 'lorra' is not one of dreambooth, lora, mean (did you mean 'lora'?)"
    assert setting == "strategy.learnin_rate: unknown setting (did you mean 'learning_rate'?)"
    assert base.startswith("The base model models/sd is not on this machine")
    assert photos.startswith(f"The photo folder {tmp_path / 'nope'} does not exist.")


def test_of_a_right_plan_all_that_is_missing_is_said(tmp_path: Path) -> None:
    right = PLAN.replace("lorra", "lora").replace("learnin", "learning")
    base, photos = lines(written(tmp_path, right))
    assert base.startswith("The base model")
    assert photos.startswith("The photo folder")


def test_a_subject_that_cannot_be_read_does_not_hide_the_base_model(tmp_path: Path) -> None:
    right = PLAN.replace("lorra", "lora").replace("learnin", "learning")
    wrong, base = lines(written(tmp_path, right), "subjects.0.identifer=sks")
    assert wrong == "subjects.0.identifer: unknown setting (did you mean 'identifier'?)"
    assert base.startswith("The base model")


def test_a_base_model_on_the_command_line_is_meant_from_here(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`train` took it from the current folder, and `check` from the plan's."""
    photo_folder(tmp_path / "plans" / "photos", 3)
    text = PLAN.replace("lorra", "lora").replace("learnin", "learning").replace("nope", "photos")
    plan = written(tmp_path / "plans", text)
    shutil.copytree(tiny_sd, tmp_path / "here" / "models" / "sd")
    monkeypatch.chdir(tmp_path / "here")
    checked = plan_to_check(plan, ["base.model=models/sd"])
    assert checked.base.model == load_plan(plan, ["base.model=models/sd"]).base.model
    assert Path(checked.base.model).samefile(tmp_path / "here" / "models" / "sd")


def test_a_single_thing_that_is_missing_is_raised_as_it_is(tmp_path: Path) -> None:
    right = written(tmp_path, PLAN.replace("lorra", "lora").replace("learnin", "learning"))
    with pytest.raises(PhotoError, match="does not exist"):
        plan_to_check(right, ["base.model=toon"])
    (tmp_path / "nope").mkdir()
    with pytest.raises(NoWeights, match="models/sd"):
        plan_to_check(right)
    assert plan_to_check(right, ["base.model=toon"]).subjects[0].photos == tmp_path / "nope"


def test_an_empty_place_is_no_folder(tmp_path: Path) -> None:
    """It is the current folder to Python: the plan's own, with whatever pictures lie there."""
    right = PLAN.replace("lorra", "lora").replace("learnin", "learning")
    wrong, base = lines(written(tmp_path, right), 'subjects.0.photos=""')
    assert wrong == "subjects.0.photos: it is empty; name a folder of photos (given: '')"
    assert base.startswith("The base model")
