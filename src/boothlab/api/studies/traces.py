"""Whose photos lie in a study's folder: written down before the first of them comes there, and found by `forget`.

A study holds copies of photos from its first `check` on and encodings of them from its first training on, long before
it has a page. (Torch-free.)
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from boothlab.config.show import to_toml
from boothlab.errors import BoothlabError
from boothlab.files import TEMPORARY_MARK, all_below, each_once, read_json, sha256_file, write_json
from boothlab.photos.read import find_photos

MARK = "study.json"
"""Says that a folder is a study's, and of whom there is or was something in it."""

HELD_OUT = "held-out"
"""Folder of the study with the pools, one folder per subject."""

SELECTIONS = "photos"
"""Folder of the study with the photos that runs train on, where these are not whole folders of the user's."""

ENCODED = "encoded"
"""Folder of the study with latents of photos and embeddings of prompts, which all its trainings share."""

COMPARED = "compared.json"
"""File of the study with comparisons that its next page need not make again; deleting it costs time alone."""

PAIRS = ".pairs"
"""Folder of the study with what comparisons need of pairs of runs, until all runs are there."""

LOCK = ".lock"
"""File of the study by which one process at a time works on it."""

TABLES = ("table", "pictures", "effects", "subjects", "subject_differences", "carried", "rivals", "trials")
"""Every table that some study has."""

FILES = frozenset(
    [MARK, COMPARED, LOCK, "report.html", "choices.json", "outcomes.json", "trials.json", "table.tex"]
    + [f"{name}.{kind}" for name in TABLES for kind in ("csv", "parquet", "md")]
)
"""The files that a study writes into its folder, but for its copy of the study's file."""

SELECTION = re.compile(r"(.+)-[0-9a-f]{8}")
"""The name of a selection: its subject's, and a part of the hash of what is in it."""

Copies = Mapping[str, Sequence[Path]]
"""Subject → folders with copies of its photos."""


def mark(place: Path, names: Collection[str]) -> None:
    """Write down that ``place`` is a study's folder and who is in it. Who was there before stays named: what was
    made of a subject does not go when the study's file names it no more."""
    known = marked(place)
    if not known >= set(names):
        write_json(place / MARK, {"format": 1, "subjects": sorted(known | set(names))})


def marked(place: Path) -> set[str]:
    """The subjects that are written down in a study's folder; none where it has no mark, or a damaged one."""
    try:
        return set(map(str, read_json(place / MARK)["subjects"]))
    except (BoothlabError, KeyError, TypeError):
        return set()


def study_folders(root: Path) -> list[Path]:
    """Every folder below ``root`` that is a study's, also where a link leads to it."""
    names = (MARK, "study.toml", HELD_OUT, ENCODED)
    return each_once({path.parent for path in all_below(root) if path.name in names and is_study_folder(path.parent)})


def is_study_folder(place: Path) -> bool:
    """Whether ``place`` has a mark, or, from before there were marks, things side by side that only studies make.

    One name proves nothing: a folder may hold somebody's own study file, or photos that somebody holds out, and what
    is taken for a study's folder is removed.
    """
    if marked(place):
        return True
    reported = all((place / name).is_file() for name in ("study.toml", "effects.csv", "choices.json"))
    began = any((place / ENCODED).glob("*/**/*.safetensors")) and (place / "runs").is_dir()
    checked = any(len({path.parent.name for path in folders}) == 2 for folders in copies(place).values())
    return reported or began or checked


def copies(place: Path) -> Copies:
    """The copies of photos in a study's folder, unfinished ones too."""
    found: dict[str, list[Path]] = {}
    for path in sorted([*(place / HELD_OUT).glob("*"), *(place / SELECTIONS).glob("*")]):
        name = path.name.partition(TEMPORARY_MARK)[0]
        selection = SELECTION.fullmatch(name)
        if path.parent.name == SELECTIONS:
            name = "" if selection is None else selection[1]
        if name and path.is_dir():
            found.setdefault(name, []).append(path)
    return found


def written(place: Path) -> list[Path]:
    """What boothlab wrote into a study's folder, but for its runs; the user may keep other things there."""
    files = [path for path in place.iterdir() if path.is_file() and path.name.partition(TEMPORARY_MARK)[0] in FILES]
    own = [path for path in (place / "study.toml",) if is_copy(path)]
    folders = [path for found in copies(place).values() for path in found]
    return [*files, *own, *folders, *(path for path in (place / ENCODED, place / PAIRS) if path.is_dir())]


def is_copy(file: Path) -> bool:
    """Whether a study's file is the copy beside its page: it says where its paths start, and nothing by hand."""
    try:
        text = file.read_text(encoding="utf-8")
        tree = tomllib.loads(text)
        return {"folder", "plan"} <= tree.keys() and to_toml(tree) == text
    except (OSError, ValueError, RecursionError):
        return False


def hashes_in(folders: Collection[Path]) -> set[str]:
    """SHA-256 of the photos in these folders."""
    return {sha256_file(photo) for folder in folders if folder.is_dir() for photo in find_photos(folder)[0]}
