"""What a person sees while work goes on: bars on a terminal, a line now and then elsewhere; always on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from boothlab.progress import Progress

SECONDS_BETWEEN_LINES = 10.0

SIDE_BY_SIDE = "trainings"
"""A stage whose parts go several at a time: how many are done says little of the time left, and the whole study's own
line says it."""


@contextmanager
def progress_screen() -> Iterator[Progress]:
    """A progress listener for the length of a command."""
    if sys.stderr.isatty():
        with _bars() as listener:
            yield listener
    else:
        yield _Lines()


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress
    from rich.text import Text

    class Remaining(TimeRemainingColumn):
        def render(self, task: Task) -> Text:
            return Text("") if task.description == SIDE_BY_SIDE else Text("left ") + super().render(task)

    columns = (
        TextColumn("{task.description:>14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        Remaining(),
    )
    tasks: dict[str, Any] = {}
    with RichProgress(*columns, console=Console(stderr=True)) as bars:

        def listener(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield listener


class _Lines:
    """One line when a stage begins, every ten seconds with the time left, and when it ends."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: dict[str, tuple[float, int]] = {}
        """Stage -> when it was first heard of, and what was done of it then: that was not this command's work."""
        self._said: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = self._clock()
        begun, before = self._begun.setdefault(stage, (now, done))
        if done >= total or now - self._said.get(stage, float("-inf")) >= SECONDS_BETWEEN_LINES:
            self._said[stage] = now
            tells = before < done < total and stage != SIDE_BY_SIDE
            left = (now - begun) / (done - before) * (total - done) if tells else 0.0
            print(f"{stage}: {done} of {total}{_left(left)}", file=sys.stderr, flush=True)


def _left(seconds: float) -> str:
    """How much longer, as people say it; nothing where it is not known or at an end."""
    if seconds <= 0:
        return ""
    minutes, rest = divmod(max(1, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    said = f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f", about {said} left"


def say(text: str) -> None:
    """A result, for people: on stdout."""
    print(text)


def warn(text: str) -> None:
    """What to know beside the results: on stderr."""
    print(f"warning: {text}", file=sys.stderr, flush=True)


def say_json(value: Any) -> None:
    """A result, for machines: on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))
