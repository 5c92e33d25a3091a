"""`train --track`: a training whose events dashboards hear too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from boothlab.api.pictures import plan_of
from boothlab.api.resolving import Resolved, run_of
from boothlab.config.show import flatten
from boothlab.plan import for_others
from boothlab.runs.events import Event
from boothlab.tracking.tracker import Tracking, open_trackers

FOLDER = "tracking"
"""Where trackers write, below the run folder."""


@contextmanager
def tracked(
    resolved: Resolved, root: Path, names: Sequence[str], listen: Callable[[Event], None]
) -> Iterator[Callable[[Event], None]]:
    """``listen`` together with the trackers of ``names``, open for the length of a training."""
    if not names:
        yield listen
        return
    run = run_of(resolved, root)
    if run.status().state == "finished":
        yield listen
        return
    # Where photos lie is nobody's business who may be shown the dashboard.
    flat = dict(flatten(for_others(plan_of(run))))
    events = run.events()
    trackers = open_trackers(names, run.path / FOLDER, run.name, flat, events[-1].step if events else 0)
    tracking = Tracking(trackers, run.path / "previews", run.say)

    def both(event: Event) -> None:
        tracking.hear(event)
        listen(event)

    try:
        yield both
    finally:
        tracking.end()
