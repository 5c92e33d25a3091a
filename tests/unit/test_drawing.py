"""`generate`: whom, with which snapshots and settings one's own prompts are drawn, and the page that shows it."""

from __future__ import annotations

import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from boothlab import api
from boothlab.errors import PlanError
from boothlab.files import folder_listing, read_json
from boothlab.generation.picture import Picture
from boothlab.plan import plan_from
from boothlab.runs.run import Run
from command_line import boothlab
from photos_made import photo_folder

WALL = "a photo of {it} before a wall"


@pytest.fixture(scope="module")
def trained(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two subjects, two steps, a snapshot after each; read only."""
    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOTHLAB_HOME", str(place / "home"))
        for name in ("ada", "bob"):
            photo_folder(place / name, 3)
        tree = {
            "name": "both",
            "subjects": [
                {"name": name, "photos": str(place / name), "identifier": word, "identifier_alone": name == "bob"}
                for name, word in (("ada", "nlwx"), ("bob", "kilt"))
            ],
            "base": {"model": str(tiny_sd), "device": "cpu"},
            "objective": {"prior_preservation": False},
            "training": {"steps": 2, "snapshots": [1], "threads": 1},
            "strategy": {"kind": "dreambooth", "learning_rate": 0.01},
            "generation": {"steps": 2, "sampler": "ddim", "guidance": 5.0, "batch_size": 3},
        }
        return api.train(plan_from(tree, "test"), place / "runs")


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    shutil.copytree(trained.path, tmp_path / "run")
    return Run(tmp_path / "run")


def pixels(picture: Picture) -> Any:
    return np.array(Image.open(picture.path), int)


def sidecar(picture: Picture) -> dict[str, Any]:
    found: dict[str, Any] = read_json(picture.path.with_suffix(".json"))
    return found


def test_all_snapshots_draw_one_noise_side_by_side(run: Run) -> None:
    drawn = api.generate(run.path, [WALL, "a drawing of {it}"], 2, ["all"])
    folders = [picture.path.parent.name for picture in drawn.pictures]
    assert folders == [name for name in ("base", "step-000001", "step-000002") for _ in range(2)] * 2
    told = [picture.prompt for picture in drawn.pictures]
    assert told[:4] == ["a photo of a person before a wall"] * 2 + ["a photo of nlwx person before a wall"] * 2
    seeds = [picture.seed for picture in drawn.pictures]
    assert seeds[:2] == seeds[2:4] == seeds[4:6]
    assert len(set(seeds)) == 4
    assert np.abs(pixels(drawn.pictures[2]) - pixels(drawn.pictures[4])).max() > 0, "another snapshot"
    page = drawn.page.read_text(encoding="utf-8")
    assert drawn.page == run.images / "prompts" / "pictures.html"
    links = re.findall(r'<img src="([^"]+)"', page)
    assert [drawn.page.parent / link for link in links] == [picture.path for picture in drawn.pictures]
    assert re.findall(r'scope="row">([^<]+)', page) == ["base model", "step 1", "step 2"] * 2
    assert "ddim, 2 sampling steps · guidance 5" in page
    assert "<h1>run: ada</h1>" in page


def test_the_last_snapshot_is_meant_where_none_is_named_and_each_is_drawn_once(run: Run) -> None:
    (last,) = api.generate(run.path, [WALL], 1).pictures
    assert last.path.parent.name == "step-000002"
    twice = api.generate(run.path, [WALL, WALL], 1, ["2", "base", "step-000002"]).pictures
    assert [picture.path.parent.name for picture in twice] == ["step-000002", "base"]
    with pytest.raises(PlanError, match=r"has no snapshot 7\.\n  It has base, step-000001, step-000002"):
        api.generate(run.path, [WALL], 1, ["base", "7"])


def test_the_other_subject_is_drawn_from_the_same_noise(run: Run) -> None:
    (ada,) = api.generate(run.path, [WALL], 1).pictures
    bob = api.generate(run.path, [WALL], 1, subject="bob")
    assert bob.pictures[0].prompt == "a photo of kilt before a wall", "bob's identifier stands alone"
    assert bob.pictures[0].seed == ada.seed
    assert "<h1>run: bob</h1>" in bob.page.read_text()
    with pytest.raises(PlanError, match=r"has not learned 'eve'\.\n  It has learned ada, bob\."):
        api.generate(run.path, [WALL], 1, subject="eve")


def test_other_settings_lie_beside_the_plans_and_say_what_they_are(run: Run) -> None:
    (plain,) = api.generate(run.path, [WALL], 1).pictures
    before, drawn_before = folder_listing(run.images), folder_listing(plain.path.parent)
    same = api.generate(run.path, [WALL], 1, overrides=["generation.guidance=5", "generation.sampler=ddim"])
    assert same.pictures == (plain,), "the plan's own settings, said once more"
    assert folder_listing(run.images) == before
    (other,) = api.generate(run.path, [WALL], 1, overrides=["generation.guidance=1.5", "generation.steps=3"]).pictures
    assert other.path != plain.path
    assert {**sidecar(other)["generation"], "batch_size": 0} == {
        **sidecar(plain)["generation"],
        **{"guidance": 1.5, "steps": 3, "batch_size": 0},
    }
    assert np.abs(pixels(plain) - pixels(other)).max() > 0
    assert folder_listing(plain.path.parent).items() >= drawn_before.items()


def test_pictures_are_steered_away_from_a_negative_prompt(run: Run) -> None:
    (plain,) = api.generate(run.path, [WALL], 1).pictures
    steered = api.generate(run.path, [WALL], 1, negative="a wall, <b>blurred</b>")
    (picture,) = steered.pictures
    assert sidecar(picture)["negative"] == "a wall, <b>blurred</b>"
    assert "negative" not in sidecar(plain), "what was drawn before there were any is not drawn again"
    assert np.abs(pixels(plain) - pixels(picture)).max() > 0
    page = steered.page.read_text()
    assert "steered away from: a wall, <b>blurred</b>" in unescape(page)
    assert "<b>" not in page
    with pytest.raises(PlanError, match="guidance 1 is none"):
        api.generate(run.path, [WALL], 1, negative="a wall", overrides=["generation.guidance=1"])


def test_a_negative_prompt_may_name_the_subject_as_prompts_do(run: Run) -> None:
    (picture,) = api.generate(run.path, [WALL], 1, negative="{it} with a hat").pictures
    assert sidecar(picture)["negative"] == "nlwx person with a hat"
    (base,) = api.generate(run.path, [WALL], 1, "base", negative="{it} with a hat").pictures
    assert sidecar(base)["negative"] == "A person with a hat"
    assert base.path.parent.name == "base", "one name alone is no list of letters"
    for negative, message in (("{hat}", r"--negative: '\{hat\}' says \{hat\}"), ("\udcff", "not UTF-8")):
        with pytest.raises(PlanError, match=message):
            api.generate(run.path, [WALL], 1, negative=negative)
    for prompts, seeds in (([], 1), ([WALL], 0)):
        with pytest.raises(PlanError, match="Nothing is asked for"):
            api.generate(run.path, prompts, seeds)


def test_what_is_there_is_not_drawn_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = api.generate(run.path, [WALL], 2, ["all"], negative="blue")

    def none(*given: Any) -> Any:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("boothlab.api.drawing.snapshot_model", none)
    told: list[tuple[str, int, int]] = []
    again = api.generate(run.path, [WALL], 2, ["all"], lambda *one: told.append(one), negative="blue")
    assert again == first
    assert told[-1][1:] == (6, 6)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_the_command_line_says_what_is_wrong_and_where_to_look(run: Run, tmp_path: Path) -> None:
    def said(*options: str) -> Any:
        return boothlab("generate", run.path, "--prompt", WALL, "--seeds", "1", *options, home=tmp_path, cwd=tmp_path)

    changed = ("--set", "generation.steps=1", "--set", "generation.sampler=dpm++")
    found = said(*changed, "--snapshot", "1", "--negative", "blue")
    assert found.returncode == 0, found.stderr
    path, last = found.stdout.splitlines()
    assert sidecar(Picture(Path(path), "", 0))["generation"]["sampler"] == "dpm++"
    assert last.startswith("Look at ")
    for options, message in (
        (("--set", "generation.guidance=nan"), "guidance"),
        (("--set", "generation.steps=0"), "steps"),
        (("--set", "generation.sampler=euler"), "sampler"),
        (("--set", "generation=5"), "--set generation: only what stands under generation"),
        (("--set", "training.steps=5"), "--set training.steps: only what stands under generation"),
        (("--subject", "eve"), "It has learned ada, bob."),
    ):
        wrong = said(*options)
        assert wrong.returncode == 2
        assert message in wrong.stderr
        assert "Traceback" not in wrong.stderr
