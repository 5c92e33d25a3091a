"""Traps D12–D14 of other trainers: names that collide, paths of Windows, lists turned around."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from boothlab.config.show import to_toml
from boothlab.errors import PhotoError
from boothlab.photos.config import Photos
from boothlab.photos.photoset import read_set
from boothlab.plan import load_plan, plan_from
from boothlab.preparing.prepare import prepare

WINDOWS = r"C:\Users\ada\new photos\table"
"""With \\U, \\n and \\t in it: escapes that a careless writer of TOML turns into something else."""


def test_d13_paths_of_windows_go_there_and_back() -> None:
    plan = plan_from({"subjects": [{"name": "ada", "photos": WINDOWS}]}, "test")
    tree = plan.model_dump(mode="json")
    assert tomllib.loads(to_toml(tree))["subjects"][0]["photos"] == tree["subjects"][0]["photos"] == WINDOWS


def test_d13_a_plan_may_say_them_in_single_quotes(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(f"[[subjects]]\nname = 'ada'\nphotos = '{WINDOWS}'\n", encoding="utf-8")
    assert str(load_plan(tmp_path / "plan.toml").subjects[0].photos).endswith(WINDOWS)


def test_d13_hub_names_keep_their_slash() -> None:
    plan = plan_from(
        {
            "subjects": [{"name": "a", "photos": "p"}],
            "base": {"model": "stable-diffusion-v1-5/stable-diffusion-v1-5"},
        },
        "test",
    )
    assert plan.base.model == "stable-diffusion-v1-5/stable-diffusion-v1-5"


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """Photos whose colour is their number, two of them with one stem."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(6):
        pixels = random.integers(0, 60, (96, 96, 3)).astype(np.uint8) + np.uint8(30 * index)
        Image.fromarray(pixels).save(folder / f"p{index}.png")
        (folder / f"p{index}.txt").write_text(f"{{it}} number {index}")
    Image.fromarray(np.full((96, 96, 3), (200, 30, 30), np.uint8)).save(folder / "p0.jpg")
    return folder


def test_d14_words_numbers_and_pixels_stay_with_their_photo(numbered: Path, tmp_path: Path) -> None:
    settings = Photos(domain="photographs", screen={"enabled": False}, exclude=("*.jpg",))  # type: ignore[arg-type]
    prepare(numbered, tmp_path / "set", settings, 32)
    found = read_set(tmp_path / "set")
    assert [photo.name for photo in found.photos] == [f"p{k}.png" for k in range(6)]
    for index, photo in enumerate(found.photos):
        assert photo.caption == f"{{it}} number {index}"
        assert abs(float(photo.pixels.mean()) - (30 * index + 29.5)) < 3
        assert photo.seen["size"] == [96, 96]


def test_d12_two_files_of_one_stem_are_two_photos(numbered: Path, tmp_path: Path) -> None:
    settings = Photos(domain="photographs", screen={"enabled": False})  # type: ignore[arg-type]
    with pytest.raises(PhotoError, match=r"p0\.txt could belong to p0\.jpg and p0\.png"):
        prepare(numbered, tmp_path / "set", settings, 32)
    assert not (tmp_path / "set").exists()
    (numbered / "p0.txt").rename(numbered / "p0.png.txt")
    prepare(numbered, tmp_path / "set", settings, 32)
    found = {photo.name: photo for photo in read_set(tmp_path / "set").photos}
    assert {"p0.png", "p0.jpg"} <= found.keys()
    assert found["p0.png"].caption == "{it} number 0"
    assert found["p0.jpg"].caption is None
    assert abs(float(found["p0.jpg"].pixels[..., 0].mean()) - 200) < 3
    assert abs(float(found["p0.png"].pixels.mean()) - 29.5) < 3
