"""`train --track`: a training whose events dashboards hear too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from boothlab.api.pictures import plan_of
from boothlab.api.previewing import previews_of
from boothlab.config.show import flatten
from boothlab.plan import for_others
from boothlab.runs.events import Event, Warned
from boothlab.runs.run import Run
from boothlab.tracking.tracker import Tracking, open_trackers

FOLDER = "tracking"
"""Where trackers write, below the run folder."""


@contextmanager
def tracked(run: Run, names: Sequence[str], listen: Callable[[Event], None]) -> Iterator[Callable[[Event], None]]:
    """``listen`` together with the trackers of ``names``, which are opened when ``run`` has said its first event.

    Only then does its log tell which part of an earlier life counts. The caller holds the run, or a command that is
    refused would write among what a training tells its dashboards.
    """
    tracking: Tracking | None = None

    def both(event: Event) -> None:
        nonlocal tracking
        if tracking is None:
            tracking = _retold(run, names)
        tracking.hear(event)
        listen(event)

    try:
        yield both if names else listen
    finally:
        if tracking is not None:
            tracking.end()


def retell(run: Run, names: Sequence[str]) -> None:
    """Make the dashboards of ``names`` of a run that has nothing more to say."""
    if names:
        _retold(run, names).end()


def _retold(run: Run, names: Sequence[str]) -> Tracking:
    """Trackers of ``names``, opened anew and told all that the log of ``run`` holds."""

    def warn(text: str) -> None:
        run.say(Warned(run.reached(), "tracker", text))

    # Where photos lie is nobody's business who may be shown the dashboard.
    flat = dict(flatten(for_others(plan_of(run))))
    tracking = Tracking(open_trackers(names, run.path / FOLDER, run.name, flat, warn), previews_of(run), warn)
    for event in run.events():
        tracking.hear(event)
    return tracking
