"""Finding, naming and sizing a base model without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from boothlab.errors import PlanError
from boothlab.home import cache
from boothlab.models import locate as room
from boothlab.models.config import Base
from boothlab.models.locate import base_size, device_kind, fingerprint

SPY = """
import sys
from boothlab.models.config import Base
from boothlab.models.locate import base_size, fingerprint
from boothlab.models.tokens import load_tokenizer, split
base = Base(model=sys.argv[1])
print(base_size(base), fingerprint(base), len(split(load_tokenizer(base), "hello")))
print([name for name in ("torch", "transformers", "diffusers", "peft") if name in sys.modules])
"""


def test_nothing_heavy_is_loaded(tiny_sd: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SPY, str(tiny_sd)], capture_output=True, text=True, check=True)
    first, heavy = done.stdout.splitlines()
    assert heavy == "[]"
    assert first == f"64 {fingerprint(Base(model=str(tiny_sd)))} 1"
    assert base_size(Base(model=str(tiny_sd))) == 64


def model_of_small_files(folder: Path) -> Base:
    for part in room.PARTS:
        (folder / part).mkdir(parents=True)
        (folder / part / "x.safetensors").write_bytes(part.encode())
    return Base(model=str(folder))


def test_the_fingerprint_is_remembered_and_follows_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = model_of_small_files(tmp_path / "m")
    first = fingerprint(base)
    room._fingerprint.cache_clear()
    monkeypatch.setattr(room, "folder_listing", lambda path: pytest.fail("hashed again"))
    assert fingerprint(base) == first
    monkeypatch.undo()
    (tmp_path / "m" / "unet" / "x.safetensors").write_bytes(b"other")
    assert fingerprint(base) != first


def test_a_file_swapped_with_its_old_date_is_noticed(tmp_path: Path) -> None:
    base = model_of_small_files(tmp_path / "m")
    first, file = fingerprint(base), tmp_path / "m" / "unet" / "x.safetensors"
    date = file.stat().st_mtime_ns
    file.write_bytes(b"UNET")
    os.utime(file, ns=(date, date))
    assert fingerprint(base) != first


def test_a_look_into_the_folder_makes_no_other_model(tmp_path: Path) -> None:
    """File browsers leave files wherever somebody looks; a run of this base would have to begin again."""
    base = model_of_small_files(tmp_path / "m")
    first = fingerprint(base)
    for name in (".DS_Store", "unet/.DS_Store", "vae/Thumbs.db", "tokenizer/desktop.ini"):
        (tmp_path / "m" / name).write_bytes(b"x")
    assert fingerprint(base) == first


@pytest.mark.parametrize("damage", ["{", "[]", json.dumps({"format": 1})])
def test_a_damaged_memory_is_made_again(damage: str, tmp_path: Path, own_home: Path) -> None:
    base = model_of_small_files(tmp_path / "m")
    first = fingerprint(base)
    (kept,) = cache("fingerprints").iterdir()
    kept.write_text(damage)
    room._fingerprint.cache_clear()
    assert fingerprint(base) == first
    assert json.loads(kept.read_text())["fingerprint"] == first


def test_the_device_is_the_one_torch_would_choose() -> None:
    import torch

    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert device_kind("auto") == expected
    assert device_kind("cpu") == "cpu"


@pytest.mark.skipif(room.shows_a_gpu(), reason="there may be a GPU here")
def test_a_gpu_that_is_not_there_is_said() -> None:
    with pytest.raises(PlanError, match="base.device is 'cuda', but this machine has none"):
        device_kind("cuda")
