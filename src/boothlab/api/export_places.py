"""Where exports of a run went: `export` notes it, `forget` reads it. (Torch-free.)"""

from __future__ import annotations

from pathlib import Path

from boothlab.errors import BoothlabError
from boothlab.files import read_json, write_json
from boothlab.runs.run import Run

MARK = "export.json"
"""Says that a folder was made by `export`, so that it may be replaced by another export."""

PLACES = "exports.json"
"""File of a run folder: where exports went."""


def remember(run: Run, to: Path) -> None:
    """Note in the run folder where an export of it went."""
    places = exports_of(run)
    if to.resolve() not in places:
        write_json(run.path / PLACES, {"format": 1, "places": [str(path) for path in (*places, to.resolve())]})


def exports_of(run: Run) -> list[Path]:
    """Where exports of this run went, whether they are still there or not."""
    path = run.path / PLACES
    return [Path(place) for place in read_json(path)["places"]] if path.is_file() else []


def is_export_of(path: Path, run: Run) -> bool:
    """Whether ``path`` holds an export of ``run`` and not something else by now."""
    try:
        return bool(read_json(path / MARK)["run"] == run.name)
    except (BoothlabError, KeyError, TypeError):
        return False
