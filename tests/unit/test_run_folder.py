"""The run folder: legal moves, the lock, what is mended after a kill, who may use a folder."""

from __future__ import annotations

import shutil
from dataclasses import FrozenInstanceError
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from boothlab.api.inspecting import status_now
from boothlab.errors import PlanError, RunBusy, RunDamaged
from boothlab.files import TEMPORARY_MARK, write_json
from boothlab.runs.events import Stepped
from boothlab.runs.run import Run, create_run, open_run, step_name
from boothlab.runs.status import LEGAL_MOVES, STATES, State, Status, require_legal

DIGEST = "0123456789abcdef" * 4

LEGAL: set[tuple[State, State]] = {
    ("created", "running"), ("created", "failed"), ("created", "cancelled"),
    ("running", "finished"), ("running", "failed"), ("running", "cancelled"), ("running", "lost"),
    ("finished", "running"), ("failed", "running"), ("cancelled", "running"), ("lost", "running"),
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(tmp_path, "ada", DIGEST, None, {"name": "ada"}, "name = 'ada'\n", {"format": 1})


@pytest.mark.parametrize(("old", "new"), list(product(STATES, STATES)))
def test_moves(old: State, new: State) -> None:
    assert LEGAL_MOVES.keys() == set(STATES)
    if (old, new) in LEGAL:
        require_legal(old, new)
    else:
        with pytest.raises(ValueError, match=f"from '{old}' to '{new}'"):
            require_legal(old, new)


def test_a_new_run(run: Run) -> None:
    assert run.name == "ada-01234567"
    assert (run.status().state, run.status().step) == ("created", 0)
    assert run.plan() == {"name": "ada"}
    assert run.events() == []
    assert run.snapshot_steps() == []
    with pytest.raises(FrozenInstanceError):
        run.path = Path()  # type: ignore[misc]


def test_the_same_plan_finds_the_same_folder_and_another_is_refused(run: Run, tmp_path: Path) -> None:
    run.move("running", 3)
    again = create_run(tmp_path, "ada", DIGEST, None, {"name": "other"}, "", {})
    assert again == run
    assert again.status().state == "running"
    assert again.plan() == {"name": "ada"}
    with pytest.raises(RunDamaged, match="belongs to another plan"):
        create_run(tmp_path, "ada", DIGEST[:-1] + "0", None, {}, "", {})


def test_a_folder_whose_making_was_interrupted_is_made_again(run: Run, tmp_path: Path) -> None:
    (run.path / "plan.json").unlink()
    with pytest.raises(PlanError, match="no plan.json"):
        open_run(run.path)
    assert create_run(tmp_path, "ada", DIGEST, None, {"name": "ada"}, "", {}).plan() == {"name": "ada"}
    assert open_run(run.path) == run


@pytest.mark.parametrize("typed", [".", "photos/..", "../latest"])
def test_a_run_has_its_folders_name_however_it_was_named(
    typed: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export notes it, and `forget` finds the export by it."""
    (run.path / "photos").mkdir(exist_ok=True)
    (run.path.parent / "latest").symlink_to(run.path)
    monkeypatch.chdir(run.path)
    assert open_run(Path(typed)).name == run.name


def test_a_wrong_name_gets_a_suggestion(run: Run) -> None:
    with pytest.raises(PlanError) as caught:
        open_run(run.path.parent / "ada")
    assert "Did you mean ada-01234567?" in caught.value.hint


@pytest.mark.parametrize("typed", ["ada-*", "**", "runs/*/ada-*", "*"])
def test_a_pattern_that_matched_nothing_is_a_wrong_name(run: Run, typed: str) -> None:
    """A shell hands on what matches nothing as it was typed, and some shells everything."""
    with pytest.raises(PlanError, match="is not a run folder"):
        open_run(run.path.parent / typed)
    with pytest.raises(PlanError, match="is not a run folder") as found:
        open_run(run.path.parent / f"{run.name[:5]}*")
    assert run.name in found.value.hint


def test_moves_are_written_and_illegal_ones_refused(run: Run) -> None:
    run.move("running", 5)
    run.move("running", 6)
    run.move("failed", 6, "no luck")
    assert (run.status().state, run.status().step, run.status().reason) == ("failed", 6, "no luck")
    with pytest.raises(ValueError, match="from 'failed' to 'finished'"):
        run.move("finished", 6)
    assert run.status().state == "failed"


@pytest.mark.parametrize("tree", [{}, {"state": "flying", "step": 1, "reason": ""}, {"state": "running"}, [1]])
def test_damaged_status_is_named(run: Run, tree: object) -> None:
    write_json(run.path / "status.json", tree)
    with pytest.raises(RunDamaged, match="status.json"):
        run.status()


def test_one_writer_at_a_time(run: Run) -> None:
    with run.writing(), pytest.raises(RunBusy, match="Another process is working on"), Run(run.path).writing():
        pass
    with run.writing():
        pass


def test_what_a_killed_writer_left_is_cleaned_up(run: Run) -> None:
    run.move("running", 7)
    event = Stepped(1, 0.5, 0.5, None, 1.0, 1e-6, 0.1)
    run.say(event)
    with (run.path / "events.jsonl").open("ab") as file:
        file.write(b'{"kind": "step')
    for folder in (run.path, run.checkpoints, run.snapshots):
        folder.mkdir(exist_ok=True)
        (folder / f"step-000003{TEMPORARY_MARK}1-ab").mkdir()
    with run.writing():
        assert run.status().state == "lost"
        assert run.status().step == 7
        assert "is gone" in run.status().reason
        assert (run.path / "events.jsonl").read_bytes().endswith(b"}\n")
        assert [p for p in run.path.rglob("*") if TEMPORARY_MARK in p.name] == []
    assert run.events() == [event]


def test_how_far_a_run_is_that_another_process_trains(run: Run) -> None:
    assert run.reached() == 0
    for step in range(1, 200):
        run.say(Stepped(step, 0.1, 0.1, None, 1.0, 1e-6, 0.5))
    assert run.reached() == 199
    log = run.path / "events.jsonl"
    with log.open("ab") as file:
        file.write(b'{"kind": "stepped", "step": 200, "lo')
    assert run.reached() == 199, "a line that is being written is none"
    log.write_bytes(b"\xff\n" + log.read_bytes()[:30])
    assert run.reached() == 0


def test_other_states_are_left_alone(run: Run) -> None:
    run.move("running", 7)
    run.move("failed", 7, "why")
    with run.writing():
        assert (run.status().state, run.status().reason) == ("failed", "why")


def test_snapshots_are_those_that_are_whole(run: Run) -> None:
    for name in (step_name(30), step_name(5), "step-000007.partial-1-a", "other"):
        (run.snapshots / name).mkdir(parents=True)
    assert run.snapshot_steps() == [5, 30]
    assert step_name(1234567) == "step-1234567"


@pytest.mark.parametrize("name", ["../x", "a/b", "a:b", "con\tx", ".hidden", "x."])
def test_a_subject_s_name_cannot_lead_out_of_its_folder(name: str) -> None:
    from pydantic import ValidationError

    from boothlab.subjects import Subject

    with pytest.raises(ValidationError, match="letters, digits, spaces"):
        Subject(name=name, photos=Path("photos"))


def test_a_subject_may_be_called_as_people_are() -> None:
    from boothlab.subjects import Subject

    for name in ("ada", "Ada Lovelace", "zoë-2", "J.Doe"):
        assert Subject(name=name, photos=Path("photos")).name == name


def test_a_run_that_was_removed_is_not_begun_anew(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written into its folder, nobody would find again."""
    acquire = FileLock.acquire

    def late(lock: FileLock, *given: Any, **more: Any) -> Any:
        shutil.rmtree(run.path, ignore_errors=True)
        return acquire(lock, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(FileLock, "acquire", late)
        with pytest.raises(RunDamaged, match=r"plan\.json is gone"), run.writing():
            pass
    assert not run.path.exists(), "removed between the look and the lock"
    with pytest.raises(RunDamaged, match=r"plan\.json is gone"), run.writing():
        pass
    assert not run.path.exists(), "removed before"


def test_whether_a_run_is_still_run(run: Run) -> None:
    assert not run.is_held()
    with run.writing():
        assert run.is_held()
    assert not run.is_held()


def test_what_is_shown_of_a_run_that_another_process_trains_and_of_one_that_was_killed(run: Run) -> None:
    run.move("running", 0)
    for step in range(1, 8):
        run.say(Stepped(step, 0.1, 0.1, None, 1.0, 1e-6, 0.5))
    with FileLock(run.path / ".lock"):
        assert status_now(run) == Status("running", 7)
    before = (run.path / "status.json").read_bytes()
    gone = status_now(run)
    assert (gone.state, gone.step) == ("lost", 7)
    assert "is gone; the command that made it goes on" in gone.reason
    assert (run.path / "status.json").read_bytes() == before, "to show writes nothing"
    with run.writing():
        pass
    assert status_now(run) == gone
