"""What every event promises: one line of JSON, there and back, whatever happens to the file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import get_type_hints

import pytest

from boothlab.runs import events
from boothlab.runs.events import (
    EVENT_TYPES,
    CheckpointSaved,
    Event,
    Finished,
    Resumed,
    SnapshotSaved,
    Started,
    Stepped,
    Warned,
    append,
    current,
    from_line,
    mend,
    read,
    to_line,
)

VALUES: dict[object, object] = {int: 7, float: 0.1 + 0.2, str: 'Ünï "code"\n in two lines'}


def one_of(kind: type[Event]) -> Event:
    """An event of this kind with awkward values."""
    hints = get_type_hints(kind)
    made = {}
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        made[field.name] = VALUES.get(hint)
    return kind(**made)


def stepped(step: int, loss: float = 0.5) -> Stepped:
    return Stepped(step, loss, loss, None, 1.0, 1e-6, 0.1)


@pytest.fixture(params=EVENT_TYPES, ids=lambda kind: kind.kind)
def kind(request: pytest.FixtureRequest) -> type[Event]:
    """Every type of event."""
    return request.param  # type: ignore[no-any-return]


def test_there_and_back(kind: type[Event]) -> None:
    event = one_of(kind)
    line = to_line(event)
    assert "\n" not in line
    assert from_line(line) == event
    assert json.loads(line)["kind"] == kind.kind


def test_is_frozen_documented_and_listed_once(kind: type[Event]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        one_of(kind).step = 3  # type: ignore[misc]
    assert kind.__doc__
    assert [other.kind for other in EVENT_TYPES].count(kind.kind) == 1
    defined = {v for v in vars(events).values() if isinstance(v, type) and issubclass(v, Event) and v is not Event}
    assert kind in defined
    assert defined == set(EVENT_TYPES)


def test_unknown_fields_are_ignored_and_missing_ones_are_torn(kind: type[Event]) -> None:
    event = one_of(kind)
    tree = json.loads(to_line(event))
    assert from_line(json.dumps({**tree, "invented_later": 3})) == event
    del tree["step"]
    assert from_line(json.dumps(tree)) is None


@pytest.mark.parametrize(
    "line",
    ["", "{", "null", "3", '"text"', "[]", '{"kind": "from_the_future", "step": 1}', '{"step": 1}', "\x00\x00"],
)
def test_what_is_no_event_is_skipped(line: str) -> None:
    assert from_line(line) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_a_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_line(stepped(1, value))


def test_appended_lines_are_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    said = [one_of(kind) for kind in EVENT_TYPES]
    for event in said:
        append(path, event)
    assert read(path) == said
    assert read(tmp_path / "absent.jsonl") == []


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_torn_last_line_is_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "events.jsonl"
    append(path, stepped(1))
    whole = path.read_bytes()
    append(path, stepped(2))
    path.write_bytes(path.read_bytes()[:-cut])
    assert read(path) == [stepped(1)] if cut > 1 else True
    assert mend(path) is True
    assert path.read_bytes() == whole
    assert mend(path) is False
    append(path, stepped(2))
    assert read(path) == [stepped(1), stepped(2)]


def test_mending_nothing() -> None:
    assert mend(Path("absent.jsonl")) is False


def test_torn_line_in_the_middle_costs_one_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    append(path, stepped(1))
    with path.open("ab") as file:
        file.write(b'{"kind": "stepped", "step": 2, "lo\xff\n')
    append(path, stepped(3))
    assert read(path) == [stepped(1), stepped(3)]


def test_resume_makes_later_events_void() -> None:
    said = [
        Started(0, 4, 10),
        stepped(1),
        CheckpointSaved(1),
        stepped(2, 0.7),
        stepped(3, 0.8),
        Resumed(1),
        stepped(2, 0.2),
        Resumed(1),
        stepped(2, 0.3),
        stepped(3, 0.3),
    ]
    assert current(said) == [Started(0, 4, 10), stepped(1), CheckpointSaved(1), stepped(2, 0.3), stepped(3, 0.3)]


def test_starting_over_makes_everything_void() -> None:
    said = [Started(0, 4, 10), Warned(0, "identifier", "rare"), stepped(1, 0.9), stepped(2, 0.9)]
    again = [Started(0, 4, 10), Warned(0, "identifier", "rare"), stepped(1, 0.1)]
    assert current([*said, *again]) == again


def test_what_is_said_twice_counts_once() -> None:
    snapshot, finished = SnapshotSaved(4, "step-000004", 99), Finished(4)
    said = [Started(0, 4, 10), stepped(4), snapshot, CheckpointSaved(4), finished]
    assert current([*said, Resumed(4), snapshot, CheckpointSaved(4), finished]) == said
