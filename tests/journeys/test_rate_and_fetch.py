"""`rate` and `fetch` through the real command line."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from boothlab.api.rating import fetch_weights
from boothlab.errors import NoWeights, PlanError
from boothlab.evaluation.vectors import Embedder, known_by
from boothlab.features import dino
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


@pytest.fixture
def small_dino(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a user has it, of another size, which is taken for the right one here."""
    from transformers import ViTConfig, ViTModel

    size = {"hidden_size": 24, "num_hidden_layers": 2, "patch_size": 16}
    monkeypatch.setattr(dino, "VIT_S_16", size)
    model = ViTModel(ViTConfig(**size, num_attention_heads=2, intermediate_size=32), add_pooling_layer=False)
    model.save_pretrained(tmp_path / "dino")
    return tmp_path / "dino"


def test_a_model_folder_is_kept_without_its_pickles(small_dino: Path) -> None:
    whole = small_dino / "model.safetensors"
    (small_dino / "pytorch_model.bin").write_bytes(b"pickle")
    weights = whole.read_bytes()
    whole.unlink()
    with pytest.raises(NoWeights, match="needs config.json and model.safetensors"):
        fetch_weights("dino", small_dino)
    assert not (home() / "weights").exists()
    whole.write_bytes(weights)
    kept = fetch_weights("dino", small_dino)
    assert sorted(path.name for path in kept.iterdir()) == ["config.json", "model.safetensors"]
    assert kept.parent == home() / "weights"
    assert dino.extract([np.zeros((32, 32, 3), np.uint8)]).shape == (1, 24)


def other_weights(folder: Path) -> None:
    """Another model of as many bytes and of the same date."""
    file = folder / "model.safetensors"
    date = file.stat().st_mtime_ns
    save_file({name: 0.5 * tensor - 0.01 for name, tensor in load_file(file).items()}, file, {"format": "pt"})
    os.utime(file, ns=(date, date))


def test_vectors_of_weights_that_were_replaced_are_not_kept_as_those_of_the_new(
    small_dino: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)

    def looked() -> tuple[str, Any]:
        looking = Embedder(dino.DINO, tmp_path / "features")
        row = looking.look([picture], ["a"])
        looking.keep()
        return known_by(dino.DINO), row

    fetch_weights("dino", small_dino)
    name, row = looked()
    looking = Embedder(dino.DINO, tmp_path / "features")
    other_weights(small_dino)
    fetch_weights("dino", small_dino)
    with pytest.raises(NoWeights, match="were exchanged"):
        looking.look([picture[::-1]], ["b"])
    again, other = looked()
    assert again != name
    assert not np.allclose(row, other, atol=1e-3)
    monkeypatch.setattr(dino, "_model", dino.load)  # as in a new process
    np.testing.assert_array_equal(other, dino.extract([picture]))


@pytest.mark.parametrize("case", ["cut short", "no tensors", "one less", "another size", "no config"])
def test_a_model_folder_that_cannot_be_used_is_not_kept(small_dino: Path, case: str) -> None:
    """transformers fills what a file lacks with random numbers, and scores would look like scores."""
    fetch_weights("dino", small_dino)
    before = sorted((path.name, path.read_bytes()) for path in dino.folder().iterdir())
    whole, config = small_dino / "model.safetensors", small_dino / "config.json"
    said = "cannot be read"
    if case == "cut short":
        whole.write_bytes(whole.read_bytes()[:-100])
    elif case == "no tensors":
        save_file({"a": np.zeros(2, np.float32)}, whole)
        said = "lacks 38 of its tensors"
    elif case == "one less":
        tensors = load_file(whole)
        del tensors["layernorm.bias"]
        save_file(tensors, whole)
        said = r"lacks 1 of its tensors \(layernorm.bias"
    elif case == "another size":
        config.write_text(config.read_text().replace('"patch_size": 16', '"patch_size": 8'))
        said = "is not DINO ViT-S/16"
    else:
        config.write_text("[" * 9999)
        said = "is not DINO ViT-S/16"
    with pytest.raises(NoWeights, match=said):
        fetch_weights("dino", small_dino)
    assert sorted((path.name, path.read_bytes()) for path in dino.folder().iterdir()) == before
    assert [path.name for path in dino.folder().parent.iterdir()] == ["dino"]
