"""`evaluate`: pictures of all snapshots and of the base model, scored by every metric."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from boothlab.api.pictures import evaluation_pictures, plan_of
from boothlab.api.resolving import domain_of, photo_sets_of
from boothlab.errors import RunDamaged
from boothlab.evaluation.derived import derived
from boothlab.evaluation.evaluate import Unavailable, evaluate
from boothlab.evaluation.lots import Judged, Photos, judged
from boothlab.evaluation.scores import Score, Summary, read_scores, summarise, write_scores
from boothlab.features.faces import Domain
from boothlab.files import read_json, sha256_json, write_json
from boothlab.metrics import METRICS
from boothlab.metrics.metric import feature_of
from boothlab.photos.photoset import PhotoSet
from boothlab.progress import Progress, silent
from boothlab.runs.run import Run

SCORING = 1
"""Version of the scoring code: part of what stored scores are known by, so that new code never finds old ones."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """All scores of a run, one line per metric, and what could not be computed and why."""

    run: Run
    scores: tuple[Score, ...]
    summaries: tuple[Summary, ...]
    unavailable: tuple[Unavailable, ...]


def evaluate_run(run: Run, progress: Progress = silent) -> Evaluated:
    """Draw what is missing, score everything, write ``scores.csv`` and ``summary.json``.

    Scores of the same pictures, photos and metrics are looked up, not computed again.
    """
    plan = plan_of(run)
    domain = domain_of(plan.photos, plan.base)
    with run.writing():
        drawn = evaluation_pictures(run, plan, progress)
        sets = photo_sets_of(run, plan)
        seen = {subject.name: judged(drawn[subject.name], photos_of(sets[subject.name])) for subject in plan.subjects}
        key = _key(seen, domain)
        stored = _stored(run, key)
        if stored is not None:
            return stored
        scores: list[Score] = []
        unavailable: list[Unavailable] = []
        for subject, looked_at in seen.items():
            found, missing = evaluate(run.name, looked_at, METRICS, domain, run.path / "features", progress)
            found += derived(found)
            if len(seen) > 1:
                found = [replace(score, reference=f"{score.reference}/{subject}") for score in found]
            scores += found
            unavailable += missing
        return _write(run, key, scores, list(dict.fromkeys(unavailable)))


def photos_of(photo_set: PhotoSet) -> Photos:
    """The photos that pictures are compared with, by part."""
    return Photos([photo.pixels for photo in photo_set.train], [photo.pixels for photo in photo_set.held_out])


def shares() -> frozenset[str]:
    """Metrics whose values are 0 or 1 per picture."""
    return frozenset(metric.name for metric in METRICS if metric.unit.startswith("share"))


def _key(seen: dict[str, Judged], domain: Domain) -> str:
    """What the scores depend on: pictures, photos, and what every metric is computed with here."""
    features = {}
    for metric in METRICS:
        feature = feature_of(metric, domain)
        features[metric.name] = [feature.name, feature.version, feature.missing()]
    lots = {
        name: [[lot.source, lot.role, lot.hashes, lot.texts] for lot in looked.lots]
        + [[part, lot.hashes] for part, lot in looked.references.items()]
        for name, looked in seen.items()
    }
    return sha256_json({"version": SCORING, "domain": domain, "features": features, "lots": lots})


def _stored(run: Run, key: str) -> Evaluated | None:
    try:
        tree = read_json(run.path / "summary.json")
        if not isinstance(tree, dict) or tree.get("key") != key:
            return None
        scores = read_scores(run.path / "scores.csv")
        summaries = tuple(Summary(**line) for line in tree["summaries"])
        unavailable = tuple(Unavailable(**line) for line in tree["unavailable"])
    except (RunDamaged, KeyError, TypeError):
        return None
    return Evaluated(run, tuple(scores), summaries, unavailable)


def _write(run: Run, key: str, scores: list[Score], unavailable: list[Unavailable]) -> Evaluated:
    summaries = summarise(scores, shares())
    tree: dict[str, Any] = {
        "format": 1,
        "run": run.name,
        "summaries": [asdict(line) for line in summaries],
        "unavailable": [asdict(line) for line in unavailable],
        "key": key,
    }
    write_scores(run.path / "scores.csv", scores)
    write_json(run.path / "summary.json", tree)
    return Evaluated(run, tuple(scores), tuple(summaries), tuple(unavailable))
