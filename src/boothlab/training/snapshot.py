"""How a snapshot comes to stand in a run folder: whole or not at all, and told of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from boothlab.files import new_folder, write_json
from boothlab.runs.events import SnapshotSaved
from boothlab.runs.run import step_name


def save(folder: Path, step: int, export: Callable[[Path], None]) -> SnapshotSaved:
    """The snapshot of ``step`` below ``folder``, a run's snapshots, with the weights that ``export`` writes; one that
    is there already is the same bit for bit, and stays."""
    path = folder / step_name(step)
    if not path.is_dir():
        with new_folder(path) as temporary:
            export(temporary)
            write_json(temporary / "snapshot.json", {"format": 1, "step": step})
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return SnapshotSaved(step, name=path.name, size=size)
