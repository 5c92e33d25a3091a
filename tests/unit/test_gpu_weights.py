"""Weights that lie on a GPU are written one after the other, to the bytes that safetensors writes."""

from __future__ import annotations

import errno
import os
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from boothlab.errors import NoSpace
from boothlab.models import weights
from boothlab.models.weights import save_tensors
from boothlab.training import checkpoint


class Elsewhere(Tensor):
    """Stands for a tensor on a GPU: says so, and counts the bytes of its copies in main memory that are alive."""

    alive = 0
    most = 0

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("cuda")

    def cpu(self, *given: Any, **named: Any) -> Tensor:
        made = self.as_subclass(Tensor).clone()
        Elsewhere.alive += made.nbytes
        Elsewhere.most = max(Elsewhere.most, Elsewhere.alive)
        weakref.finalize(made.untyped_storage(), Elsewhere.forget, made.nbytes)
        return made

    def to(self, *given: Any, **named: Any) -> Tensor:
        return self.cpu()

    @staticmethod
    def forget(size: int) -> None:
        Elsewhere.alive -= size


@pytest.fixture(autouse=True)
def nothing_copied() -> None:
    Elsewhere.alive = Elsewhere.most = 0


def state() -> dict[str, Tensor]:
    """All number formats, no numbers, one number, several axes, names beyond ASCII and out of order."""
    generator = torch.Generator().manual_seed(0)
    kinds = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16)
    small = (torch.int8, torch.uint8, torch.bool)
    made = {f"z/{kind}": torch.randn(3, 5, generator=generator).to(kind) for kind in (*kinds, *small)}
    many = {f"parameter/{k}": torch.randn(40, 25, generator=generator) for k in (2, 10, 1)}
    return {"optimizer/step": torch.tensor(7.0), "a/é": torch.ones(2), "none": torch.empty(0, 4), **many, **made}


def on_gpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.as_subclass(Elsewhere) for name, tensor in tensors.items()}


def test_the_bytes_are_those_of_safetensors_own_writer(tmp_path: Path) -> None:
    save_file(state(), tmp_path / "theirs", {"format": "pt"})
    save_tensors(tmp_path / "ours", on_gpu(state()))
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    read = load_file(tmp_path / "ours")
    assert all(torch.equal(read[name], tensor) for name, tensor in state().items())
    assert (tmp_path / "ours").stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    old = os.umask(0)
    os.umask(old)
    return old


def test_a_checkpoint_of_a_gpu_takes_main_memory_for_one_tensor_at_a_time(tmp_path: Path) -> None:
    tensors = state()
    checkpoint.save(tmp_path, 3, on_gpu(tensors), keep=1)
    assert 0 < Elsewhere.most == max(tensor.nbytes for tensor in tensors.values())
    assert Elsewhere.alive == 0
    found = checkpoint.newest(tmp_path, lambda path: pytest.fail(f"{path} is damaged"))
    assert found is not None
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in tensors.items())


def test_a_full_disk_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any) -> Tensor:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Elsewhere, "cpu", full)
    with pytest.raises(NoSpace, match="write state"):
        save_tensors(tmp_path / "state", on_gpu(state()))


def test_what_lies_in_main_memory_is_left_to_safetensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    monkeypatch.setattr(weights, "save_file", lambda tensors, path, notes: written.append(path))
    save_tensors(tmp_path / "file", state())
    assert written == [tmp_path / "file"]
