"""The run that a study recommends, scored once more on pictures that had no part in choosing it.

The best of many runs is partly the luckiest: its scores are those that chose it. Other initial noises, which
no run has drawn from for its choice, say what it is worth; the page prints both.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from boothlab.api.judging import RESCORED
from boothlab.api.pictures import fresh_pictures, plan_of
from boothlab.api.resolving import domain_of, photo_sets_of
from boothlab.api.scoring import SCORING, bounds, computed_with, photos_of, shares, summaries_of
from boothlab.api.studies.resolving import Study
from boothlab.api.studies.running import attempt
from boothlab.evaluation.derived import Scale, Table
from boothlab.evaluation.evaluate import evaluate
from boothlab.evaluation.lots import Judged, judged
from boothlab.evaluation.scores import Score, read_scores, write_scores
from boothlab.evaluation.summaries import Summary, summarise
from boothlab.features.faces import Domain
from boothlab.files import read_json, sha256_json, write_json
from boothlab.metrics import METRICS
from boothlab.progress import Progress, silent
from boothlab.runs.run import Run
from boothlab.studies.points import Point, fill, lines_of_subject

SCORES, SUMMARY = "scores.csv", "summary.json"
"""What a folder of fresh scores holds; the summary is written last."""


@dataclass(frozen=True, slots=True)
class Again:
    """The recommended point with fresh numbers; None with the ``reason`` where they could not be had."""

    point: Point | None
    reason: str = ""


def score_again(study: Study, point: Point, scale: Scale | None, progress: Progress = silent) -> Again:
    """``point`` on fresh pictures: likeness on the study's ``scale``, prompt following, faces found.

    What is drawn and scored is kept in the run's folder. Whatever goes wrong is told and stops no report; Ctrl-C and
    a full disk are raised.
    """
    found: list[Point] = []

    def scoring() -> None:
        scores, lines = _scored(Run(study.root / point.folder), point, progress)
        cells = lines_of_subject(lines, point.subject, several=False)
        found.append(fill(replace(point, cells={}, pictures={}, kinds={}), Table(scores), cells, scale))

    reason = attempt(scoring)
    return Again(None, reason) if reason else Again(found[0])


def _scored(run: Run, point: Point, progress: Progress) -> tuple[list[Score], list[Summary]]:
    plan = plan_of(run)
    subject = next(found for found in plan.subjects if found.name == point.subject)
    domain = domain_of(plan.photos, plan.base)
    with run.writing():
        drawn = fresh_pictures(run, plan, subject, point.snapshot, progress)
        seen = judged({point.snapshot: drawn}, photos_of(photo_sets_of(run, plan)[subject.name]))
        seen = replace(seen, lots=tuple(lot for lot in seen.lots if lot.source == point.snapshot))
        place = run.path / "fresh" / _key(seen, domain)
        if (place / SUMMARY).is_file():
            return read_scores(place / SCORES), summaries_of(read_json(place / SUMMARY))
        metrics = [metric for metric in METRICS if metric.name in RESCORED]
        scores, _, pairs = evaluate(run.name, seen, metrics, domain, run.path / "features", progress)
        lines = summarise(scores, shares(), pairs, bounds())
        write_scores(place / SCORES, scores)
        write_json(place / SUMMARY, {"format": 1, "summaries": [asdict(line) for line in lines]})
    return scores, lines


def _key(seen: Judged, domain: Domain) -> str:
    """Names what the scores depend on: pictures, prompts, photos, features, and the code that scores."""
    lots = [[lot.source, lot.role, lot.hashes, lot.texts] for lot in seen.lots]
    photos = [[part, lot.hashes] for part, lot in seen.references.items()]
    features = computed_with([metric for metric in METRICS if metric.name in RESCORED], domain)
    return sha256_json([SCORING, domain, features, lots, photos])[:16]
