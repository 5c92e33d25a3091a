"""`evaluate`: pictures of all snapshots and of the base model, scored by every metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from boothlab.api.judging import Ruling, rule
from boothlab.api.pictures import evaluation_pictures, plan_of
from boothlab.api.relatives import take_drawn
from boothlab.api.remarks import remarks_on, shows_nothing
from boothlab.api.resolving import domain_of, photo_sets_of
from boothlab.errors import PlanError, RunDamaged
from boothlab.evaluation.config import Evaluation
from boothlab.evaluation.crossing import crossings
from boothlab.evaluation.derived import COPIED, Table, derived, derived_pairs
from boothlab.evaluation.evaluate import Unavailable, evaluate
from boothlab.evaluation.lots import Judged, Photos, judged
from boothlab.evaluation.measure import Dealt
from boothlab.evaluation.nulls import NullRow, nulls
from boothlab.evaluation.orders import Sets
from boothlab.evaluation.scores import Score, read_scores, write_scores
from boothlab.evaluation.summaries import Pairs, Summary, summarise
from boothlab.evaluation.thresholds import THRESHOLDS_VERSION
from boothlab.evaluation.vectors import known_by
from boothlab.features.faces import Domain
from boothlab.files import damaged, read_json, read_table, record, sha256_json, write_json
from boothlab.generation.picture import is_black
from boothlab.metrics import METRICS
from boothlab.metrics.metric import AnyMetric, feature_of
from boothlab.photos.photoset import PhotoSet
from boothlab.photos.screening import limits, together
from boothlab.progress import Progress, silent
from boothlab.runs.run import Run

SCORING = 12
"""Version of the scoring code: part of what stored scores are known by, so that new code never finds old ones."""

NEEDED = {"summaries", "unavailable", "rulings", "nulls", "crossings", "remarks"}
"""What a summary holds that pages are made of."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """All scores of a run, one line per metric, and what could not be computed and why."""

    run: Run
    scores: tuple[Score, ...]
    summaries: tuple[Summary, ...]
    unavailable: tuple[Unavailable, ...]
    rulings: tuple[dict[str, Any], ...]
    """Per subject the verdict, what it stands on, and the nearest photos, as ``summary.json`` holds them."""
    remarks: tuple[str, ...]
    """What must be known before any of the numbers is read."""


def evaluate_run(run: Run, progress: Progress = silent) -> Evaluated:
    """Draw what is missing, score everything, write ``scores.csv`` and ``summary.json``.

    Scores of the same pictures, photos and metrics are looked up, not computed again.
    """
    plan = plan_of(run)
    domain = domain_of(plan.photos, plan.base)
    with run.writing():
        take_drawn(run, plan)
        drawn = evaluation_pictures(run, plan, progress)
        sets = photo_sets_of(run, plan)
        seen = seen_in(drawn, sets)
        alike = limits(plan.photos.screen, domain).duplicate
        dealt = {name: how_dealt(found, plan.evaluation, alike) for name, found in sets.items()}
        key = _key(seen, domain, dealt)
        stored = _stored(run, key)
        if stored is not None:
            return stored
        scores: list[Score] = []
        unavailable: list[Unavailable] = []
        rulings: list[Ruling] = []
        nulled: list[NullRow] = []
        pairs: list[Pairs] = []
        subjects = {subject.name: subject for subject in plan.subjects}
        for subject, looked_at in seen.items():
            found, missing, matrices = evaluate(run.name, looked_at, METRICS, domain, run.path / "features", progress)
            matrices += derived_pairs(found, matrices)
            found += derived(found)
            own_nulls = nulls(looked_at, METRICS, domain, run.path / "features")
            ruling, more = rule(
                run, plan, subjects[subject], looked_at, Table(found, matrices), domain, dealt[subject], progress
            )
            rulings.append(ruling)
            found += more
            if len(seen) > 1:
                found = [replace(score, reference=f"{score.reference}/{subject}") for score in found]
                matrices = [replace(one, reference=f"{one.reference}/{subject}") for one in matrices]
                own_nulls = [replace(line, reference=f"{line.reference}/{subject}") for line in own_nulls]
            nulled += own_nulls
            scores += found
            pairs += matrices
            unavailable += missing
        more_facts = {
            "pictures": known_pictures(seen),
            "features": computed_with(METRICS, domain),
            "rulings": [_tree(ruling) for ruling in rulings],
            "nulls": [asdict(line) for line in nulled],
            "crossings": [asdict(line) for line in crossings(seen, domain, run.path / "features")],
            "remarks": [*remarks_on(sets), *shows_nothing(_black(seen))],
        }
        return _write(run, key, scores, pairs, list(dict.fromkeys(unavailable)), more_facts)


def seen_in(drawn: Mapping[str, Mapping[str, Sets]], sets: Mapping[str, PhotoSet]) -> dict[str, Judged]:
    """Subject → what is judged of it: what every source drew, beside its photos."""
    return {name: judged(drawn[name], photos_of(found)) for name, found in sets.items()}


def _black(seen: Mapping[str, Judged]) -> dict[str, list[bool]]:
    """Who drew → whether each picture is black, over all subjects; photos are nobody's drawings."""
    found: dict[str, list[bool]] = {}
    for lot in (lot for looked_at in seen.values() for lot in looked_at.lots if lot.prompts):
        found.setdefault(lot.source, []).extend(is_black(pixels) for pixels in lot.pixels)
    return found


