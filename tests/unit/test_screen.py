"""What is said where no terminal is: seldom, with the time left, and never of work done before this command."""

from __future__ import annotations

import pytest

from boothlab.cli.screen import _left, _Lines


def test_lines_come_every_ten_seconds_and_tell_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    now = [100.0]
    lines = _Lines(lambda: now[0])
    lines("training", 40, 300)  # resumed: the first 40 steps cost this command nothing
    for done in range(41, 101):
        now[0] += 0.25
        lines("training", done, 300)
    now[0] += 50.0
    lines("training", 300, 300)
    assert capsys.readouterr().err.splitlines() == [
        "training: 40 of 300",
        "training: 80 of 300, about 55 s left",
        "training: 300 of 300",
    ]


def test_trainings_side_by_side_are_counted_and_promise_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """One of 32 after a quarter of an hour, while another is nearly done, is no seven hours."""
    now = [0.0]
    lines = _Lines(lambda: now[0])
    lines("trainings", 0, 32)
    lines("whole study (s)", 0, 8000)
    now[0] = 900.0
    lines("trainings", 1, 32)
    lines("whole study (s)", 900, 8100)
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "trainings: 1 of 32",
        "whole study (s): 900 of 8100, about 2 h 0 min left",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, ""), (0.2, ", about 1 s left"), (65.4, ", about 1 min 5 s left"), (7512.0, ", about 2 h 5 min left")],
)
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert _left(seconds) == said
