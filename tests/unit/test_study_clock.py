"""How long a study will still take is told by what this call does; an earlier one says nothing of the pace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from boothlab.api.resolving import run_of
from boothlab.api.studies import running as studying
from boothlab.api.studies.costs import Cost, taken_before
from boothlab.api.studies.resolving import resolve_study
from boothlab.api.studies.running import Clock
from boothlab.plan import plan_from
from boothlab.runs.events import Resumed, Started, Stepped
from boothlab.studies.share import Trunk
from study_made import RATE, write_study

TRUNK = Trunk(
    plan_from({"subjects": [{"name": "ada", "photos": "photos"}]}, "test"), {}, 1000, {"one": 1000}, own=1000
)


def stepped(step: int) -> Stepped:
    return Stepped(step, 0.1, 0.1, None, 1.0, 1e-6, 1.0)


def told(passed: float, done: float, total: float) -> tuple[int, int]:
    """What is to be told once ``done`` of ``total`` estimated seconds took ``passed``, beside the minute believed."""
    return round(passed), round(passed + (total - done) * (passed + 60) / (done + 60))


class Hand:
    """The clock of ten trainings of 1,000 steps, 1,000 s and 10 s of scores each, moved by hand; what it tells."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.told = 0.0, list[tuple[int, int]]()
        monkeypatch.setattr(studying.time, "monotonic", lambda: self.now)
        costs: Any = SimpleNamespace(costs=[Cost(1000.0, 10.0, False)] * 10)
        self.clock = Clock(costs, lambda stage, done, total: self.told.append((done, total)), {})

    def turn(self, index: int, first: int, trunk: Trunk = TRUNK) -> None:
        """A training that takes 20 s to begin, and then a second for each of its steps from ``first`` on."""
        with self.clock.turn(index, trunk, lambda event: None) as heard:
            self.now += 20
            heard(Resumed(first) if first else Started(0, steps=1000, parameters=1))
            for step in range(first, 1000):
                self.now += 1
                heard(stepped(step + 1))
            self.now += 10


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    return Hand(monkeypatch)


def test_a_training_that_goes_on_near_its_end_promises_nothing_of_the_others(hand: Hand) -> None:
    """100 of its 1,000 steps are left: 110 of 9,200 s were done in 130. As a whole one it promised 22 min in all."""
    hand.turn(0, first=900)
    assert hand.told[49] == told(70, 50, 9200)
    assert hand.told[-1] == told(130, 110, 9200)
    hand.turn(1, first=0)
    assert hand.told[-1] == told(1160, 1120, 9200)


def test_one_that_was_trained_before_and_not_scored_is_worth_its_scores(hand: Hand) -> None:
    hand.turn(0, first=1000)
    assert hand.told == [told(30, 10, 9100)]


def test_a_study_that_takes_a_minute_to_begin_does_not_promise_days(hand: Hand) -> None:
    """69 s of loading and one step of 10,100: by that pace alone it would be told to take eight days."""
    with hand.clock.turn(0, TRUNK, lambda event: None) as heard:
        hand.now += 69
        heard(Started(0, steps=1000, parameters=1))
        hand.now += 1
        heard(stepped(1))
    assert hand.told[0] == told(70, 1, 10100)
    assert hand.told[0][1] < 6 * 3600


def test_steps_that_another_training_took_are_none_of_its_own(hand: Hand) -> None:
    """What its estimate counts are the last 400 steps, all of them taken now."""
    hand.turn(0, first=600, trunk=replace(TRUNK, own=400))
    assert hand.told[199] == told(220, 500, 10100)
    assert hand.told[-1] == told(430, 1010, 10100)


def test_a_training_finds_the_steps_of_runs_that_it_goes_on_from(tiny_sd: Path, tmp_path: Path) -> None:
    place = tmp_path / "studies"
    short = resolve_study(write_study(tmp_path, tiny_sd, axes={"training.steps": [4]}), place)
    assert taken_before(short) == {0: 0.0}
    run_of(short.of(short.shared.trunks[0]), short.root).say(stepped(4))
    assert taken_before(short) == {0: 1.0}
    grid = write_study(tmp_path, tiny_sd, axes={RATE: [1e-3, 1e-2], "training.steps": [8]})
    assert taken_before(resolve_study(grid, place)) == {0: 0.5, 1: 0.0}
    # On a stem to step 5 and, for the longer one, from there to 7: its own steps are 6 to 8.
    decay = {"rate": {"kind": "stable_decay", "decay": 2}}
    runs = [{"name": f"{steps}", "settings": {"training": {"steps": steps, **decay}}} for steps in (6, 8)]
    assert taken_before(resolve_study(write_study(tmp_path, tiny_sd, runs=runs), place)) == {0: 4 / 6, 1: 0.0}