def photos_of(photo_set: PhotoSet) -> Photos:
    """The photos that pictures are compared with, by part."""
    return Photos([photo.pixels for photo in photo_set.train], [photo.pixels for photo in photo_set.held_out])


def shares() -> frozenset[str]:
    """Metrics whose values are 0 or 1 per picture."""
    return frozenset(facts.name for facts in (*METRICS, COPIED) if facts.unit == "1 or 0")


def bounds() -> dict[str, tuple[float, float]]:
    """Metric → the least and the most that its values can be."""
    return {metric.name: metric.bounds for metric in METRICS}


def how_dealt(found: PhotoSet, evaluation: Evaluation, alike: float) -> Dealt:
    """How the photos of a set were parted.

    Chance decided where the split did, which deals photos whose correlation is ``alike`` or more together, or where
    whoever gave the held-out ones says so.
    """
    given = any(photo.is_reference for photo in found.held_out)
    by_chance = evaluation.references_at_random if given else True
    photos = [*found.train, *found.held_out]
    if not all("patch" in photo.seen for photo in photos):  # a set from before photos were compared
        return Dealt(by_chance)
    of = {photo.name: number for number, group in enumerate(together(photos, alike)) for photo in group}
    return Dealt(by_chance, tuple(of[photo.name] for photo in photos) if len(set(of.values())) < len(photos) else ())


def known_pictures(seen: Mapping[str, Judged]) -> dict[str, dict[str, str]]:
    """Subject → lot of pictures or photos → hex SHA-256 of what it shows, and of what was asked for."""
    return {
        name: {f"{lot.source}/{lot.role}": sha256_json([lot.hashes, lot.texts]) for lot in looked.lots}
        | {part: sha256_json(lot.hashes) for part, lot in looked.references.items()}
        for name, looked in seen.items()
    }


def _key(seen: dict[str, Judged], domain: Domain, dealt: Mapping[str, Dealt]) -> str:
    """What the scores depend on: pictures, photos, and what every metric is computed with here."""
    features = computed_with(METRICS, domain)
    return sha256_json(
        {
            "version": SCORING,
            "thresholds": THRESHOLDS_VERSION,
            "domain": domain,
            "features": features,
            "lots": known_pictures(seen),
            "dealt": {name: asdict(one) for name, one in dealt.items()},
        }
    )


def computed_with(metrics: Sequence[AnyMetric], domain: Domain) -> dict[str, list[str | None]]:
    """Metric → the feature it is computed from here, with which weights, and why that is missing."""
    features = {metric.name: feature_of(metric, domain) for metric in metrics}
    return {name: [known_by(feature), feature.missing()] for name, feature in features.items()}


def summary_of(run: Run) -> dict[str, Any]:
    """What ``summary.json`` of a scored run holds.

    Raises PlanError for one that an older boothlab scored, RunDamaged for what is damaged or of a newer one.
    """
    path = run.path / "summary.json"
    try:
        tree = read_table(path)
    except RunDamaged as error:
        raise RunDamaged(error.message, f"Make it again with `boothlab evaluate {run.path}`.") from error
    scoring = tree.get("scoring", 0)
    if not isinstance(scoring, int):
        raise _unfit(path, f"scoring is {str(scoring)[:40]!r}, no number")
    if scoring > SCORING:
        raise _unfit(path, f"scoring is {scoring}, and this boothlab knows {SCORING}")
    older = scoring < SCORING or not tree.keys() >= NEEDED
    if not older:
        _require_shape(path, tree)
        newest = max((ruling["verdict"]["thresholds"] for ruling in tree["rulings"]), default=THRESHOLDS_VERSION)
        if newest > THRESHOLDS_VERSION:
            raise _unfit(path, f"thresholds are {newest}, and this boothlab knows {THRESHOLDS_VERSION}")
    if older or not _is_of_today(tree):
        raise PlanError(
            f"{run.path} was scored by an older boothlab.",
            f"Run `boothlab evaluate {run.path}` again. It takes one to a few minutes; nothing is trained.",
        )
    return tree


