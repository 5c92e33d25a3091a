"""A GPU's memory runs out: on every kind of GPU, and at every stage, the advice is what helps there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from boothlab import api
from boothlab.cli import main as command_line
from boothlab.errors import NoMemory, NoWeights
from boothlab.models.config import Base
from boothlab.models.load import load
from boothlab.plan import load_plan
from boothlab.runs.run import Run
from boothlab.training import class_images, loop
from training_made import make_place

CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
MPS = RuntimeError("MPS backend out of memory (MPS allocated: 7.64 GiB, max allowed: 9.07 GiB)")
OTHER = RuntimeError("The size of tensor a (4) must match the size of tensor b (3)")

BOTH = pytest.mark.parametrize("error", [CUDA, MPS], ids=["cuda", "mps"])


def raises(error: BaseException) -> Any:
    def broken(*given: Any, **named: Any) -> Any:
        raise error

    return broken


def train(tmp_path: Path, tiny_sd: Path, prior: bool) -> Run:
    return api.train(load_plan(make_place(tmp_path, tiny_sd, prior=prior).path / "ada.toml"), tmp_path / "runs")


def state(tmp_path: Path) -> tuple[str, str]:
    (path,) = (tmp_path / "runs").iterdir()
    status = Run(path).status()
    return status.state, status.reason


@BOTH
def test_a_training_is_told_what_helps_trainings(
    error: BaseException, tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_backward", raises(error))
    with pytest.raises(NoMemory, match="ran out of memory at step 0") as caught:
        train(tmp_path, tiny_sd, prior=False)
    assert "gradient_checkpointing=true" in str(caught.value)
    assert state(tmp_path) == ("failed", "out of GPU memory")


@BOTH
def test_where_class_images_do_not_fit_no_setting_of_the_training_is_advised(
    error: BaseException, tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_images, "sample", raises(error))
    with pytest.raises(NoMemory, match="while class images were drawn, 8 at a time") as caught:
        train(tmp_path, tiny_sd, prior=True)
    assert "objective.class_folder" in str(caught.value)
    assert "gradient_checkpointing" not in str(caught.value)
    assert state(tmp_path) == ("failed", "The GPU ran out of memory while class images were drawn, 8 at a time.")


@BOTH
def test_a_base_model_too_large_is_no_damaged_one(
    error: BaseException, tiny_sd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.Module, "to", raises(error))
    with pytest.raises(NoMemory, match="does not fit into memory"):
        load(Base(model=str(tiny_sd)))
    monkeypatch.setattr(nn.Module, "to", raises(OTHER))
    with pytest.raises(NoWeights, match="must match the size"):
        load(Base(model=str(tiny_sd)))


@BOTH
def test_any_command_says_so_in_one_message(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["boothlab", "evaluate"])
    monkeypatch.setattr(command_line, "app", raises(error))
    assert command_line.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("boothlab: The GPU ran out of memory.")
    assert "Traceback" not in said
