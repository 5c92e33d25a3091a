"""Pictures and photos → features → values: every metric of the list, each picture looked at once per feature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from boothlab.evaluation.lots import BASE, COPIES, PHOTOS, Judged, Lot
from boothlab.evaluation.scores import Score
from boothlab.evaluation.summaries import Pairs
from boothlab.evaluation.vectors import Embedder
from boothlab.features.faces import Domain
from boothlab.features.feature import Feature, Vectors
from boothlab.metrics.distances import present
from boothlab.metrics.metric import PAIRED, AnyMetric, Metric, Reference, feature_of
from boothlab.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A number that does not exist here, and why: shown in its place, never replaced by another one.

    ``pictures`` is their role, "photos" where photos were judged as if they had been drawn.
    """

    metric: str
    pictures: str
    reference: str
    reason: str


def evaluate(
    run: str,
    seen: Judged,
    metrics: Sequence[AnyMetric],
    domain: Domain,
    features: Path | None = None,
    progress: Progress = silent,
) -> tuple[list[Score], list[Unavailable], list[Pairs]]:
    """All scores of all sources, in the order of ``metrics``; what cannot be had; and what scores are means over.

    ``features`` is where vectors are kept.
    """
    groups: dict[str, tuple[Feature, list[AnyMetric]]] = {}
    for metric in metrics:
        feature = feature_of(metric, domain)
        groups.setdefault(feature.name, (feature, []))[1].append(metric)
    found: dict[str, list[Score]] = {metric.name: [] for metric in metrics}
    missing: dict[str, list[Unavailable]] = {metric.name: [] for metric in metrics}
    pairs: list[Pairs] = []
    total, done = len(groups) * len(seen.lots), 0
    for feature, members in groups.values():
        reason = feature.missing()
        if reason is not None:
            for metric in members:
                cells = product(metric.on, metric.references)
                missing[metric.name] += [Unavailable(metric.name, role, ref, reason) for role, ref in cells]
            done += len(seen.lots)
            continue
        looking = Embedder(feature, features)
        for lot in seen.lots:
            for metric in members:
                if lot.role in (*metric.on, "photos"):
                    found[metric.name] += _score(run, seen, metric, looking, lot, missing[metric.name], pairs)
            done += 1
            progress("features", done, total)
        looking.keep()
    unavailable = [line for metric in metrics for line in dict.fromkeys(missing[metric.name])]
    return [score for metric in metrics for score in found[metric.name]], unavailable, pairs


def _score(
    run: str,
    seen: Judged,
    metric: AnyMetric,
    looking: Embedder,
    lot: Lot,
    missing: list[Unavailable],
    pairs: list[Pairs],
) -> list[Score]:
    """The scores of one lot; adds what cannot be had to ``missing``, and what they are means over to ``pairs``."""
    found = []
    for reference in metric.references:
        if not _makes_sense(lot, reference):
            continue
        rows, compared = _beside(seen, looking, lot, reference)
        if isinstance(compared, str):
            missing.append(Unavailable(metric.name, lot.role, reference, compared))
            continue
        if isinstance(metric, Metric):
            if _described(compared) < metric.minimum_references and reference != "none":
                why = _too_few(reference, metric.minimum_references, compared)
                missing.append(Unavailable(metric.name, lot.role, reference, why))
                continue
            if metric.pairs is None:
                values = metric.values(rows, compared)
            else:
                matrix = metric.pairs(rows, present(compared))
                pairs.append(Pairs(lot.source, lot.role, metric.name, reference, matrix))
                values = matrix.mean(axis=1)
            for k, value in enumerate(values):
                prompt, seed = (lot.prompts[k], lot.seeds[k]) if lot.prompts else (f"photo {k + 1}", "")
                found.append(Score(run, lot.source, lot.role, metric.name, reference, prompt, seed, 1, float(value)))
            continue
        if _described(rows) < metric.minimum:
            reason = f"it needs {metric.minimum} pictures that show something; there are {_described(rows)}"
            missing.append(Unavailable(metric.name, lot.role, reference, reason))
        elif reference != "none" and _described(compared) < metric.minimum_references:
            why = _too_few(reference, metric.minimum_references, compared)
            missing.append(Unavailable(metric.name, lot.role, reference, why))
        else:
            value = float(metric.value(rows, compared))
            found.append(Score(run, lot.source, lot.role, metric.name, reference, "", "", _described(rows), value))
    return found


def _beside(seen: Judged, looking: Embedder, lot: Lot, reference: Reference) -> tuple[Vectors, Vectors | str]:
    """A lot's vectors and those that they are compared with, equally wide, or why there are none of these."""
    rows = looking.look(lot.pixels, lot.hashes)
    compared = _reference(seen, looking, lot, reference)
    if not isinstance(compared, str) and rows.shape[1] < compared.shape[1]:
        # A reader without a fixed width knows it from the first face, which this lot lacks and the photos have.
        rows = looking.look(lot.pixels, lot.hashes)
    return rows, compared


def _makes_sense(lot: Lot, reference: Reference) -> bool:
    """Photos have no prompts; training photos are not compared with themselves; the base not with the base."""
    if lot.source in (PHOTOS, COPIES) and reference in PAIRED:
        return False
    if lot.source == PHOTOS and reference in ("train", "originals"):
        return False
    return not (lot.source == BASE and reference == "base")


def _reference(seen: Judged, looking: Embedder, lot: Lot, reference: Reference) -> Vectors | str:
    """The vectors to compare with, or why there are none."""
    if reference == "none":
        return np.zeros((0, looking.width()))
    if reference == "prompt":
        return looking.read(lot.texts)
    if reference == "base":
        base = seen.lot(BASE, lot.role)
        if base is None:
            return "the base model's pictures were not drawn (evaluation.base = false)"
        if base.seeds != lot.seeds:
            return "the base model drew from other seeds"
        return looking.look(base.pixels, base.hashes)
    photos = seen.references[reference]
    if not len(photos):
        return f"there are no {reference.replace('_', '-')} photos"
    return looking.look(photos.pixels, photos.hashes)


def _described(rows: Vectors) -> int:
    """Rows that describe something: not NaN."""
    return int((~np.isnan(rows).any(axis=1)).sum()) if rows.size else len(rows)


def _too_few(reference: Reference, minimum: int, compared: Vectors) -> str:
    if reference == "prompt":
        return "no prompt says anything that it looks for"
    return f"it needs {minimum} photos to compare with; there are {_described(compared)}"


def is_number(value: float) -> bool:
    """Whether a score exists: NaN stands for "nothing there", for example no face."""
    return not math.isnan(value)
