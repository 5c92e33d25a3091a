"""`forget`: everything of one subject goes, and a search proves it.

A subject is found by its name in run folders and by the hashes of its photos everywhere else. Class images stay: the
base model drew them, they show nobody. The user's own photos are never touched.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from boothlab.api.export_places import RATING, exports_of, is_export_of, is_rating_of
from boothlab.errors import BoothlabError, Cancelled, PlanError, RunBusy, disk_errors
from boothlab.files import is_abandoned, read_json, sha256_file
from boothlab.home import cache, home
from boothlab.photos.photoset import MANIFEST
from boothlab.photos.read import find_photos
from boothlab.runs.run import Run

RUN_NAME = re.compile(r".+-[0-9a-f]{8}")

HASH = re.compile(r"[0-9a-f]{64}")

WEIGHTS = frozenset({".safetensors"})
"""Files of numbers, where any short word turns up by chance; they are searched by their place only."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a subject. ``also`` = run folder → who else is in it; ``own`` = folders left alone.

    ``sets`` = photo sets in the cache, and prepared ones that plans name as their photos; ``ratings`` = folders with
    a page of `rate`, of which nothing else goes. ``studies`` = folders of studies with such a run: their pages,
    tables and photos go, the runs of others stay.
    """

    subject: str
    runs: tuple[Path, ...]
    sets: tuple[Path, ...]
    exports: tuple[Path, ...]
    ratings: tuple[Path, ...]
    studies: tuple[Path, ...]
    also: dict[str, tuple[str, ...]]
    own: tuple[Path, ...]
    hashes: frozenset[str] = field(repr=False)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Everything that is to be removed."""
        return (*self.runs, *self.sets, *self.exports, *self.ratings, *self.studies)


