"""The same study, the same search on a Ray cluster whose worker is killed: the same tables (minutes: marked slow)."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from boothlab.files import read_json
from study_made import SEARCH, Place, make

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


def finished_with_one_worker_killed(cluster: Place) -> None:
    """The study on a cluster of this machine alone, to its end; the first worker that trains is killed."""
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
    process.join()
    assert process.exitcode == 0, (cluster.path / "err.txt").read_text()
    assert killed is not None


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_killed_worker_changes_nothing(tiny_sd: Path, tmp_path: Path) -> None:
    place = make(tmp_path, tiny_sd)
    place.finish()
    alone = place.result()
    place.wipe()
    finished_with_one_worker_killed(replace(place, options=("--ray", "auto")))
    assert place.result() == alone


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_search_tries_the_same_and_ends_the_same(tiny_sd: Path, tmp_path: Path) -> None:
    """Trials follow one another also on a cluster, because each is drawn from the scores of those before it.

    Only the training seeds of a trial go side by side. So nothing may differ: not what is tried, not where a trial
    ends, no table.
    """
    pytest.importorskip("optuna")
    place = make(tmp_path, tiny_sd, axes={}, seeds=[0, 1], search=SEARCH)
    place.finish()
    alone = place.result()
    place.wipe()
    finished_with_one_worker_killed(replace(place, options=("--ray", "auto")))
    assert place.result() == alone
    trials = read_json(place.study / "trials.json")["trials"]
    assert [trial["number"] for trial in trials] == [0, 1, 2]
    assert {trial["state"] for trial in trials} <= {"complete", "pruned"}
