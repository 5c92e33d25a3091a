"""A study that is killed, stopped or has a run that fails ends with the tables of one that was left alone."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from boothlab.files import read_json
from command_line import boothlab
from killing import Due, after, inside_writes, temporaries
from study_made import SEARCH, Place, make, make_series
from training_made import only_message


@pytest.fixture(scope="module")
def undisturbed(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = make(tmp_path_factory.mktemp("undisturbed"), tiny_sd)
    place.finish()
    return place


def lines(place: Place) -> int:
    """Events that all runs have said so far."""
    return sum(path.read_bytes().count(b"\n") for path in place.study.glob("runs/*/events.jsonl"))


def scored(place: Place) -> int:
    return len(list(place.study.glob("runs/*/summary.json")))


def test_killed_in_training_in_drawing_and_between(tiny_sd: Path, tmp_path: Path, undisturbed: Place) -> None:
    place = make(tmp_path, tiny_sd)
    moments: list[Due] = [
        lambda: lines(place) >= 4,
        lambda: len(list(place.study.glob("runs/*/images/*/ada/*.png"))) >= 3,
        lambda: scored(place) == 1 and lines(place) >= 12,
    ]
    for due in moments:
        assert place.kill_when(due) == -signal.SIGKILL
    place.finish()
    assert place.result() == undisturbed.result()


@pytest.mark.slow
def test_a_search_that_is_killed_ends_with_the_same_trials(tiny_sd: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    # Both in one place, one after the other: what trials are known by names the photos' folder.
    place = make(tmp_path, tiny_sd, axes={}, search={**SEARCH, "trials": 2})
    place.finish()
    expected = place.result()
    assert "trials.csv" in expected["tables"]
    place.wipe()
    moments: list[Due] = [lambda: lines(place) >= 3, lambda: scored(place) == 2 and lines(place) >= 12]
    for due in moments:
        assert place.kill_when(due) == -signal.SIGKILL
    place.finish()
    assert place.result() == expected


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(tiny_sd: Path, tmp_path: Path, undisturbed: Place) -> None:
    place = make(tmp_path, tiny_sd)
    assert place.kill_when(lambda: lines(place) >= 4, signal.SIGINT) == 130
    said = (tmp_path / "err.txt").read_text()
    assert "Traceback" not in said
    assert "same command" in said
    place.finish()
    assert place.result() == undisturbed.result()


def test_a_run_that_fails_is_a_state_and_does_not_stop_the_rest(tiny_sd: Path, tmp_path: Path) -> None:
    runs = [{"name": "wild", "settings": {"strategy.learning_rate": 1e30, "training.steps": 4}}]
    place = make(tmp_path, tiny_sd, axes={"training.steps": [3]}, runs=[*runs, {"name": "tame"}])
    done = boothlab("study", "study.toml", "--set", "training.steps=4", home=tmp_path / "home", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stdout.strip().endswith("report.html")
    assert "Traceback" not in done.stderr
    assert "1 of 2 trainings failed; the others are complete" in done.stderr
    assert "wild: training failed: The loss at step" in done.stderr
    outcomes = {
        tuple(found["runs"]): found["reason"] for found in read_json(place.study / "outcomes.json")["outcomes"]
    }
    assert outcomes[("steps 3", "tame")] == ""
    assert "not a number" in outcomes[("wild",)] or "nan" in outcomes[("wild",)]
    table = (place.study / "table.csv").read_text().splitlines()
    states = [line.split(",")[8] for line in table[1:]]
    assert states == ["done", "failed", "done", *["baseline"] * 3]
    assert "wild: training: The loss at step" in (place.study / "report.html").read_text()


def test_a_study_that_another_process_works_on_is_said(tiny_sd: Path, tmp_path: Path) -> None:
    place = make(tmp_path, tiny_sd)
    place.study.mkdir(parents=True)
    with FileLock(place.study / ".lock"):
        done = boothlab("study", "study.toml", home=tmp_path / "home", cwd=tmp_path)
    assert done.returncode == 1
    assert "Another process is working on" in only_message(done)


@pytest.mark.parametrize("command", ["check", "study"])
def test_a_bad_study_is_one_message_and_trains_nothing(command: str, tiny_sd: Path, tmp_path: Path) -> None:
    place = make(tmp_path, tiny_sd, axes={"training.stepps": [3], "strategy.learning_rate": [-1.0, 1e-3]})
    done = boothlab(command, "study.toml", home=tmp_path / "home", cwd=tmp_path)
    assert done.returncode == 2
    said = only_message(done)
    assert "has 2 problems" in said
    assert "did you mean 'steps'?" in said
    assert "strategy.learning_rate: must be greater than 0 (given: -1.0)" in said
    assert not (place.study / "runs").exists()


WRITES = (
    ("/runs/*/checkpoints", 0.3),
    ("", 0.8),
    ("/runs/*/images/*/*", 0.5),
    ("/runs/*", 0.8),
    ("/encoded/latents/*", 0.0),
)
"""Below a study's folder, where something is written (the page and the tables: in the folder itself), and in which
share of a life the wait for a write there may begin."""


def inside_a_write(place: Place, moments: random.Random, life: float, where: str, share: float) -> Due:
    """From a random moment on, inside the next write into such a folder."""
    moment = after(moments.uniform(0.0, share * life))
    write = inside_writes(lambda: place.path.glob(f"studies/rates{where}"))
    return lambda: moment() and write()


def killed_at_random(place: Place, kills: int) -> None:
    """Two whole stories of one study in one place, the second with so many kills: everything ends the same.

    Moments are drawn from the whole of an undisturbed life; every fourth kill is aimed into a write. A life that
    ends before its moment is compared, and the next one begins from nothing.
    """
    seed = int.from_bytes(os.urandom(4), "big")
    begun = time.monotonic()
    place.finish()
    life, expected = time.monotonic() - begun, place.result()
    print(f"undisturbed {life:.0f} s; moments drawn from seed {seed}")
    place.wipe()
    moments, done, ends = random.Random(seed), 0, 0
    unfinished: list[str] = []
    while done < kills:
        whole, started = not place.study.exists(), time.monotonic()
        due = after(moments.uniform(0.0, life))
        if done % 4 == 3:
            due = inside_a_write(place, moments, life, *WRITES[done // 4 % len(WRITES)])
        if place.kill_when(due) is None:
            life = time.monotonic() - started if whole else life  # by the pace that the machine has by now
            assert place.result() == expected
            place.wipe()
            ends += 1
        else:
            done += 1
            unfinished += [path.relative_to(place.path).as_posix() for path in temporaries(place.path)]
        print(f"{done} kills, {ends} ends, {time.monotonic() - begun:.0f} s", flush=True)
    place.finish()
    assert place.result() == expected
    print(f"{ends + 1} ends; half-written after a kill: {unfinished}")
    assert unfinished, "no kill fell inside a write"
    assert not list(temporaries(place.study / "encoded")), "a half-written encoding of a photo was left behind"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_grid_killed_twenty_times(tiny_sd: Path, tmp_path: Path) -> None:
    killed_at_random(replace(make(tmp_path, tiny_sd), cold=True), kills=20)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_named_runs_on_one_trunk_and_a_mix_killed_twenty_times(tiny_sd: Path, tmp_path: Path) -> None:
    killed_at_random(make_series(tmp_path, tiny_sd), kills=20)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_search_killed_five_times(tiny_sd: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    killed_at_random(replace(make(tmp_path, tiny_sd, axes={}, search=SEARCH), cold=True), kills=5)
