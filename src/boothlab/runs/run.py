"""The run folder: everything about one training, and the only channel between those who make and who read it.

::

    NAME-HHHHHHHH/        8 hex digits of the resolved plan and of the hashes of its inputs
    ├── plan.toml         resolved, to read ├── checkpoints/step-NNNNNN/
    ├── plan.json         the same          ├── snapshots/step-NNNNNN/
    ├── provenance.json                     ├── images/, previews/, fresh/, features/
    ├── status.json                         ├── scores.csv, summary.json
    ├── events.jsonl                        ├── tracking/
    ├── photos/                             └── report.html

Readers ignore what they do not know; every JSON file carries ``"format": 1``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from boothlab.config.load import whole_number
from boothlab.errors import PlanError, RunBusy, RunDamaged, disk_errors
from boothlab.files import (
    damaged,
    make_folder,
    read_json,
    read_table,
    safe_name,
    sweep_temporaries,
    write_json,
    write_text,
)
from boothlab.runs import events as event_log
from boothlab.runs.events import Event
from boothlab.runs.status import LEGAL_MOVES, State, Status, require_legal

FORMAT = 1


def step_name(step: int) -> str:
    """The folder name of a step: ``step-000250``."""
    return f"step-{step:06d}"


def step_of(name: str) -> int | None:
    """The step whose folder is called ``name``; None for a folder that is no step's."""
    step = whole_number(name.removeprefix("step-"))
    return step if step is not None and name == step_name(step) else None


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder. Cheap to make; reads its files when asked."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name, ``NAME-HHHHHHHH``."""
        return self.path.name

    @property
    def checkpoints(self) -> Path:
        """Where resumable states live."""
        return self.path / "checkpoints"

    @property
    def snapshots(self) -> Path:
        """Where weights to generate with live."""
        return self.path / "snapshots"

    @property
    def images(self) -> Path:
        """Where generated pictures live."""
        return self.path / "images"

    def snapshot_steps(self) -> list[int]:
        """Steps of the snapshots that are there, ascending."""
        found = self.snapshots.glob("step-*") if self.snapshots.is_dir() else []
        return sorted(step for path in found if (step := step_of(path.name)) is not None)

    def lacking(self) -> list[int]:
        """Steps whose snapshots the log tells of and that are not there any more, or have no weights; ascending."""
        told = {event.step for event in self.events() if isinstance(event, event_log.SnapshotSaved)}
        return sorted(step for step in told if not self.has_weights(step_name(step)))

    def has_weights(self, snapshot: str) -> bool:
        """Whether a snapshot is there as it was written, as far as names tell."""
        folder = self.snapshots / snapshot
        files = {path.name for path in folder.rglob("*") if path.is_file()}
        return "snapshot.json" in files and len(files) > 1

    def plan(self) -> dict[str, Any]:
        """The resolved plan as a JSON tree."""
        tree = read_table(self.path / "plan.json").get("plan")
        if not isinstance(tree, dict):
            raise damaged(self.path / "plan.json", "it is not a resolved plan")
        return tree

    def status(self) -> Status:
        """What ``status.json`` says."""
        tree = read_json(self.path / "status.json")
        try:
            if tree["state"] not in LEGAL_MOVES:
                raise ValueError(f"unknown state {tree['state']!r}")
            return Status(state=tree["state"], step=int(tree["step"]), reason=str(tree["reason"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RunDamaged(f"{self.path / 'status.json'} is damaged: {error}.") from error

    def events(self) -> list[Event]:
        """The events of the history that counts (see :func:`boothlab.runs.events.current`)."""
        return event_log.current(event_log.read(self.path / "events.jsonl"))

    def reached(self) -> int:
        """The step that its log speaks of last, also while another process trains it; 0 before the first."""
        return event_log.last_step(self.path / "events.jsonl")

    def is_held(self) -> bool:
        """Whether a process works in the folder now; True too where that cannot be seen."""
        path = self.path / ".lock"
        if not path.is_file():
            return False
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except (Timeout, OSError):
            return True
        lock.release()
        return False

    def move(self, state: State, step: int, reason: str = "") -> None:
        """Change the state. Raises ValueError for an illegal move."""
        old = self.status()
        if old.state != state:
            require_legal(old.state, state)
        write_json(self.path / "status.json", {"format": FORMAT, **asdict(Status(state, step, reason))})

    def say(self, event: Event) -> None:
        """Append ``event`` to the log."""
        event_log.append(self.path / "events.jsonl", event)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for writing; raises RunBusy when another process does, RunDamaged for a run that is gone.

        A run without its plan was removed, by `forget` perhaps: nothing is written there, because nobody would find
        it again. Entering cleans up after a killed writer: unfinished files are deleted, the torn last line of the
        event log is cut off, and a state still ``running`` becomes ``lost``.
        """
        self._require_there()
        with disk_errors(self.path, f"work in {self.path}"):
            lock = FileLock(self.path / ".lock", timeout=0)
            try:
                lock.acquire()
            except Timeout:
                raise RunBusy(
                    f"Another process is working on {self.path}.", "Wait for it to end, or stop it."
                ) from None
        try:
            self._require_there()
            for folder in (self.path, self.checkpoints, self.snapshots, self.path / "photos"):
                sweep_temporaries(folder)
            event_log.mend(self.path / "events.jsonl")
            status = self.status()
            if status.state == "running":
                self.move("lost", status.step, "the process that was running it is gone")
            yield
        finally:
            lock.release()

    def _require_there(self) -> None:
        if (self.path / "plan.json").is_file():
            return
        with suppress(OSError):  # what a lock that came too late made anew
            if [path.name for path in self.path.iterdir()] == [".lock"]:
                (self.path / ".lock").unlink()
                self.path.rmdir()
        raise RunDamaged(
            f"{self.path} is no run any more: its plan.json is gone. Nothing is written where nobody would find it.",
            "Train it again with the command that made it.",
        )


def open_run(path: Path) -> Run:
    """The run at ``path``, under its folder's own name, by which `forget` finds what was made of it elsewhere:
    "." has none, and a link may have another. Raises PlanError when there is none."""
    if not (path / "plan.json").is_file():
        if path.suffix.lower() == ".toml":
            what = "is a file, not a run folder" if path.exists() else "is not there"
            raise PlanError(f"{path} {what}.", "Give a run folder, or to `report` a study's TOML.")
        # A pattern that matched nothing comes as it was typed: runs/ada-*
        begun, beside = path.name.split("*")[0], path.parent.iterdir() if path.parent.is_dir() else ()
        near = sorted(p.name for p in beside if p.name.startswith(begun) and (p / "plan.json").is_file())
        hint = f"Did you mean {', '.join(near)}?" if near else "Give the path of a run folder (runs/NAME-HHHHHHHH)."
        raise PlanError(f"{path} is not a run folder: it has no plan.json.", hint)
    real = path.resolve()
    return Run(path if path.name == real.name else real)


def runs_with_trunk(root: Path, trunk: str) -> list[Run]:
    """The runs below ``root`` that share their beginning, in name order."""
    return runs_by_trunk(root).get(trunk, [])


def runs_by_trunk(root: Path) -> dict[str, list[Run]]:
    """The runs below ``root`` that have a beginning to share, by what they share it with, in name order."""
    found: dict[str, list[Run]] = {}
    for path in sorted(root.glob("*/plan.json")):
        try:
            trunk = read_json(path).get("trunk")
        except (RunDamaged, AttributeError):
            continue
        if isinstance(trunk, str):
            found.setdefault(trunk, []).append(Run(path.parent))
    return found


def folder_name(name: str, digest: str) -> str:
    """``NAME-HHHHHHHH``: the plan's name made safe, and the first 8 hex digits of its digest."""
    return f"{safe_name(name)}-{digest[:8]}"


def create_run(
    root: Path,
    name: str,
    digest: str,
    trunk: str | None,
    plan: dict[str, Any],
    plan_toml: str,
    provenance: dict[str, Any],
) -> Run:
    """The run folder for this plan and these inputs: the existing one, or a new one in state ``created``.

    ``digest`` is the hex SHA-256 of the resolved plan and its inputs, ``trunk`` that of what a longer run would
    share with it (None if nothing); a folder whose plan says otherwise is
    refused (two plans would have to agree in 32 bits of it).
    """
    run = Run(root / folder_name(name, digest))
    plan_path = run.path / "plan.json"
    if plan_path.is_file():
        found = read_table(plan_path).get("digest")
        if found != digest:
            raise RunDamaged(
                f"{run.path} belongs to another plan (digest {str(found)[:16]}, expected {digest[:16]}).",
                "Give the run another name in the plan, or move the folder away.",
            )
    with disk_errors(run.path, f"make the run folder {run.path}"):
        make_folder(run.path)
    # plan.json is written last: a folder with it is complete, a folder without it is made again.
    if not plan_path.is_file():
        write_text(run.path / "plan.toml", plan_toml)
        write_json(run.path / "provenance.json", provenance)
        write_json(run.path / "status.json", {"format": FORMAT, **asdict(Status("created"))})
        write_json(plan_path, {"format": FORMAT, "digest": digest, "trunk": trunk, "plan": plan})
    return run
