"""Atomic files and folders, hashes, names."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from boothlab import files
from boothlab.errors import NoAccess, PlanError, RunDamaged


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})

    def fail(*names: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(KeyboardInterrupt):
            files.write_json(path, {"a": 2})
    assert files.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_appears_at_once_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "set"
    with files.new_folder(path) as temporary:
        (temporary / "one").write_text("1")
        assert not path.exists()
        assert files.is_temporary(temporary)
    assert [p.name for p in path.iterdir()] == ["one"]
    with pytest.raises(FileNotFoundError), files.new_folder(path) as temporary:
        (temporary / "nowhere" / "two").write_text("2")
    assert [p.name for p in path.iterdir()] == ["one"]
    with files.new_folder(path) as temporary:
        (temporary / "three").write_text("3")
    assert [p.name for p in path.iterdir()] == ["three"]
    assert [p.name for p in path.parent.iterdir()] == ["set"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_writer_leaves_only_what_is_swept(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with files.new_folder(tmp_path / "set") as temporary:
            (temporary / "one").write_text("1")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (left,) = tmp_path.iterdir()
    assert files.is_temporary(left)
    (tmp_path / "keep").write_text("mine")
    assert files.sweep_temporaries(tmp_path) == [left]
    assert [p.name for p in tmp_path.iterdir()] == ["keep"]
    assert files.sweep_temporaries(tmp_path / "nowhere") == []


def replaced(path: Path, calls: int) -> bool:
    """Replace the folder ``path`` in a process that dies at its ``calls``-th call of the system; False if it ends."""
    child = os.fork()
    if child == 0:
        left = calls

        def dying(call: Any) -> Any:
            def wrapped(*arguments: Any, **named: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **named)

            return wrapped

        for room, name in ((os, "replace"), (os, "fsync"), (files, "exchange"), (shutil, "rmtree")):
            setattr(room, name, dying(getattr(room, name)))
        with files.new_folder(path) as temporary:
            (temporary / "one").write_text("new")
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux exchanges two names in one step")
def test_a_killed_replacement_leaves_the_old_folder_or_the_new_one(tmp_path: Path) -> None:
    """Killed before each call that touches the disk, one after the other."""
    found = []
    for calls in range(1, 20):
        path = tmp_path / str(calls) / "set"
        path.mkdir(parents=True)
        (path / "one").write_text("old")
        died = replaced(path, calls)
        assert [p.name for p in path.iterdir()] == ["one"]
        found.append((path / "one").read_text())
        if not died:
            break
    assert found == sorted(found, reverse=True), "once new, never old again"
    assert found.count("old") >= 2
    assert found.count("new") >= 2
    assert [p.name for p in path.parent.iterdir()] == ["set"]


def test_only_a_folder_is_replaced_and_a_link_to_one_is_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name in ("pipe", "nowhere"):
        with pytest.raises(NoAccess, match=name), files.new_folder(tmp_path / name):
            pass
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "nowhere").is_symlink()
    (tmp_path / "disk" / "set").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "set")
    with files.new_folder(tmp_path / "link") as temporary:
        assert temporary.parent == tmp_path / "disk", "on the disk that the link leads to"
        (temporary / "one").touch()
    assert (tmp_path / "link").is_symlink()
    assert [p.name for p in (tmp_path / "disk" / "set").iterdir()] == ["one"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["disk", "link", "nowhere", "pipe"]


def test_an_old_folder_that_cannot_be_deleted_is_not_kept_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "photo").touch()
    monkeypatch.setattr(shutil, "rmtree", lambda path, ignore_errors: None)
    with (
        pytest.raises(NoAccess, match=r"could not be deleted; it lies in .*set\.partial-"),
        files.new_folder(tmp_path / "set") as temporary,
    ):
        (temporary / "new").touch()
    assert [p.name for p in (tmp_path / "set").iterdir()] == ["new"]


def test_the_current_folder_has_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert files.is_around(Path())
    assert files.is_around(tmp_path)
    assert not files.is_around(Path("set"))
    with files.new_folder(Path()) as temporary:
        (temporary / "one").touch()
    assert [p.name for p in (tmp_path / "here").iterdir()] == ["one"]


def test_names_change_in_one_step_or_not_at_all(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    swapped = files.exchange(tmp_path / "a", tmp_path / "b")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b" if swapped else "a"]
    assert files.exchange(tmp_path / "a", tmp_path / "nowhere") is False


def test_where_names_cannot_be_exchanged_the_old_one_is_moved_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "exchange", lambda one, other: False)
    for text in ("old", "new"):
        with files.new_folder(tmp_path / "set") as temporary:
            (temporary / "one").write_text(text)
    assert (tmp_path / "set" / "one").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names are exchanged on Linux")
def test_of_two_processes_that_write_one_folder_the_last_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs prepare the same photos at the same time: neither may fail because the other was faster."""
    path, replace = tmp_path / "set", os.replace

    def after_another(one: Path, other: Path) -> None:
        if other == path and not path.exists():
            path.mkdir()
            (path / "theirs").touch()
        replace(one, other)

    monkeypatch.setattr(os, "replace", after_another)
    with files.new_folder(path) as temporary:
        (temporary / "mine").touch()
    assert [p.name for p in path.iterdir()] == ["mine"]
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_json_refuses_what_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "torn.json").write_text('{"a": ')
    for name in ("torn.json", "absent.json"):
        with pytest.raises(RunDamaged, match=name):
            files.read_json(tmp_path / name)


def test_hashes_are_canonical(tmp_path: Path) -> None:
    assert files.sha256_bytes(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256_file(tmp_path / "a") == files.sha256_bytes(b"abc")
    assert files.sha256_json({"b": 1, "a": [1.5, None]}) == files.sha256_json({"a": [1.5, None], "b": 1})
    assert files.sha256_json({"a": 1}) != files.sha256_json({"a": "1"})


def test_listing_is_of_content_and_leaves_litter_out(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b").write_bytes(b"b")
    (tmp_path / "a").write_bytes(b"a")
    for name in (f"c{files.TEMPORARY_MARK}1", ".DS_Store", "sub/Thumbs.db", "desktop.ini", "sub/._b"):
        (tmp_path / name).write_bytes(b"c")
    assert list(files.folder_listing(tmp_path)) == ["a", "sub/b"]
    assert files.folder_listing(tmp_path, ["a"]) == {"a": files.sha256_bytes(b"a")}


def test_text_that_names_what_is_not_utf_8_is_refused_with_a_message(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"Cannot write a\.json: .*M\\+udcfcller"):
        files.write_json(tmp_path / "a.json", {"photos": f"/home/{os.fsdecode(bytes((77, 252)))}ller"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ada & Bob: first/try", "Ada-Bob-first-try"),
        ("../../etc", "etc"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("Ünï", "Ünï"),
        ("a" * 99, "a" * 48),
        ("con/prn\\nul", "con-prn-nul"),
    ],
)
def test_names_are_safe(text: str, name: str) -> None:
    assert files.safe_name(text) == name
