"""Files that are either there and whole, or not there: atomic writes, hashes, safe names.

It exists so that no other module calls ``open(..., "w")``: a process killed at any instant must leave the old
file or the new one, never half of either.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from boothlab.errors import NoAccess, PlanError, RunDamaged, disk_errors

T = TypeVar("T")

TEMPORARY_MARK = ".partial-"
"""Part of the name of everything that is not finished; such leftovers of a killed process may be deleted."""

MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
"""Part of these names too: the processes of other machines that write to the same disk are not seen from here."""

LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
"""What file browsers leave wherever somebody looks, in small letters: no part of what a folder holds."""


def is_litter(path: Path) -> bool:
    """Whether ``path`` is called as what a file browser leaves; macOS puts a ``._x`` beside an x on other disks."""
    return path.name.lower() in LITTER or path.name.startswith("._")


def is_temporary(path: Path) -> bool:
    """Whether ``path`` is the unfinished leftover of a write that was interrupted."""
    return TEMPORARY_MARK in path.name


def is_abandoned(path: Path) -> bool:
    """Whether ``path`` is such a leftover, and the process that wrote it is gone. Of another machine's processes
    nothing can be seen from here, and theirs are never said to be."""
    number, _, more = path.name.partition(TEMPORARY_MARK)[2].partition("-")
    machine = more.partition("-")[2] or MACHINE
    if not number.isdecimal() or machine != MACHINE:
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _temporary_name(path: Path) -> Path:
    return path.with_name(f"{path.name}{TEMPORARY_MARK}{os.getpid()}-{uuid.uuid4().hex[:8]}-{MACHINE}")


def is_left_of(folder: Path, path: Path) -> bool:
    """Whether ``path`` is what a process of this machine that is gone had not finished of ``folder``."""
    ours = rf"{re.escape(folder.name + TEMPORARY_MARK)}\d+-[0-9a-f]{{8}}(-{MACHINE})?"
    return re.fullmatch(ours, path.name) is not None and is_abandoned(path)


def sync_folder(folder: Path) -> None:
    """Make renames inside ``folder`` survive a power cut (a no-op where folders cannot be opened)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """The folder ``path``, and those it lies in, where they are not there yet. Raises NoAccess where the system makes
    none and says that there is no such place, as below /proc."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:
        raise NoAccess(f"The system makes no folder {path} ({error.strerror}).", "Choose another folder.") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically and durably. Raises NoSpace, NoAccess."""
    temporary = _temporary_name(path)
    with disk_errors(path, f"write {path.name}"):
        make_folder(path.parent)
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically. Raises PlanError where a folder's name in it is not UTF-8."""
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        near = spelled(text[max(0, error.start - 20) : error.end + 20])
        raise PlanError(
            f"Cannot write {spelled(path.name)}: it would name what is not UTF-8, near {near!r}.",
            "Rename that file or folder.",
        ) from error
    write_bytes(path, data)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically. NaN and infinities are refused (they are not JSON)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The JSON value in ``path``. Raises RunDamaged with the path when it is missing or malformed."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except PermissionError as error:
        raise RunDamaged(f"{path} may not be read ({error.strerror}).", "Change its permissions.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RunDamaged(f"Cannot read {path}: {error}.", "Restore the file or delete its folder.") from error


def read_table(path: Path) -> dict[str, Any]:
    """The JSON table in ``path``. Raises RunDamaged with the path when there is none."""
    tree = read_json(path)
    if not isinstance(tree, dict):
        raise damaged(path, f"a table is expected, not {type(tree).__name__}")
    return tree


def damaged(path: Path, reason: str, hint: str = "Restore the file or delete its folder.") -> RunDamaged:
    """The error for a file that can be read and does not hold what it should."""
    return RunDamaged(f"{path} is damaged or of a newer boothlab: {reason}.", hint)


def record(kind: type[T], tree: Any) -> T:
    """A dataclass from a JSON table. Raises ValueError where names or types are not those of its fields."""
    if not isinstance(tree, dict):
        raise ValueError(f"a table is expected, not {type(tree).__name__}")
    known: Any = kind
    hints: dict[str, tuple[Any, ...]] = _hints(known)
    odd = [name for name, value in tree.items() if name not in hints or not _is_a(value, hints[name])]
    if odd:
        raise ValueError(f"{kind.__name__} does not hold {odd[0]!r} = {str(tree[odd[0]])[:40]}")
    try:
        return kind(**tree)
    except TypeError as error:
        raise ValueError(str(error).partition(" ")[2]) from error


@cache
def _hints(kind: Any) -> dict[str, tuple[Any, ...]]:
    """Field → the types and the words that may stand there."""
    hints = get_type_hints(kind)
    return {field.name: _members(hints[field.name]) for field in fields(kind)}


def _members(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in (Union, UnionType):
        return tuple(member for part in get_args(hint) for member in _members(part))
    return get_args(hint) if get_origin(hint) is Literal else (hint,)


def _is_a(value: Any, members: tuple[Any, ...]) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return (int in members or float in members) and abs(value) < 2**63
    return type(value) in members or (isinstance(value, str) and value in members)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a folder out of sight, then let it appear under ``path`` at once.

    Yields a temporary folder beside ``path``. On success its files are flushed to disk and it is renamed; with an
    existing ``path`` it changes names in one step, and the old one is then deleted. (Systems other than Linux move
    the old one aside first: a kill between the two renames leaves neither under the name, and both beside it.) On
    any error the temporary folder is deleted and ``path`` stays as it was.

    A link to a folder stays, and what it leads to is replaced. Raises NoSpace, and NoAccess also where something
    other than a folder is there (a file, a device, a broken link), or where the old folder could not be deleted.
    """
    given, path = path, path.resolve() if path.is_dir() else path.absolute()
    temporary = _temporary_name(path)
    with disk_errors(path, f"write {path.name}"):
        try:
            if is_no_folder(given):
                raise FileExistsError(errno.EEXIST, "something else is there", str(given))
            make_folder(temporary.parent)
            temporary.mkdir()
            yield temporary
            for file in sorted(temporary.rglob("*")):
                if file.is_file():
                    descriptor = os.open(file, os.O_RDONLY)
                    try:
                        os.fsync(descriptor)
                    finally:
                        os.close(descriptor)
            old = None
            if path.exists() and exchange(temporary, path):
                old = temporary
            else:
                if path.exists():
                    old = _temporary_name(path)
                    os.replace(path, old)
                try:
                    os.replace(temporary, path)
                except OSError:
                    # Another process put a folder there since we looked; the last one to finish stays.
                    if not exchange(temporary, path):
                        raise
                    old = temporary
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync_folder(path.parent)
        if old is not None:
            _delete(old, path)


def _delete(old: Path, path: Path) -> None:
    """What stood at ``path`` may be photos of somebody: that they are still on the disk is not kept quiet."""
    shutil.rmtree(old, ignore_errors=True)
    if old.exists():
        raise NoAccess(
            f"{path} is written, but what was there before could not be deleted; it lies in {old} now.",
            "Delete that folder yourself.",
        )


def is_no_folder(path: Path) -> bool:
    """Whether something is at ``path`` that is neither a folder nor a link to one (also a link to nothing)."""
    return os.path.lexists(path) and not path.is_dir()


def first_foreign(folder: Path, own: re.Pattern[str]) -> str | None:
    """The first thing below ``folder``, in name order, whose relative POSIX name ``own`` does not match; litter is
    passed over."""
    there = (path for path in sorted(folder.rglob("*")) if not is_litter(path))
    names = (spelled(path.relative_to(folder).as_posix()) for path in there)
    return next((name for name in names if not own.fullmatch(name)), None)


def all_below(folder: Path) -> Iterator[Path]:
    """Everything below ``folder``, each folder in name order, and last what lies behind links to folders.

    ``rglob`` does not go through these, and people put what is large on another disk. Each folder comes once, and
    none that holds ``folder`` itself, so no link leads round in a circle.
    """
    seen, places = set(folder.resolve().parents), [folder]
    while places:
        place = places.pop(0)
        if place.resolve() in seen:
            continue
        for at, folders, files in os.walk(place):
            here, real = Path(at), Path(at).resolve()
            seen.add(real)
            yield from (here / name for name in sorted([*folders, *files]))
            links = [here / name for name in sorted(folders) if (here / name).is_symlink()]
            places += links
            folders[:] = sorted({*folders} - {link.name for link in links})
            folders[:] = [name for name in folders if real / name not in seen]


def each_once(paths: Iterable[Path]) -> list[Path]:
    """``paths`` sorted, without those that lead to the same place as another one, which is named without links."""
    found: dict[Path, Path] = {}
    for path in sorted(paths):
        real = path.resolve()
        if real not in found or path == real:
            found[real] = path
    return sorted(found.values())


def is_around(path: Path) -> bool:
    """Whether ``path`` is the current folder or holds it: replaced, it would leave us in a deleted one."""
    try:
        return Path.cwd().is_relative_to(path.resolve())
    except FileNotFoundError:  # the current folder was deleted already
        return False


def exchange(one: Path, other: Path) -> bool:
    """Let two paths change names in one step, so that no instant sees either name missing; False where it cannot.

    Linux's renameat2 with RENAME_EXCHANGE, which Python does not offer; some file systems refuse it.
    """
    import ctypes

    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), swap) == 0)


def sweep_temporaries(folder: Path) -> list[Path]:
    """Delete what killed processes left unfinished directly inside ``folder``; returns what was deleted.

    Call it only while holding the folder's lock: the temporary of a live writer looks the same.
    """
    swept = [path for path in sorted(folder.iterdir()) if is_temporary(path)] if folder.is_dir() else []
    for path in swept:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return swept


def sha256_bytes(data: bytes) -> str:
    """Hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of the file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Hex SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return sha256_bytes(canonical.encode())


def folder_listing(folder: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """Relative POSIX name, :func:`spelled` → SHA-256 for the files below ``folder`` (or only ``names``), sorted.

    Without ``names`` it is of what the folder holds: unfinished files and :data:`LITTER` are left out.
    """
    files = (
        [folder / name for name in names]
        if names is not None
        else [p for p in folder.rglob("*") if p.is_file() and not is_temporary(p) and not is_litter(p)]
    )
    return {spelled(path.relative_to(folder).as_posix()): sha256_file(path) for path in sorted(files)}


def spelled(text: str) -> str:
    """``text`` as it can be written anywhere: bytes of a file name that are no UTF-8 are spelled (``\\udcfc``)."""
    return text.encode("utf-8", "backslashreplace").decode()


def safe_name(text: str, longest: int = 48) -> str:
    """``text`` as a file name that every operating system accepts.

    >>> safe_name("Ada & Bob: first/try")
    'Ada-Bob-first-try'
    """
    cleaned = re.sub(r"[^\w.-]+", "-", text, flags=re.UNICODE)
    cleaned = re.sub(r"-*\.?-+", "-", cleaned).strip("-. ")[:longest].rstrip("-. ")
    return cleaned or "unnamed"


def require_writable(path: Path, what: str) -> None:
    """Raises NoAccess, NoSpace where nothing can be made at ``path``, which is to hold ``what``; leaves nothing.

    Rights alone do not tell: a disk may be read-only, full, or no place for files at all.
    """
    with disk_errors(path, f"write {what} to {path}"):
        place = path.resolve()
        while not place.exists():
            place = place.parent
        probe = _temporary_name(place / "probe")
        try:
            probe.mkdir()
        except FileNotFoundError as error:
            raise NoAccess(f"Cannot write {what} to {path}: {place} takes no folders.", "Choose another.") from error
        probe.rmdir()


def expanded(path: Path) -> Path:
    """The path with ``~`` and ``~name`` as the folder they stand for. Raises PlanError where nobody is called so."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise PlanError(f"{path} begins with the home folder of nobody here: {error}.") from error
