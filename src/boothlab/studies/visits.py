"""In which order to look at pairs of things that are dear to fetch and too large to be all held at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Visit(Generic[T]):
    """Both sides of one pair, by its number."""

    number: int
    first: T
    second: T


def visits(
    pairs: Sequence[tuple[int, int]], fetch: Callable[[int], T], size: Callable[[T], int], room: int
) -> Iterator[Visit[T]]:
    """Every pair of ``pairs`` once, while things of no more than ``room`` are held, beside the one that comes.

    A thing is let go with its last pair. So who comes next is the partner of held things that lets the most of them
    go, and of these the one with the fewest other pairs. Where room is wanted the longest held goes, to come again.
    On a 10 × 20 grid whose neighbours are pairs everything is fetched once with room for twelve, 1.1 times for six.
    """
    waiting = _partners(pairs)
    held: dict[int, T] = {}
    while waiting:
        coming = _next(held, waiting)
        thing = fetch(coming)
        _make_room(held, waiting, coming, room - size(thing), size)
        held[coming] = thing
        for partner in [partner for partner in waiting[coming] if partner in held]:
            for number in waiting[coming].pop(partner):
                first, second = pairs[number]
                yield Visit(number, held[first], held[second])
            waiting[partner].pop(coming, None)
        for done in [one for one in held if not waiting[one]]:
            del waiting[done], held[done]


Waiting = dict[int, dict[int, list[int]]]
"""Thing → partner → numbers of their pairs that are still to be looked at."""


def _partners(pairs: Sequence[tuple[int, int]]) -> Waiting:
    waiting: Waiting = {}
    for number, (first, second) in enumerate(pairs):
        waiting.setdefault(first, {}).setdefault(second, []).append(number)
        if first != second:
            waiting.setdefault(second, {}).setdefault(first, []).append(number)
    return waiting


def _next(held: Mapping[int, object], waiting: Waiting) -> int:
    """Where nothing is held, one with few pairs: the corner of a grid."""
    freed: dict[int, int] = {}
    ready: dict[int, int] = {}
    for thing in held:
        for partner in waiting[thing]:
            freed[partner] = freed.get(partner, 0) + (len(waiting[thing]) == 1)
            ready[partner] = ready.get(partner, 0) + 1
    if not ready:
        return min(waiting, key=lambda one: len(waiting[one]))
    return min(ready, key=lambda one: (-freed[one], len(waiting[one]) - ready[one]))


def _make_room(held: dict[int, T], waiting: Waiting, coming: int, room: int, size: Callable[[T], int]) -> None:
    """Let go until the others take no more than ``room``; one that the coming thing is wanted for stays."""
    taken = sum(size(thing) for thing in held.values())
    for thing in sorted(held, key=lambda one: coming in waiting[one]):
        if taken <= room or len(held) == 1:
            return
        taken -= size(held.pop(thing))