@dataclass(frozen=True, slots=True)
class Removed:
    """A folder that is gone: what was in it, by kind, and its size in bytes."""

    path: Path
    contents: dict[str, int]
    size: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed, what was searched afterwards (files), and where something of the subject still is."""

    found: Found
    removed: tuple[Removed, ...]
    searched: int
    remaining: tuple[str, ...]


def forget_subject(
    subject: str, root: Path, photos: Path | None, confirm: Callable[[Found], bool] = lambda found: True
) -> Forgotten:
    """Remove every trace of ``subject`` below ``root`` and in the shared cache.

    ``photos`` names the subject's own photos where no run knows them any more. Raises PlanError when nothing of the
    subject is here (a misspelt name must not look like success), RunBusy before anything is removed, Cancelled when
    ``confirm`` says no.
    """
    found = look(subject, root, photos)
    if not found.folders:
        names = sorted({name for path in run_folders(root) for name in subjects_of(path)})
        raise PlanError(
            f"There is nothing of {subject!r} below {root} or in the shared cache.",
            f"Subjects there: {', '.join(names) or 'none'}. "
            "For photos that were prepared but never trained on, add --photos FOLDER.",
        )
    locks = lock_all(found.runs)
    try:
        if not confirm(found):
            raise Cancelled("Nothing was removed.")
        removed = tuple(remove(path) for path in (*found.runs, *found.sets, *found.exports))
        removed += tuple(remove(path, beside_rating(path)) for path in found.ratings)
        removed += tuple(remove(path, others_below(path)) for path in found.studies)
    finally:
        for lock in locks:
            lock.release()
    searched, remaining = search(found, (root, home()))
    return Forgotten(found, removed, searched, remaining)


def look(subject: str, root: Path, photos: Path | None = None) -> Found:
    """Find the runs, cached photo sets and exports of ``subject``, and the hashes that betray its photos."""
    everyone = {path: subjects_of(path) for path in run_folders(root)}
    named = [path for path, names in everyone.items() if subject in names]
    own = {photos.absolute()} if photos is not None else set()
    hashes: set[str] = set()
    for path in named:
        hashes |= hashes_of(path / "photos" / subject / MANIFEST)
        own |= {Path(node["photos"]).absolute() for node in nodes_of(path) if node.get("name") == subject}
    # What `prepare` made is a copy, wherever a plan took it from.
    prepared = {path for path in own if (photos is None or path != photos.absolute()) and (path / MANIFEST).is_file()}
    own -= prepared
    for path in prepared:
        hashes |= hashes_of(path / MANIFEST)
    hashes |= {sha256_file(file) for folder in own if folder.is_dir() for file in find_photos(folder)[0]}
    # A photo that was set aside may be somebody else's.
    kept = [sources_of(path / "photos" / subject / MANIFEST, kept_only=True) for path in named]
    evidence = set().union(*kept) or hashes
    # The same photos under another name, or in another selection, are the same person.
    # A set whose making was killed names nobody; it is nobody's loss either.
    sets = [
        path
        for path in folders_of_sets(cache("photo-sets"))
        if is_abandoned(path) or hashes & sources_of(path / MANIFEST)
    ]
    for path in sets:
        hashes |= hashes_of(path / MANIFEST)
    twins = [
        path
        for path in everyone
        if path not in named
        and any(evidence & sources_of(m, kept_only=True) for m in path.glob(f"photos/*/{MANIFEST}"))
    ]
    runs = tuple(sorted([*named, *twins]))
    also = {str(path): tuple(n for n in everyone[path] if n != subject) for path in runs}
    exports = {place for path in runs for place in places_of(path) if is_export_of(place, Run(path))}
    inside = {place for place in exports if any(place.is_relative_to(path.resolve()) for path in runs)}
    ratings = {place for path in runs for place in places_of(path) if is_rating_of(place, Run(path))}
    return Found(
        subject,
        runs,
        tuple(dict.fromkeys([*sets, *sorted(prepared)])),
        tuple(sorted(exports - inside)),
        tuple(sorted(ratings)),
        tuple(path for path in study_folders(root) if any(run.is_relative_to(path) for run in runs)),
        {path: names for path, names in also.items() if names},
        tuple(sorted(own)),
        frozenset(hashes),
    )


def study_folders(root: Path) -> list[Path]:
    """Every folder below ``root`` that holds a study."""
    return sorted(path.parent for path in root.rglob("study.toml"))


def others_below(study: Path) -> frozenset[str]:
    """What of a study's folder stays: its runs, where some are left."""
    return frozenset({"runs"} if run_folders(study) else ())


def beside_rating(folder: Path) -> frozenset[str]:
    """What of a folder with a rating page stays: all else."""
    return frozenset(path.name for path in folder.iterdir()) - set(RATING)


def run_folders(root: Path) -> list[Path]:
    """Every folder below ``root`` that is a run, or was about to become one when its maker was killed."""
    plans = [path for name in ("plan.json", "plan.toml") for path in root.rglob(name)]
    return sorted({path.parent for path in plans if RUN_NAME.fullmatch(path.parent.name)})