def _unfit(path: Path, reason: str) -> RunDamaged:
    return damaged(path, reason, "Update boothlab, or score the run again with `boothlab evaluate`.")


def _require_shape(path: Path, tree: Mapping[str, Any]) -> None:
    """Raises RunDamaged where what pages are made of is no list, or a verdict does not say what it judged."""
    for name in sorted(NEEDED):
        kind = str if name == "remarks" else dict
        if not isinstance(tree[name], list) or not all(isinstance(line, kind) for line in tree[name]):
            raise _unfit(path, f"{name} does not hold what it should")
    for ruling in tree["rulings"]:
        verdict = ruling.get("verdict")
        judgements = verdict.get("judgements") if isinstance(verdict, dict) else None
        named = isinstance(judgements, list) and all(isinstance(one, dict) and "name" in one for one in judgements)
        if not (named and isinstance(verdict.get("thresholds"), int) and isinstance(ruling.get("subject"), str)):
            raise _unfit(path, "a verdict does not hold what it should")
        if not _tells_nearest(ruling.get("near")):
            raise _unfit(path, "near does not hold what it should")
    if not all({"metric", "pictures", "reference", "snapshot"} <= line.keys() for line in tree["nulls"]):
        raise _unfit(path, "nulls does not hold what it should")


def _tells_nearest(near: Any) -> bool:
    """Whether these are pictures, each with the photo that it is nearest to and how near."""
    kinds = {"source": str, "picture": int, "photo": int, "distance": int | float, "flagged": bool}
    return isinstance(near, list) and all(
        isinstance(item, dict) and all(isinstance(item.get(name), kind) for name, kind in kinds.items())
        for item in near
    )


def _is_of_today(tree: Mapping[str, Any]) -> bool:
    """Whether the code that scores and the thresholds that judge are still the same."""
    judged = {ruling["verdict"]["thresholds"] for ruling in tree["rulings"]}
    return tree.get("scoring") == SCORING and judged <= {THRESHOLDS_VERSION}


def summaries_of(tree: Mapping[str, Any]) -> list[Summary]:
    """The lines of :func:`summary_of`. Raises RunDamaged where one has other fields than this boothlab's."""
    try:
        return [record(Summary, line) for line in tree["summaries"]]
    except ValueError as error:
        raise _unfit(Path(str(tree.get("run", ""))) / "summary.json", str(error)) from error


def _stored(run: Run, key: str) -> Evaluated | None:
    try:
        tree = read_json(run.path / "summary.json")
        if not isinstance(tree, dict) or tree.get("key") != key:
            return None
        scores = read_scores(run.path / "scores.csv")
        summaries = tuple(summaries_of(tree))
        unavailable = tuple(Unavailable(**line) for line in tree["unavailable"])
        rulings = tuple(tree["rulings"])
        remarks = tuple(tree["remarks"])
    except (RunDamaged, KeyError, TypeError):
        return None
    return Evaluated(run, tuple(scores), summaries, unavailable, rulings, remarks)


def _write(
    run: Run,
    key: str,
    scores: list[Score],
    pairs: list[Pairs],
    unavailable: list[Unavailable],
    more: dict[str, Any],
) -> Evaluated:
    summaries = summarise(scores, shares(), pairs, bounds())
    tree: dict[str, Any] = {
        "format": 1,
        "run": run.name,
        "scoring": SCORING,
        "summaries": [asdict(line) for line in summaries],
        "unavailable": [asdict(line) for line in unavailable],
        **more,
        "key": key,
    }
    write_scores(run.path / "scores.csv", scores)
    write_json(run.path / "summary.json", tree)
    return Evaluated(
        run, tuple(scores), tuple(summaries), tuple(unavailable), tuple(tree["rulings"]), tuple(tree["remarks"])
    )


def _tree(ruling: Ruling) -> dict[str, Any]:
    """A ruling as JSON: a number that does not exist is null."""
    tree: dict[str, Any] = _no_nan(asdict(ruling))
    for measured in tree["measured"]:
        del measured["pictures"]
    return tree


def _no_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _no_nan(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_no_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
