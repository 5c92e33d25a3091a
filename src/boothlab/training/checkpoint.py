"""Resumable states on disk: written atomically, verified by hash, the newest whole one wins."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from boothlab.errors import RunDamaged
from boothlab.files import new_folder, read_json, sha256_file, write_json
from boothlab.models.weights import load_tensors, save_tensors
from boothlab.runs.run import step_name, step_of

FORMAT = 1
STATE = "state.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Everything that a resume needs besides the plan: tensors by name at a step."""

    step: int
    tensors: dict[str, Tensor]


def save(folder: Path, step: int, tensors: Mapping[str, Tensor], keep: int) -> None:
    """Write ``folder/step-NNNNNN`` unless it is there and whole; then drop all but the newest ``keep``, 1 or more.

    Later ones go too: a training that comes to ``step`` found none of them whole, and a damaged one that stayed would
    be kept in the place of this one.
    """
    path = folder / step_name(step)
    if not (path.is_dir() and is_whole(path)):
        with new_folder(path) as temporary:
            save_tensors(temporary / STATE, dict(tensors))
            digest = sha256_file(temporary / STATE)
            write_json(temporary / "checkpoint.json", {"format": FORMAT, "step": step, "sha256": digest})
    found = _candidates(folder)
    void = [later for later in found if _step(later) > step]
    for old in (*void, *found[: len(found) - len(void)][:-keep]):
        shutil.rmtree(old, ignore_errors=True)


def _candidates(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, whole or not, by step: beyond a million steps names do not sort like numbers."""
    found = [path for path in folder.glob("step-*") if step_of(path.name) is not None] if folder.is_dir() else []
    return sorted(found, key=_step)


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def is_whole(path: Path) -> bool:
    """Whether the checkpoint's bytes are those that were written, at the step that its name says."""
    try:
        about = read_json(path / "checkpoint.json")
        return bool(about["step"] == _step(path) and about["sha256"] == sha256_file(path / STATE))
    except (RunDamaged, KeyError, TypeError, OSError):
        return False


def steps_in(folder: Path) -> list[int]:
    """Steps of the checkpoints in ``folder``, ascending, whole or not."""
    return [_step(path) for path in _candidates(folder)]


def adopt(source: Path, folder: Path, step: int) -> int | None:
    """Copy the checkpoint of ``step`` from another run's folder; None when it is damaged or just being deleted."""
    path = source / step_name(step)
    try:
        if not is_whole(path):
            return None
        with new_folder(folder / path.name) as temporary:
            shutil.copytree(path, temporary, dirs_exist_ok=True)
    except (FileNotFoundError, shutil.Error):
        return None
    return step


def newest(folder: Path, skipped: Callable[[Path], None]) -> Checkpoint | None:
    """The newest checkpoint that is whole; ``skipped`` is told of damaged ones before it. None if there is none."""
    for path in reversed(_candidates(folder)):
        if is_whole(path):
            return Checkpoint(_step(path), load_tensors(path / STATE))
        skipped(path)
    return None
