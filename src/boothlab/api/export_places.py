"""Where exports and rating pages of a run went: `export` and `rate` note it, `forget` reads it. (Torch-free.)"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from boothlab.errors import BoothlabError
from boothlab.files import damaged, read_json, read_table, write_json
from boothlab.runs.run import Run, folder_name

MARK = "export.json"
"""Says that a folder was made by `export`, so that it may be replaced by another export."""

PLACES = "exports.json"
"""File of a run folder: where exports and rating pages went."""

RATING = ("rating.html", "rating-key.json")
"""What `rate` writes into a folder that may hold other things too; the second names the run."""


def remember(run: Run, to: Path) -> None:
    """Note in the run folder where an export or a rating page of it went."""
    places = exports_of(run)
    if to.resolve() not in places:
        write_json(run.path / PLACES, {"format": 1, "places": [str(path) for path in (*places, to.resolve())]})


def exports_of(run: Run) -> list[Path]:
    """Where exports and rating pages of this run went, whether they are still there or not."""
    path = run.path / PLACES
    if not path.is_file():
        return []
    places = read_table(path).get("places")
    if not isinstance(places, list) or not all(isinstance(place, str) for place in places):
        raise damaged(path, "places is no list of folders")
    return [Path(place) for place in places]


def is_export(path: Path) -> bool:
    """Whether ``path`` was made by `export`; other programs call their files ``export.json`` too."""
    try:
        tree = read_json(path / MARK)
    except BoothlabError:
        return False
    return isinstance(tree, dict) and tree.keys() >= {"format", "run", "snapshot", "kind"}


def is_export_of(path: Path, run: Run) -> bool:
    """Whether ``path`` holds an export of ``run`` and not something else by now."""
    return _names(path / MARK, run)


def is_rating_of(path: Path, run: Run) -> bool:
    """Whether ``path`` holds a rating page of ``run`` and not another's by now."""
    return _names(path / RATING[1], run)


def names_of(run: Run) -> set[str]:
    """What a run's folder is called, and was when the run was made: exports and pages go on saying the latter."""
    names = {run.name}
    with suppress(BoothlabError, KeyError, TypeError):
        tree = read_json(run.path / "plan.json")
        names.add(folder_name(str(tree["plan"]["name"]), str(tree["digest"])))
    return names


def _names(file: Path, run: Run) -> bool:
    try:
        return read_json(file)["run"] in names_of(run)
    except (BoothlabError, KeyError, TypeError):
        return False
