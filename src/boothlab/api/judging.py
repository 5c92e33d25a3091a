"""The verdict on a run: every snapshot measured, one recommended, and that one scored again on fresh seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from boothlab.api.pictures import fresh_pictures
from boothlab.evaluation.derived import COPIED, MEMORISATION, Table, derived
from boothlab.evaluation.evaluate import evaluate
from boothlab.evaluation.lots import Judged, Lot, Photos, judged
from boothlab.evaluation.measure import Closeness, Dealt, Measurer, cannot_remember, closeness, loss_gaps
from boothlab.evaluation.scores import Score
from boothlab.evaluation.verdict import judge
from boothlab.evaluation.verdict_data import Measured, Verdict
from boothlab.features.faces import Domain
from boothlab.metrics import METRICS
from boothlab.plan import RunPlan
from boothlab.progress import Progress, silent
from boothlab.runs.events import Validated
from boothlab.runs.run import Run
from boothlab.subjects import Subject

RESCORED = ("identity", "prompt_following", "face_found")
"""What the winner is scored by again."""


@dataclass(frozen=True, slots=True)
class Near:
    """One bare picture and the training photo it is nearest to; numbers count from 0 within their set."""

    source: str
    picture: int
    photo: int
    distance: float
    flagged: bool


@dataclass(frozen=True, slots=True)
class Ruling:
    """One subject's verdict and what it stands on. ``fresh`` is the winner on pictures that did not choose it."""

    subject: str
    verdict: Verdict
    measured: tuple[Measured, ...]
    near: tuple[Near, ...]
    fresh: Measured | None


def rule(
    run: Run,
    plan: RunPlan,
    subject: Subject,
    seen: Judged,
    table: Table,
    domain: Domain,
    dealt: Dealt,
    progress: Progress = silent,
) -> tuple[Ruling, list[Score]]:
    """The verdict on one subject of a run, and the scores that came with it (copies, memorisation).

    ``dealt`` says how its photos were parted.
    """
    looks = [(e.step, e.train_loss, e.held_out_loss) for e in run.events() if isinstance(e, Validated)]
    # The looks are means over all subjects' photos: with several they are nobody's.
    gaps = loss_gaps(looks) if len(plan.subjects) == 1 else {}
    features = run.path / "features"
    measurer = Measurer(seen, table, domain, gaps, features, dealt)
    sources = [name for name in seen.sources() if name.startswith("step-")]
    closeness_of: dict[str, Closeness | None] = {}
    control = cannot_remember(seen) if sources else None
    for done, name in enumerate(sources):
        lot = seen.lot(name, "bare")
        closeness_of[name] = None if lot is None else closeness(seen, lot, control, dealt.groups)
        progress("copies", done + 1, len(sources))
    measured = tuple(measurer.measured(name, step_of(name), closeness_of[name]) for name in sources)
    verdict = judge(measured)
    found, near = [], []
    for name, close in closeness_of.items():
        lot = seen.lot(name, "bare")
        if close is not None and lot is not None:
            near += [Near(name, k, f.photo, f.distance, f.flagged) for k, f in enumerate(close.copies.flags)]
            found += _scores(run.name, lot, close)
    fresh = _fresh(run, plan, subject, measurer, verdict.recommended, progress)
    return Ruling(subject.name, verdict, measured, tuple(near), fresh), found


def step_of(snapshot: str) -> int:
    """``step-000250`` → 250."""
    return int(snapshot.removeprefix("step-"))


def _scores(run: str, lot: Lot, close: Closeness) -> list[Score]:
    each = [
        Score(run, lot.source, lot.role, COPIED.name, "train", prompt, seed, 1, float(flag.flagged))
        for prompt, seed, flag in zip(lot.prompts, lot.seeds, close.copies.flags, strict=True)
    ]
    if close.copies.limit is None:
        each = []
    test = close.memorisation
    if test is not None:
        each.append(Score(run, lot.source, lot.role, MEMORISATION.name, "held_out", "", "", len(lot), test.p))
    return each


def _fresh(
    run: Run, plan: RunPlan, subject: Subject, first: Measurer, name: str | None, progress: Progress
) -> Measured | None:
    """The winner once more, on context pictures from seeds that had no part in choosing it."""
    if name is None:
        return None
    photos = Photos(first.seen.references["train"].pixels, first.seen.references["held_out"].pixels)
    seen = judged({name: fresh_pictures(run, plan, subject, name, progress)}, photos)
    seen = replace(seen, lots=tuple(lot for lot in seen.lots if lot.source == name))
    metrics = [metric for metric in METRICS if metric.name in RESCORED]
    again, _, pairs = evaluate(run.name, seen, metrics, first.domain, first.features)
    others = [s for cell in first.table.cells.values() for s in cell if s.snapshot != name]
    scores = [*others, *again]
    table = Table([*scores, *derived([s for s in scores if not s.metric.startswith("identity_")])], pairs)
    return replace(first, seen=seen, table=table).measured(name, step_of(name), None)
