"""The same study on a Ray cluster of two workers, one of which is killed: the same tables (minutes: marked slow)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from study_made import Place, make

pytest.importorskip("ray")


def workers(above: int) -> list[int]:
    """Process ids of the workers that train now."""
    found = []
    for process in psutil.Process(above).children(recursive=True):
        try:
            if process.cmdline() and process.cmdline()[0].startswith("ray::_task"):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_killed_worker_changes_nothing(tiny_sd: Path, tmp_path: Path) -> None:
    local = make(tmp_path / "local", tiny_sd)
    local.finish()
    cluster = Place(make(tmp_path / "cluster", tiny_sd).path, ("--ray", "auto"))
    process = cluster.begin()
    assert process.pid is not None
    killed = None
    while process.is_alive() and killed is None:
        begun = list(cluster.study.glob("runs/*/checkpoints/step-*"))
        at_work = workers(process.pid) if begun else []
        if at_work:
            killed = at_work[0]
            os.kill(killed, signal.SIGKILL)
        time.sleep(0.1)
    process.join(600)
    assert process.exitcode == 0, (cluster.path / "err.txt").read_text()
    assert killed is not None
    assert cluster.result() == local.result()
