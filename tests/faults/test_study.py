"""A study that is killed, stopped or has a run that fails ends with the tables of one that was left alone."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from boothlab.files import read_json
from command_line import boothlab
from study_made import Place, make
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
    moments: list[Callable[[], bool]] = [
        lambda: lines(place) >= 4,
        lambda: len(list(place.study.glob("runs/*/images/*/ada/*.png"))) >= 3,
        lambda: scored(place) == 1 and lines(place) >= 12,
    ]
    for due in moments:
        assert place.kill_when(due) == -signal.SIGKILL
    place.finish()
    assert place.result() == undisturbed.result()


def test_a_search_that_is_killed_ends_with_the_same_trials(tiny_sd: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    rate = {"low": 1e-4, "high": 1e-1, "log": True}
    search = {"ranges": {"strategy.learning_rate": rate}, "rungs": [1, 3], "trials": 2, "reduction": 2}
    search |= {"steps": "training.steps", "score": "prompt"}
    one, other = (make(tmp_path / name, tiny_sd, axes={}, search=search) for name in ("one", "other"))
    one.finish()
    moments: list[Callable[[], bool]] = [lambda: lines(other) >= 3, lambda: scored(other) == 2 and lines(other) >= 12]
    for due in moments:
        assert other.kill_when(due) == -signal.SIGKILL
    other.finish()
    assert other.result() == one.result()
    assert (other.study / "trials.csv").read_bytes() == (one.study / "trials.csv").read_bytes()


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
    assert "strategy.learning_rate: input should be greater than 0 (given: -1.0)" in said
    assert not (place.study / "runs").exists()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_twenty_times_at_random(tiny_sd: Path, tmp_path: Path, undisturbed: Place) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"moments drawn from seed {seed}")
    moments = random.Random(seed)
    place = make(tmp_path, tiny_sd)
    started = time.monotonic()
    place.finish()
    life = time.monotonic() - started
    shutil.rmtree(place.study)
    kills = ends = 0
    while kills < 20:
        due = time.monotonic() + moments.uniform(0.0, life)
        if place.kill_when(lambda due=due: time.monotonic() >= due) is None:  # type: ignore[misc]
            ends += 1
            assert place.result() == undisturbed.result()
            shutil.rmtree(place.path / "studies")
            shutil.rmtree(place.path / "home")
        else:
            kills += 1
    place.finish()
    print(f"{kills} kills, {ends + 1} ends")
    assert place.result() == undisturbed.result()
