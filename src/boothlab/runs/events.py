"""What a training says while it runs: frozen event types and their one-line JSON form.

``events.jsonl`` is append-only. A resumed run says :class:`Resumed` and repeats the steps after its checkpoint;
:func:`current` gives the events as if the run had never been interrupted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from boothlab.errors import disk_errors
from boothlab.files import record

TAIL_BYTES = 8192
"""So much of a log's end holds at least one whole line."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened after ``step`` optimizer steps."""

    kind: ClassVar[str] = ""
    step: int


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The first event of a run. ``parameters`` = how many numbers are trained."""

    kind: ClassVar[str] = "started"
    steps: int
    parameters: int


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """The run goes on from the checkpoint of ``step``; later events said before are void."""

    kind: ClassVar[str] = "resumed"


@dataclass(frozen=True, slots=True)
class Stepped(Event):
    """One optimizer step was taken; ``step`` is the count after it.

    ``loss`` is the mean over the accumulation window of mean(instance) + λ·mean(class), photos as their subjects
    weigh; ``instance_loss`` and ``class_loss`` are its two parts (``class_loss`` is None without prior preservation).
    ``norm`` is the gradient
    norm before clipping (None where fp16 overflowed and the step was left out); ``lr`` the rate of the first
    parameter group; ``seconds`` the wall time of the step.
    """

    kind: ClassVar[str] = "stepped"
    loss: float
    instance_loss: float
    class_loss: float | None
    norm: float | None
    lr: float
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckpointSaved(Event):
    """Everything a resume needs is safe on disk."""

    kind: ClassVar[str] = "checkpoint"


@dataclass(frozen=True, slots=True)
class SnapshotSaved(Event):
    """Weights to generate with are in ``snapshots/name``; ``size`` in bytes."""

    kind: ClassVar[str] = "snapshot"
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Validated(Event):
    """Mean squared error of the prediction at fixed noise and timesteps, on photos trained on and held out.

    ``held_out_loss`` is None where no photo is held out. Comparable between steps, because nothing is drawn anew.
    """

    kind: ClassVar[str] = "validated"
    train_loss: float
    held_out_loss: float | None


@dataclass(frozen=True, slots=True)
class Previewed(Event):
    """So many pictures to look at are in ``previews/step-NNNNNN``."""

    kind: ClassVar[str] = "previewed"
    pictures: int


@dataclass(frozen=True, slots=True)
class Extended(Event):
    """The run took over the first ``step`` steps of the run ``source``, which are the same bit for bit."""

    kind: ClassVar[str] = "extended"
    source: str


@dataclass(frozen=True, slots=True)
class Averaged(Event):
    """The weights are the mean of these snapshots of other runs, as RUN/STEP, with commas between them; ``step`` is
    that of the longest."""

    kind: ClassVar[str] = "averaged"
    of: str


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """Something the user should know; ``code`` is stable, ``message`` is for people."""

    kind: ClassVar[str] = "warned"
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """All steps are taken and the last snapshot is saved."""

    kind: ClassVar[str] = "finished"


EVENT_TYPES: tuple[type[Event], ...] = (
    Started,
    Resumed,
    Stepped,
    CheckpointSaved,
    SnapshotSaved,
    Validated,
    Previewed,
    Extended,
    Averaged,
    Warned,
    Finished,
)

_BY_KIND = {event.kind: event for event in EVENT_TYPES}


def to_line(event: Event) -> str:
    """The event as one line of JSON, without the line end."""
    return json.dumps({"kind": event.kind, **asdict(event)}, ensure_ascii=False, allow_nan=False)


def from_line(line: str) -> Event | None:
    """The event in ``line``; None for kinds and fields that this version does not know, and for odd or torn lines."""
    try:
        tree: dict[str, Any] = json.loads(line)
        kind = _BY_KIND.get(tree.pop("kind", ""))
        if kind is None:
            return None
        known = {field.name for field in fields(kind)}
        return record(kind, {name: value for name, value in tree.items() if name in known})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def append(path: Path, event: Event) -> None:
    """Add ``event`` to the file. One write call, so that a reader never sees two lines mixed."""
    with disk_errors(path, "append to the event log"), path.open("ab") as file:
        file.write((to_line(event) + "\n").encode())


def mend(path: Path) -> bool:
    """Cut off an unfinished last line, as a killed writer leaves it. Returns whether there was one."""
    if not path.exists():
        return False
    with path.open("rb+") as file:
        data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole == len(data):
            return False
        file.truncate(whole)
        file.flush()
        os.fsync(file.fileno())
    return True


def read(path: Path) -> list[Event]:
    """All events in the order they were said; unknown ones are skipped."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [event for line in lines if (event := from_line(line)) is not None]


def last_step(path: Path) -> int:
    """The step that the last whole line speaks of, 0 where there is none: how far a run is that somebody else trains.

    Reads the end of the file only, so that many runs can be asked every few seconds.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().rpartition(b"\n")[0].decode(errors="replace").splitlines()
    except OSError:
        return 0
    return next((event.step for line in reversed(lines) if (event := from_line(line)) is not None), 0)


def current(events: Iterable[Event]) -> list[Event]:
    """The events of the history that counts: what a resume made void is left out, and so are the resumes.

    A run that was killed before its first checkpoint starts over, and everything said before is void.
    """
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Started):
            kept = [event]
        elif isinstance(event, Resumed):
            kept = [old for old in kept if old.step <= event.step]
        else:
            kept.append(event)
    # What a resume finds already done is said again; equal events of one step count once.
    return list(dict.fromkeys(kept))
