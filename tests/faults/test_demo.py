"""SIGKILL to the real ``boothlab demo`` on the built-in model: given again, it ends with the same report."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from boothlab.files import folder_listing
from boothlab.runs.run import Run
from command_line import start
from killing import after, ended_when, never

KILLS = 10

TIMES = re.compile(r"<b>\d[\d.]* s</b> per step")
"""What a report tells of how fast it was made."""


def run_of(place: Path) -> Run:
    (folder,) = (place / "demo" / "runs").iterdir()
    return Run(folder)


def left(place: Path) -> dict[str, Any]:
    """Everything that must not depend on what the demo went through."""
    run = run_of(place)
    page, masked = TIMES.subn("", (run.path / "report.html").read_text(encoding="utf-8"))
    assert masked == 1
    return {
        "page": page,
        "scores": (run.path / "scores.csv").read_text(encoding="utf-8"),
        "summary": json.loads((run.path / "summary.json").read_text(encoding="utf-8")),
        "weights": folder_listing(run.snapshots),
        "pictures": folder_listing(run.images),
    }


def live(place: Path, seconds: float | None) -> int | None:
    """One life of the demo, ended by SIGKILL after ``seconds`` unless it ends before; its exit code."""
    place.mkdir(exist_ok=True)
    process = start("demo", home=place / "home", cwd=place, out=place / "out.txt", err=place / "err.txt", cold=True)
    ended_when(process, never if seconds is None else after(seconds))
    return process.exitcode


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_ten_times_it_makes_the_same_report(tmp_path: Path) -> None:
    # Both in one place, one after the other: a report names the folder where weights that it misses belong.
    place = tmp_path / "place"
    begun = time.monotonic()
    assert live(place, None) == 0
    whole = time.monotonic() - begun
    expected = left(place)
    shutil.rmtree(place)
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"undisturbed {whole:.0f} s; moments drawn from seed {seed}")
    moments, kills = random.Random(seed), 0
    while kills < KILLS:
        # Each life gets as far as its own moment: together they go through every stage, some several times.
        code = live(place, moments.uniform(2, whole / 5))
        kills += code == -9
        if code == 0:
            break
        assert code == -9, (place / "err.txt").read_text()
        print(f"{kills} kills, {time.monotonic() - begun:.0f} s", flush=True)
    while kills < KILLS:
        code = live(place, moments.uniform(1, 8))  # the report is there: kills while it only looks things up
        kills += code == -9
        assert code in (0, -9), (place / "err.txt").read_text()
    assert live(place, None) == 0
    found = left(place)
    for part, value in expected.items():
        assert found[part] == value, f"{part} differs"
    again = time.monotonic()
    assert live(place, None) == 0
    print(f"second run {time.monotonic() - again:.0f} s")
    assert left(place) == found
