"""`rate` and `fetch` through the real command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from boothlab.api.rating import fetch_weights
from boothlab.errors import NoWeights, PlanError
from boothlab.home import home
from command_line import boothlab
from photos_made import photo_folder

PLAN = """
name = "ada"
[[subjects]]
name = "ada"
photos = "photos"
[base]
model = "{model}"
[strategy]
kind = "dreambooth"
[objective]
prior_preservation = false
[training]
steps = 2
snapshots = [1]
threads = 1
[generation]
steps = 1
[evaluation]
prompts = ["a photo of {{it}} smiling", "a portrait of {{it}}"]
bare = 0
unrelated = []
"""


def test_people_choose_and_their_answers_are_read(tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 3)
    (tmp_path / "ada.toml").write_text(PLAN.format(model=tiny_sd))
    where = {"home": tmp_path / "home", "cwd": tmp_path}
    run = boothlab("train", "ada.toml", **where).stdout.strip()
    made = boothlab("rate", run, "--out", "page", **where)
    assert made.returncode == 0, made.stderr
    page = (tmp_path / "page" / "rating.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "step-000001" not in page, "the page gives away whose pictures they are"
    key = json.loads((tmp_path / "page" / "rating-key.json").read_text())
    assert set(key["sources"]) == {"step-000001", "step-000002"}
    assert len(key["trials"]) == 4
    (tmp_path / "answers.json").write_text('{"kind": "something else"}')
    bad = boothlab("rate", run, "--out", "page", "--read", "answers.json", **where)
    assert bad.returncode == 1
    assert bad.stderr.count("\n") <= 3
    assert "answers.json" in bad.stderr


@pytest.mark.parametrize(
    ("what", "problem"), [("inseption", "nothing called 'inseption'"), ("clip", "nothing is downloaded")]
)
def test_what_cannot_be_fetched_is_said(what: str, problem: str) -> None:
    with pytest.raises(PlanError, match=problem):
        fetch_weights(what, None)


def test_a_model_folder_is_kept_without_its_pickles(tmp_path: Path) -> None:
    source = tmp_path / "dino"
    source.mkdir()
    (source / "config.json").write_text("{}")
    (source / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(NoWeights, match="model.safetensors"):
        fetch_weights("dino", source)
    assert not (home() / "weights").exists()
    save_file({"a": np.zeros(2, np.float32)}, source / "model.safetensors")
    kept = fetch_weights("dino", source)
    assert sorted(path.name for path in kept.iterdir()) == ["config.json", "model.safetensors"]
    assert kept.parent == home() / "weights"
