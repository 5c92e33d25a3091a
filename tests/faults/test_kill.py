"""SIGKILL to the real ``boothlab train`` process: the same command, given again, ends with the same bits.

The moments are drawn from the whole life of the process, from its first import to its last write; some are aimed:
the process is stopped the instant an unfinished file is seen, and killed only if it is still unfinished then.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from boothlab import api
from boothlab.plan import load_plan
from boothlab.runs.run import Run
from command_line import start
from killing import after, ended_when, inside_writes, never, temporaries
from training_made import Place, make_place, result

STEPS = 12

KILLS = 50
"""In the long test."""


@pytest.fixture(scope="module")
def undisturbed(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the training leaves when nobody disturbs it; made in this process, with a home of its own."""
    place = make_place(tmp_path_factory.mktemp("undisturbed"), tiny_sd, steps=STEPS, prior=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOTHLAB_HOME", str(place.home))
        run = api.train(load_plan(place.path / "ada.toml"), place.path / "runs")
    left = result(run)
    assert len(left["losses"]) == STEPS  # type: ignore[arg-type]
    assert run.snapshot_steps() == [STEPS // 2, STEPS]
    return left


@dataclass
class Victim:
    """A training that is killed again and again, and what happened to it."""

    place: Place
    cold: bool = False
    """Whether its life begins with its imports."""
    kills: int = 0
    unfinished: list[str] = field(default_factory=list)
    """Names of what was half-written at the moment of a kill."""

    def start(self) -> BaseProcess:
        said = self.place.path / "stderr.txt"
        place = self.place
        return start(
            "train", "ada.toml", home=place.home, cwd=place.path, out=Path(os.devnull), err=said, cold=self.cold
        )

    def kill_when(self, due: Callable[[], bool]) -> bool:
        """Start it and kill it as soon as ``due``; False when it came to its end before."""
        process = self.start()
        if ended_when(process, due, seen=self.look):
            assert process.exitcode == -signal.SIGKILL
            self.kills += 1
            return True
        assert process.exitcode == 0, (self.place.path / "stderr.txt").read_text()
        return False

    def look(self) -> None:
        """Note what is half-written right now."""
        self.unfinished += [path.name for path in temporaries(self.place.path)]

    def kill_in(self, name: str, attempts: int = 6) -> bool:
        """Kill it inside a write into a folder ``name``; a life that ended before the blow is begun anew.

        A write lasts a few milliseconds and a busy machine may look away for as long.
        """
        for _ in range(attempts):
            if self.kill_when(inside_writes_of(self.place, name)):
                return True
            wipe(self.place)
        return False

    def finish(self) -> Run:
        """Let it come to its end."""
        assert self.kill_when(never) is False
        return self.place.run()


def inside_writes_of(place: Place, name: str) -> Callable[[], bool]:
    """While something unfinished lies in a folder called ``name``."""
    return inside_writes(lambda: [*place.path.glob(f"runs/*/{name}"), *place.path.glob(f"home/cache/{name}/*")])


def after_steps(place: Place, lines: int) -> Callable[[], bool]:
    """Once the event log has so many lines."""

    def due() -> bool:
        found = list(place.path.glob("runs/*/events.jsonl"))
        return bool(found) and found[0].read_bytes().count(b"\n") >= lines

    return due


def check_clean(run: Run) -> None:
    """Nothing half-written is left where the run's readers look."""
    left = [path for path in temporaries(run.path) if path.parent in (run.path, run.checkpoints, run.snapshots)]
    assert left == []
    steps = [event.step for event in run.events() if event.kind == "stepped"]
    assert steps == list(range(1, STEPS + 1))


def test_killed_where_it_hurts(tiny_sd: Path, tmp_path: Path, undisturbed: dict[str, object]) -> None:
    place = make_place(tmp_path, tiny_sd, steps=STEPS, prior=True)
    victim = Victim(place)
    assert victim.kill_in("class-images")
    assert victim.kill_in("checkpoints")
    assert any(name.startswith("step-") for name in victim.unfinished), "the kill missed the checkpoint's write"
    assert victim.kill_when(after_steps(place, random.Random().randint(STEPS // 2, STEPS)))
    run = victim.finish()
    assert victim.kills == 3
    assert result(run) == undisturbed
    check_clean(run)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_fifty_times_over_its_whole_life(
    tiny_sd: Path, tmp_path: Path, undisturbed: dict[str, object]
) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"moments drawn from seed {seed}")
    moments = random.Random(seed)
    place = make_place(tmp_path, tiny_sd, steps=STEPS, prior=True)
    started = time.monotonic()
    Victim(place, cold=True).finish()
    life = time.monotonic() - started
    wipe(place)
    victim, completed = Victim(place, cold=True), 0
    while victim.kills < KILLS:
        aim = victim.kills % 4
        if aim == 3:
            where = ("checkpoints", "snapshots", "photos", "class-images")[victim.kills // 4 % 4]
            due = inside_writes_of(place, where)
        else:
            due = after(moments.uniform(0, life))
        if not victim.kill_when(due):
            assert result(place.run()) == undisturbed
            check_clean(place.run())
            completed += 1
            wipe(place)
        print(f"{victim.kills} kills, {completed} ends, {time.monotonic() - started:.0f} s", flush=True)
    run = victim.finish()
    print(f"{completed + 1} runs came to their end; half-written at a kill: {victim.unfinished}")
    assert result(run) == undisturbed
    check_clean(run)
    assert any(name.startswith("step-") for name in victim.unfinished), "no kill fell inside a checkpoint's write"


def wipe(place: Place) -> None:
    """Forget everything, so that the next life is a whole one."""
    for folder in ("runs", "home"):
        shutil.rmtree(place.path / folder, ignore_errors=True)