def nodes_of(run: Path) -> list[dict[str, Any]]:
    """The subjects of a run's plan as JSON trees, also of a run whose making was interrupted."""
    import tomllib

    try:
        return list(read_json(run / "plan.json")["plan"]["subjects"])
    except (BoothlabError, KeyError, TypeError):
        pass
    try:
        return list(tomllib.loads((run / "plan.toml").read_text(encoding="utf-8"))["subjects"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def subjects_of(run: Path) -> tuple[str, ...]:
    """Names of the subjects in a run: of its plan, or of its photo folders where no plan can be read."""
    names = [str(node.get("name", "")) for node in nodes_of(run)]
    folders = [path.name for path in (run / "photos").glob("*") if path.is_dir()]
    return tuple(dict.fromkeys([*names, *folders]))


def places_of(run: Path) -> list[Path]:
    """Where exports of the run went; none where the note is damaged."""
    try:
        return exports_of(Run(run))
    except (BoothlabError, KeyError, TypeError):
        return []


def folders_of_sets(place: Path) -> list[Path]:
    """The photo sets in a folder, unfinished ones too."""
    return sorted(path for path in place.glob("*") if path.is_dir())


def hashes_of(manifest: Path) -> set[str]:
    """Every SHA-256 that a photo set's manifest names: of sources, of prepared pictures, of the set."""
    try:
        return set(HASH.findall(manifest.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        return set()


def sources_of(manifest: Path, kept_only: bool = False) -> set[str]:
    """SHA-256 of the files that a photo set was made from; without those that were set aside, if asked."""
    try:
        tree = json.loads(manifest.read_text(encoding="utf-8"))
        kept = {str(entry["source_sha256"]) for entry in tree["photos"]}
        return kept if kept_only else (kept | {str(entry["source_hash"]) for entry in tree["rejected"]}) - {""}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def lock_all(runs: tuple[Path, ...]) -> list[FileLock]:
    """Hold every run, so that nobody writes into what is being removed. Raises RunBusy and holds none."""
    held: list[FileLock] = []
    for path in runs:
        lock = FileLock(path / ".lock", timeout=0)
        try:
            with disk_errors(path, f"lock {path}"):
                lock.acquire()
        except Timeout:
            for other in held:
                other.release()
            raise RunBusy(
                f"Another process is working on {path}; nothing was removed.", "Wait for it to end, or stop it."
            ) from None
        held.append(lock)
    return held


def remove(path: Path, keep: frozenset[str] = frozenset()) -> Removed:
    """Delete a folder, but for what is called as in ``keep``.

    What tells whose it is goes last, so that an interrupted removal is found again.
    """
    entries = [entry for entry in path.iterdir() if entry.name not in keep]
    everything = [file for entry in entries for file in (entry, *entry.rglob("*"))]
    files = [file for file in everything if file.is_file() and file.name != ".lock"]
    contents: dict[str, int] = {}
    for file in files:
        parts = file.relative_to(path).parts
        kind = parts[0] if len(parts) > 1 else file.stem
        contents[kind] = contents.get(kind, 0) + 1
    size = sum(file.stat().st_size for file in files)
    last = ("plan.json", "plan.toml", MANIFEST, "export.json", "exports.json", "study.toml")
    with disk_errors(path, f"remove {path}"):
        for entry in sorted(entries, key=lambda entry: last.index(entry.name) if entry.name in last else -1):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
        if not keep:
            shutil.rmtree(path)
    return Removed(path, contents, size)


def search(found: Found, places: tuple[Path, ...]) -> tuple[int, tuple[str, ...]]:
    """Look through every file in ``places`` for the subject's name and the photos' hashes.

    Returns how many files were looked at and, for each that says something, where and what.
    """
    word = re.compile(rf"(?<![^\W_]){re.escape(found.subject)}(?![^\W_])", re.IGNORECASE)
    raw = re.compile(rb"(?<![0-9A-Za-z])" + re.escape(found.subject.encode()) + rb"(?![0-9A-Za-z])", re.IGNORECASE)
    hashes = {value.encode() for value in found.hashes}
    searched, remaining = 0, []
    for path, below in files_in(places, found.own):
        searched += 1
        if word.search(below):
            remaining.append(f"{path}: its name")
        if path.suffix in WEIGHTS:
            continue
        data = path.read_bytes()
        if raw.search(data):
            remaining.append(f"{path}: says the name")
        if any(match in hashes for match in re.findall(rb"[0-9a-f]{64}", data)):
            remaining.append(f"{path}: says the hash of a photo")
        if sha256_file(path) in found.hashes:
            remaining.append(f"{path}: is a photo")
    return searched, tuple(remaining)


def files_in(places: tuple[Path, ...], own: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
    """Every file in ``places`` once, with its path below the place, but for the user's ``own`` folders."""
    seen: set[Path] = set()
    kept_out = [folder.resolve() for folder in own]
    for place in places:
        for path in sorted(place.rglob("*")):
            real = path.resolve()
            if not path.is_file() or real in seen or any(real.is_relative_to(folder) for folder in kept_out):
                continue
            seen.add(real)
            yield path, path.relative_to(place).as_posix()
