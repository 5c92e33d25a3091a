"""`evaluate`: pictures of all snapshots and of the base model, scored by every metric."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from boothlab.api.pictures import evaluation_pictures, plan_of
from boothlab.api.resolving import photo_sets_of
from boothlab.evaluation.evaluate import Unavailable, evaluate
from boothlab.evaluation.scores import Score, Summary, summarise, write_scores
from boothlab.features.feature import Pictures
from boothlab.files import write_json
from boothlab.metrics import METRICS
from boothlab.metrics.metric import Reference
from boothlab.photos.photoset import PhotoSet
from boothlab.progress import Progress, silent
from boothlab.runs.run import Run


@dataclass(frozen=True, slots=True)
class Evaluated:
    """All scores of a run, one line per metric, and what could not be computed and why."""

    run: Run
    scores: tuple[Score, ...]
    summaries: tuple[Summary, ...]
    unavailable: tuple[Unavailable, ...]


def evaluate_run(run: Run, progress: Progress = silent) -> Evaluated:
    """Draw what is missing, score everything, write ``scores.csv`` and ``summary.json``."""
    plan = plan_of(run)
    with run.writing():
        drawn = evaluation_pictures(run, plan, plan.evaluation, progress)
        sets = photo_sets_of(run, plan)
        scores: list[Score] = []
        unavailable: list[Unavailable] = []
        for subject in plan.subjects:
            found, missing = evaluate(
                run.name, drawn[subject.name], references(sets[subject.name]), METRICS, progress
            )
            if len(plan.subjects) > 1:
                found = [replace(score, reference=f"{score.reference}/{subject.name}") for score in found]
            scores += found
            unavailable += missing
        unavailable = list(dict.fromkeys(unavailable))
        summaries = summarise(scores)
        write_scores(run.path / "scores.csv", scores)
        tree = {
            "format": 1,
            "run": run.name,
            "summaries": [asdict(line) for line in summaries],
            "unavailable": [asdict(line) for line in unavailable],
        }
        write_json(run.path / "summary.json", tree)
    return Evaluated(run, tuple(scores), tuple(summaries), tuple(unavailable))


def references(photo_set: PhotoSet) -> dict[Reference, Pictures]:
    """The photos that pictures are compared with, by part."""
    return {
        "held_out": [photo.pixels for photo in photo_set.held_out],
        "train": [photo.pixels for photo in photo_set.train],
    }
