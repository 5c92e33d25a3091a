"""Numbers as people write them."""

from __future__ import annotations

import pytest

from boothlab.cli.check import duration, steps
from boothlab.statistics.digits import seconds


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"), (0.00004, "0.00004"), (0.0123, "0.012"), (0.5, "0.5"), (3.14159, "3.1"), (9.96, "10"),
        (12.3, "12"), (99.4, "99"), (99.5, "100"), (119.6, "120"), (12345.6, "12346"),
    ],
)  # fmt: skip
def test_seconds_are_never_a_power_of_ten(value: float, said: str) -> None:
    assert seconds(value) == said


def test_lengths_of_time_go_from_seconds_to_minutes_to_hours() -> None:
    assert [duration(length) for length in (0.5, 99.7, 119.9, 120, 7199, 7200)] == [
        "0.5 s",
        "100 s",
        "120 s",
        "2.0 min",
        "120.0 min",
        "2.0 h",
    ]


def test_one_step_is_one_step() -> None:
    assert (steps(1), steps(0), steps(300)) == ("1 step", "0 steps", "300 steps")
