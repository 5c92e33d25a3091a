"""A full disk, a disk that may not be written, and a folder in use: real mounts, real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from boothlab import api
from boothlab.errors import NoSpace, RunBusy
from boothlab.files import is_temporary, new_folder, write_bytes
from boothlab.plan import load_plan
from boothlab.runs.run import Run
from training_made import Place, make_place, only_message, result


def mount(folder: Path, options: str) -> None:
    """A file system of its own at ``folder``; skips where this user may not mount."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"mounting needs rights that this user lacks: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB: room for a run's beginning, not for its checkpoints and snapshots."""
    disk = tmp_path / "disk"
    mount(disk, "size=4m")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    """An empty disk that may not be written, not even by root."""
    disk = tmp_path / "disk"
    mount(disk, "size=1m,ro")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def unfinished(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if is_temporary(path)]


def test_full_disk_during_training(tiny_sd: Path, tmp_path: Path, small_disk: Path) -> None:
    place = make_place(tmp_path, tiny_sd, steps=4)
    done = place.train("--runs", small_disk, "--set", "training.keep_checkpoints=9")
    said = only_message(done)
    assert done.returncode == 1
    assert "is full" in said
    assert "Free some space" in said
    assert len(said.splitlines()) <= 3
    (path,) = small_disk.iterdir()
    assert unfinished(small_disk) == [], "what could not be written whole is taken back"
    for line in (path / "events.jsonl").read_bytes().splitlines():
        assert line.endswith(b"}"), "a torn event"


@pytest.mark.slow
def test_goes_on_when_there_is_room_again(tiny_sd: Path, tmp_path: Path, small_disk: Path) -> None:
    place = make_place(tmp_path, tiny_sd, steps=4)
    assert place.train("--runs", small_disk, "--set", "training.keep_checkpoints=9").returncode == 1
    (path,) = small_disk.iterdir()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    again = place.train("--runs", small_disk, "--set", "training.keep_checkpoints=9")
    assert again.returncode == 0, again.stderr
    undisturbed = place.train("--set", "training.keep_checkpoints=9")
    assert undisturbed.returncode == 0
    assert result(Run(path)) == result(place.run())


def test_disk_full_from_the_start(tiny_sd: Path, tmp_path: Path, small_disk: Path) -> None:
    room = shutil.disk_usage(small_disk).free
    (small_disk / "filler").write_bytes(b"x" * room)
    done = make_place(tmp_path, tiny_sd).train("--runs", small_disk)
    assert done.returncode == 1
    assert "is full" in only_message(done)
    assert unfinished(small_disk) == []
    assert not list(small_disk.rglob("plan.json"))


def test_full_disk_keeps_the_old_file(small_disk: Path) -> None:
    write_bytes(small_disk / "summary.json", b"old")
    (small_disk / "old").mkdir()
    (small_disk / "old" / "a.bin").write_bytes(b"old")
    with pytest.raises(NoSpace, match="is full"):
        write_bytes(small_disk / "summary.json", b"x" * 8_000_000)
    with pytest.raises(NoSpace), new_folder(small_disk / "old") as temporary:
        (temporary / "a.bin").write_bytes(b"x" * 8_000_000)
    assert (small_disk / "summary.json").read_bytes() == b"old"
    assert (small_disk / "old" / "a.bin").read_bytes() == b"old"
    assert unfinished(small_disk) == []


def test_read_only_disk(tiny_sd: Path, tmp_path: Path, read_only_disk: Path) -> None:
    done = make_place(tmp_path, tiny_sd).train("--runs", read_only_disk / "runs")
    said = only_message(done)
    assert done.returncode == 1
    assert "may not be read or written" in said
    assert "Choose another folder" in said
    assert list(read_only_disk.iterdir()) == []


def test_a_file_where_the_runs_should_be(tiny_sd: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("I am a file.")
    done = make_place(tmp_path, tiny_sd).train()
    said = only_message(done)
    assert done.returncode == 1
    assert "runs" in said
    assert (tmp_path / "runs").read_text() == "I am a file."


def test_second_writer_is_turned_away(tiny_sd: Path, tmp_path: Path) -> None:
    place: Place = make_place(tmp_path, tiny_sd, steps=2)
    api.train(load_plan(tmp_path / "ada.toml"), tmp_path / "runs")
    before = {path: path.stat().st_mtime_ns for path in place.run().path.rglob("*") if path.name != ".lock"}
    with place.run().writing():
        done = place.train()
        with pytest.raises(RunBusy), place.run().writing():
            pass
    assert done.returncode == 1
    assert "Another process is working on" in only_message(done)
    after = {path: path.stat().st_mtime_ns for path in place.run().path.rglob("*") if path.name != ".lock"}
    assert after == before
    with place.run().writing():
        pass


@pytest.mark.skipif(os.name != "posix", reason="counts open files the POSIX way")
def test_lock_dies_with_its_holder(tiny_sd: Path, tmp_path: Path) -> None:
    from boothlab.runs.run import create_run

    run = create_run(tmp_path / "runs", "ada", "0" * 64, None, {}, "", {})
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with run.writing():
            os.write(writer, b"x")
            os.kill(os.getpid(), 9)
    os.read(reader, 1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == 9
    with run.writing():
        assert run.status().state == "created"
    os.close(reader)
    os.close(writer)
