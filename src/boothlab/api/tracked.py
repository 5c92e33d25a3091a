"""`train --track`: a training whose events dashboards hear too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from boothlab.api.pictures import plan_of
from boothlab.config.show import flatten
from boothlab.plan import for_others
from boothlab.runs.events import Event
from boothlab.runs.run import Run
from boothlab.tracking.tracker import Tracking, open_trackers

FOLDER = "tracking"
"""Where trackers write, below the run folder."""


@contextmanager
def tracked(
    run: Run, names: Sequence[str], step: int, listen: Callable[[Event], None]
) -> Iterator[Callable[[Event], None]]:
    """``listen`` together with the trackers of ``names``, open while ``run`` trains on from ``step``.

    The caller holds the run, or a command that is refused would write among what a training tells its dashboards.
    """
    if not names:
        yield listen
        return
    # Where photos lie is nobody's business who may be shown the dashboard.
    flat = dict(flatten(for_others(plan_of(run))))
    trackers = open_trackers(names, run.path / FOLDER, run.name, flat, step)
    tracking = Tracking(trackers, run.path / "previews", run.say, step)

    def both(event: Event) -> None:
        tracking.hear(event)
        listen(event)

    try:
        yield both
    finally:
        tracking.end()
