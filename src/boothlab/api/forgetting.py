"""`forget`: everything of one subject goes, and a search proves it.

What there is of it, :mod:`boothlab.api.traces` finds. Class images under the plain class prompt stay: the base model
drew them, they show nobody; those under the subject's captions go. The user's own photos are never touched.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from boothlab.api.export_places import RATING
from boothlab.api.studies.traces import MARK, copies, marked, study_folders, written
from boothlab.api.traces import Found, look, run_folders, subjects_of
from boothlab.errors import BoothlabError, Cancelled, PlanError, RunBusy, disk_errors
from boothlab.files import all_below, is_abandoned, is_litter, sha256_bytes
from boothlab.home import home
from boothlab.photos.folder import SUFFIXES, list_folder
from boothlab.photos.photoset import MANIFEST

WEIGHTS = frozenset({".safetensors"})
"""Files of numbers; they are searched by their place only."""

EMBEDDED = re.compile(rb"data:[\w/+.-]+;base64,[\w+/=]+")
"""A picture within a page: packed, so that any short word turns up by chance, as it does in files of pictures."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A folder that is gone: what was in it, by kind, and its size in bytes; ``left`` = what links in it led to and
    is there still, because it may not be the subject's."""

    path: Path
    contents: dict[str, int]
    size: int
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed, what was searched afterwards (files), and where something of the subject still is."""

    found: Found
    removed: tuple[Removed, ...]
    searched: int
    remaining: tuple[str, ...]


def forget_subject(
    subject: str, roots: Sequence[Path], photos: Path | None, confirm: Callable[[Found], bool] = lambda found: True
) -> Forgotten:
    """Remove every trace of ``subject`` below ``roots`` and in the shared cache.

    ``photos`` names the subject's own photos where no run knows them any more. Raises PlanError when nothing of the
    subject is here (a misspelt name must not look like success), RunBusy before anything is removed, Cancelled when
    ``confirm`` says no.
    """
    if photos is not None and not photos.is_dir():
        raise PlanError(f"--photos is {photos}: there is no such folder.", "Give the folder of the subject's photos.")
    roots = apart(roots)
    found = look(subject, roots, photos)
    # What a killed preparation left goes too, but says nothing of whom it was.
    if all(path in found.sets and is_abandoned(path) for path in found.folders):
        searched, remaining = search(found, (*roots, home()))
        said = "".join(f"\n  - {text}" for text in remaining[:MOST_NAMED])
        more = f"\n  - and {len(remaining) - MOST_NAMED} more" if len(remaining) > MOST_NAMED else ""
        where = f"below {' or '.join(map(str, roots))} or in the shared cache"
        raise PlanError(
            f"There is nothing of {subject!r} {where}."
            if not remaining
            else f"There is nothing of {subject!r} {where} that can be removed as a whole, but of {searched} files "
            f"these speak of it:{said}{more}",
            f"Subjects there: {', '.join(everybody(roots)) or 'none'}. "
            "For photos that were prepared but never trained on, add --photos FOLDER."
            + "".join(f" {path} could not be looked through: its plan is damaged." for path in found.damaged),
        )
    locks = lock_all((*found.runs, *found.studies))
    try:
        if not confirm(found):
            raise Cancelled("Nothing was removed.")
        removed, failed = _remove_all(found)
    finally:
        for lock in locks:
            lock.release()
    searched, remaining = search(found, (*roots, home()))
    return Forgotten(found, removed, searched, (*failed, *remaining))


def _remove_all(found: Found) -> tuple[tuple[Removed, ...], tuple[str, ...]]:
    """Remove what was found; what went, and what could not go and why: the one must not hide the other."""
    # Only runs and sets know the captions, so what was made under these goes before them.
    whole = (*found.class_images, *found.runs, *found.sets, *found.exports)
    going: list[tuple[Path, Callable[[Path], list[Path]]]] = [(path, _all_in) for path in whole]
    going += [(path, rating_in) for path in found.ratings] + [(path, written) for path in found.studies]
    removed: list[Removed] = []
    failed: list[str] = []
    for path, within in going:
        try:
            with disk_errors(path, f"remove {path}"):
                removed.append(remove(path, within(path), found.others))
                failed += removed[-1].left
        except (BoothlabError, OSError) as error:
            said = error.message if isinstance(error, BoothlabError) else str(error)
            failed.append(f"{path}: not removed, or only in part. {said}")
    return tuple(removed), tuple(failed)


def _all_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


MOST_NAMED = 10
"""So many files are named that speak of somebody of whom nothing else is there."""


def apart(roots: Sequence[Path]) -> tuple[Path, ...]:
    """The folders without those that lie within another one: what is found twice could not be held."""
    places = {root.resolve(): root for root in roots}
    return tuple(root for place, root in places.items() if places.keys().isdisjoint(place.parents))


def everybody(roots: Sequence[Path]) -> list[str]:
    """Names of all subjects of runs and studies below these folders."""
    found = {name for root in roots for path in run_folders(root) for name in subjects_of(path)}
    return sorted(found.union(*(marked(p) | copies(p).keys() for root in roots for p in study_folders(root))))


def rating_in(folder: Path) -> list[Path]:
    """What of a folder with a rating page goes; all else stays."""
    return [path for path in folder.iterdir() if path.name in RATING]


def lock_all(folders: tuple[Path, ...]) -> list[FileLock]:
    """Hold every run and study, so that nobody writes into what is being removed. Raises RunBusy and holds none."""
    held: list[FileLock] = []
    for path in folders:
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


LAST = (
    *("provenance.json", "plan.toml", MANIFEST, "export.json", "exports.json", "status.json", "plan.json"),
    *("study.toml", MARK, ".lock"),
)
"""What tells whose a folder is goes last, in this order, so that an interrupted removal is found again; after it the
lock that holds off whoever would write into what is left."""


_STEP = r"step-\d{6,}"

MADE = re.compile(
    rf"(snapshots|checkpoints)(/{_STEP}(/[^/.]+)?(/[^/]+\.(safetensors|json))?)?"
    rf"|previews(/{_STEP}(/[^/]+\.(png|json))?)?|features(/[^/]+\.npz)?"
    rf"|images(/(prompts|fresh)|/(base|described|((prompts|fresh)/)?{_STEP})(/[^/.]+)?"
    r"(/([\da-f]+|(bare|class|context|unrelated)(-\d+)+)\.(png|json))?)?"
    r"|images/prompts/pictures\.html"
    r"|photos(/[^/.]+(/(\d{3}-[^/]+\.png|manifest\.json|contact-sheet\.(html|png)|before(/[\da-f]+\.jpg)?))?)?"
    r"|scores\.csv|summary\.json|events\.jsonl|report\.html"
)
"""What boothlab writes into a run, where a link may stand in its place and what that leads to goes with it."""


def remove(path: Path, going: Sequence[Path], keep: Sequence[Path] = ()) -> Removed:
    """Delete what is ``going`` of a folder, but for the folders to ``keep``, and then what is empty by that.

    What a link leads to goes too where nothing is in it but what boothlab made: else the weights would be where they
    were, and nothing would lead there any more.
    """
    there = {folder.resolve() for folder in keep}
    entries = [part for entry in going for part in without(entry, there)]
    linked, left = behind_links(path, entries, there)
    named = [(file, file.relative_to(path).parts) for entry in entries for file in _below(entry)]
    named += [(file, link.relative_to(path).parts) for link, place in linked.items() for file in _below(place)]
    files = [(file, parts) for file, parts in named if file.is_file() and file.name != ".lock"]
    contents: dict[str, int] = {}
    for _, parts in files:
        kind = parts[0] if len(parts) > 1 else Path(parts[0]).stem
        contents[kind] = contents.get(kind, 0) + 1
    size = sum(file.stat().st_size for file, _ in files)
    with disk_errors(path, f"remove {path}"):
        for place in linked.values():
            _delete(place)
        for entry in sorted(entries, key=lambda entry: LAST.index(entry.name) if entry.name in LAST else -1):
            _delete(entry)
    # The runs of a study stand in a folder of it.
    emptied = {path / "runs", *(entry.parent for entry in entries)} - {path}
    for folder in (*sorted(emptied, reverse=True), path.resolve()):
        with contextlib.suppress(OSError):
            folder.rmdir()
    if path.is_symlink() and not path.exists():
        path.unlink()
    return Removed(path, contents, size, left)


def _below(entry: Path) -> list[Path]:
    """``entry`` and all below it, without what links lead to."""
    return [path for path in (entry, *entry.rglob("*")) if not path.is_symlink()] if not entry.is_symlink() else []


def _delete(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)


def behind_links(
    path: Path, entries: Sequence[Path], keep: Collection[Path]
) -> tuple[dict[Path, Path], tuple[str, ...]]:
    """Link → the place outside ``path`` that it leads to, where that goes too; and what does not go, in words.

    It goes where all that is in it is called as a run's files are in the place of the link, and none of it is a link
    again or one of the folders to ``keep``.
    """
    linked: dict[Path, Path] = {}
    left = []
    links = [file for entry in entries for file in (entry, *entry.rglob("*")) if file.is_symlink() and file.exists()]
    for link in links:
        place = link.resolve()
        if place.is_relative_to(path.resolve()) or place in linked.values():
            continue
        name = link.relative_to(path).as_posix()
        below = [file for file in place.rglob("*") if not is_litter(file)] if place.is_dir() else []
        names = [name, *(f"{name}/{file.relative_to(place).as_posix()}" for file in below)]
        foreign = next((one for one in names if not MADE.fullmatch(one)), None)
        foreign = foreign or next(
            (one for one, file in zip(names[1:], below, strict=True) if file.is_symlink()), None
        )
        if foreign is None and not any(k.is_relative_to(place) or place.is_relative_to(k) for k in keep):
            linked[link] = place
        else:
            left.append(
                f"{place}: {link} led there. It was left alone, because there may be other things in it; "
                "delete yourself what is of the person"
            )
    return linked, tuple(left)


def without(path: Path, keep: Collection[Path]) -> Iterator[Path]:
    """``path``, or where a folder to ``keep`` lies within it, the parts of it without that."""
    real = path.resolve()
    if path.is_symlink() or not any(folder.is_relative_to(real) for folder in keep):
        yield path
    elif real not in keep:
        for entry in path.iterdir():
            yield from without(entry, keep)


def search(found: Found, places: tuple[Path, ...]) -> tuple[int, tuple[str, ...]]:
    """Look through every file in ``places`` for the subject's name and the photos' hashes.

    Returns how many files were looked at and, for each that says something or could not be looked at, where and what.
    """
    word = re.compile(rf"(?<![^\W_]){re.escape(found.subject)}(?![^\W_])", re.IGNORECASE)
    raw = re.compile(rb"(?<![0-9A-Za-z])" + re.escape(found.subject.encode()) + rb"(?![0-9A-Za-z])", re.IGNORECASE)
    hashes = {value.encode() for value in found.hashes}
    searched, remaining = 0, []
    for path, below in files_in(places, found.own):
        if word.search(below):
            remaining.append(f"{path}: its name")
        try:
            data = b"" if path.suffix in WEIGHTS else path.read_bytes()
        except OSError as error:
            remaining.append(f"{path}: could not be searched ({error.strerror})")
            continue
        searched += 1
        if path.suffix in WEIGHTS:
            continue
        if path.suffix.lower() not in SUFFIXES and raw.search(EMBEDDED.sub(b"", data)):
            remaining.append(f"{path}: says the name")
        if any(match in hashes for match in re.findall(rb"[0-9a-f]{64}", data)):
            remaining.append(f"{path}: says the hash of a photo")
        if sha256_bytes(data) in found.hashes:
            remaining.append(f"{path}: is a photo")
    return searched, tuple(remaining)


def originals(folder: Path) -> Iterator[Path]:
    """The photos right in a folder, and the captions beside them."""
    listing = list_folder(folder)
    yield from (*listing.photos, *listing.words)


def files_in(places: tuple[Path, ...], own: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
    """Every file in ``places`` once, also behind links to folders, with its path below the place, but for the photos
    in the user's ``own`` folders.

    Not for all that lies below these: where the photos lie beside ``runs``, that would be everything.
    """
    seen: set[Path] = set()
    kept_out = {path.resolve() for folder in own if folder.is_dir() for path in originals(folder)}
    for place in places:
        for path in all_below(place):
            # A link that leads back to itself is no file, and has no real place.
            if not path.is_file():
                continue
            real = path.resolve()
            if real not in seen and real not in kept_out:
                seen.add(real)
                yield path, path.relative_to(place).as_posix()
