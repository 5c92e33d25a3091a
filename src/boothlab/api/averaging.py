"""A run whose weights are the mean of other runs', kept as its one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from boothlab.api.resolving import Resolved, run_of
from boothlab.api.tracked import retell, tracked
from boothlab.api.trainer import go_back, keep_place, record_failure, train_run
from boothlab.errors import Cancelled, RunDamaged
from boothlab.files import write_json
from boothlab.models.load import load
from boothlab.plan import snapshot_in_words
from boothlab.progress import Progress, silent
from boothlab.runs.events import Averaged, Event, Finished
from boothlab.runs.provenance import PROVENANCE, changed, provenance
from boothlab.runs.run import Run
from boothlab.strategies.mean.config import Mean
from boothlab.strategies.mean.method import average
from boothlab.training.snapshot import save


def make_run(
    resolved: Resolved,
    root: Path,
    progress: Progress = silent,
    listen: Callable[[Event], None] = lambda event: None,
    kept: Path | None = None,
    track: Sequence[str] = (),
) -> Run:
    """The run of a resolved plan: trained, as :func:`boothlab.api.trainer.train_run` says, or made of others."""
    if isinstance(resolved.plan.strategy, Mean):
        return average_run(resolved, resolved.plan.strategy, root, progress, listen, track)
    return train_run(resolved, root, progress, listen, kept, track)


def average_run(
    resolved: Resolved,
    strategy: Mean,
    root: Path,
    progress: Progress = silent,
    listen: Callable[[Event], None] = lambda event: None,
    track: Sequence[str] = (),
) -> Run:
    """Make the run of a resolved mean below ``root``; a finished one is returned as it is."""
    plan, run = resolved.plan, run_of(resolved, root)
    step = plan.training.total_steps(resolved.training_photos)
    snapshots = [Path(snapshot) for snapshot in strategy.of]
    with run.writing():
        keep_place(run, plan)
        lacking = go_back(run)  # looked for in any state: what stands there without weights is made anew
        if run.status().state == "finished" and not lacking:
            retell(run, track)
            return run
        run.move("running", 0)
        if changed(run.path):
            write_json(run.path / PROVENANCE, provenance(resolved.inputs, plan.base.device))
        with _told(run), tracked(run, track, listen) as heard:
            for snapshot in snapshots:
                if not Run(snapshot.parent.parent).has_weights(snapshot.name):
                    raise RunDamaged(f"{snapshot_in_words(str(snapshot))}, one of those averaged, is not there.")

            def export(place: Path) -> None:
                model = load(plan.base.model_copy(update={"device": "cpu"}), plan.photos.size)
                average(model, snapshots, place, plan.training.snapshot_precision, partial(progress, "averaging"))

            saved = save(run.snapshots, step, export)
            names = [snapshot_in_words(str(snapshot)) for snapshot in snapshots]
            for event in (Averaged(step, of=", ".join(names)), saved, Finished(step)):
                run.say(event)
                heard(event)
        run.move("finished", step)
    return run


@contextmanager
def _told(run: Run) -> Iterator[None]:
    """Whatever ends the making is the run's state."""
    try:
        yield
    except KeyboardInterrupt:
        run.move("cancelled", 0, "stopped by the user")
        raise Cancelled("Stopped.", "Give the same command again and it goes on from there.") from None
    except BaseException as error:
        record_failure(run, 0, error)
        raise
