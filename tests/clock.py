"""How long our own code takes, for tests that set a bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def quickest(work: Callable[[], T], clock: Callable[[], float] = time.thread_time) -> tuple[float, T]:
    """(seconds, result) of the fastest of three calls, as ``timeit`` advises: what makes one slower is the machine.

    Threads that earlier tests left behind do not count with ``time.thread_time``, but a host that takes the
    processor away does: once in a while that alone makes a tenth of a second into more than one.
    """
    found = []
    for _ in range(3):
        started = clock()
        result = work()
        found.append((clock() - started, result))
    return min(found, key=lambda pair: pair[0])
