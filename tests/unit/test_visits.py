"""Pairs are looked at in an order in which each side is fetched once or little more, whatever fits at once."""

from __future__ import annotations

from collections import Counter

import pytest

from boothlab.studies.visits import visits


def grid(rows: int, columns: int) -> list[tuple[int, int]]:
    """Neighbours on a grid, as a study lists them: one axis after the other."""
    down = [(row * columns + k, (row + 1) * columns + k) for row in range(rows - 1) for k in range(columns)]
    along = [(row * columns + k, row * columns + k + 1) for k in range(columns - 1) for row in range(rows)]
    return [*down, *along]


def fetched(pairs: list[tuple[int, int]], room: int, size: int = 1) -> Counter[int]:
    """How often each thing was fetched; every pair must have been seen once, its sides the right way round."""
    calls: Counter[int] = Counter()

    def fetch(thing: int) -> str:
        calls[thing] += 1
        return f"thing {thing}"

    seen = {}
    for visit in visits(pairs, fetch, lambda thing: size, room):
        assert visit.number not in seen
        seen[visit.number] = (visit.first, visit.second)
    assert seen == {number: (f"thing {a}", f"thing {b}") for number, (a, b) in enumerate(pairs)}
    return calls


@pytest.mark.parametrize(("room", "most"), [(1, 2.0), (6, 1.15), (12, 1.0), (1000, 1.0)])
@pytest.mark.parametrize("shape", [(10, 20), (20, 10)])
def test_on_a_grid_of_two_hundred_everything_is_fetched_once_or_little_more(
    shape: tuple[int, int], room: int, most: float
) -> None:
    calls = fetched(grid(*shape), room)
    assert len(calls) == 200
    assert sum(calls.values()) <= most * 200


def test_no_more_is_held_than_there_is_room_for() -> None:
    alive: set[int] = set()

    class Thing:
        def __init__(self, number: int) -> None:
            self.number = number
            alive.add(number)

        def __del__(self) -> None:
            alive.discard(self.number)

    most = 0
    for visit in visits(grid(6, 8), Thing, lambda thing: 10, 40):
        assert {visit.first.number, visit.second.number} <= alive
        most = max(most, len(alive))
        del visit
    assert most <= 4 + 1, "and the one that comes"


def test_a_control_is_held_while_all_others_pass() -> None:
    assert set(fetched([(0, k) for k in range(1, 50)], room=2).values()) == {1}
    assert set(fetched([(k, 0) for k in range(1, 50)], room=1000).values()) == {1}


def test_pairs_that_come_twice_and_pairs_of_one_thing_are_seen_as_often_as_they_are_listed() -> None:
    assert fetched([(0, 1), (1, 0), (0, 1), (2, 2), (3, 2)], room=1) == {0: 1, 1: 1, 2: 1, 3: 1}
    assert fetched([], room=1) == {}
