"""Pictures and photos → features → values: every metric of the list, in one pass over the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from boothlab.evaluation.config import Evaluation
from boothlab.evaluation.scores import Score
from boothlab.features.faces import Domain
from boothlab.features.feature import Feature, Pictures, Vectors
from boothlab.generation.generate import Order, Picture
from boothlab.metrics.metric import AnyMetric, Metric, Reference, feature_of
from boothlab.progress import Progress, silent
from boothlab.seeds import derive
from boothlab.subjects import Subject, fill


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A number that does not exist here, and why: shown in its place, never replaced by another one."""

    metric: str
    reference: str
    reason: str


def orders(evaluation: Evaluation, subject: Subject, tuned: bool) -> list[Order]:
    """The pictures to draw of one subject; the base model is asked for the class without the identifier."""
    identifier = subject.identifier if tuned else None
    return [
        Order(
            name=f"{index:02d}-{k:02d}",
            prompt=fill(template, identifier, subject.class_noun),
            seed=derive(evaluation.seed, "evaluation", index, k),
        )
        for index, template in enumerate(evaluation.prompts)
        for k in range(evaluation.seeds_per_prompt)
    ]


def evaluate(
    run: str,
    pictures: Mapping[str, Sequence[Picture]],
    references: Mapping[Reference, Pictures],
    metrics: Sequence[AnyMetric],
    progress: Progress = silent,
    domain: Domain = "photographs",
) -> tuple[list[Score], list[Unavailable]]:
    """All scores of all snapshots. ``pictures`` maps a snapshot's name (or "base") to what it drew."""
    metrics = [metric for metric in metrics if "context" in metric.on]
    needed = [feature_of(metric, domain) for metric in metrics if _references_of(metric)]
    features = {feature.name: feature for feature in needed if feature.missing() is None}
    names = [*pictures, *references]
    vectors: dict[tuple[str, str], Vectors] = {}
    for feature in features.values():
        for done, name in enumerate(names):
            images = (
                [picture.pixels() for picture in pictures[name]]
                if name in pictures
                else references[_as_reference(name)]
            )
            vectors[feature.name, name] = _vectors(feature, images)
            progress("features", done + 1, len(names))
    scores: list[Score] = []
    missing: list[Unavailable] = []
    for snapshot, drawn in pictures.items():
        for metric in metrics:
            for reference in _references_of(metric):
                feature = feature_of(metric, domain)
                found = _one(run, snapshot, metric, feature, reference, drawn, vectors, references)
                if isinstance(found, Unavailable):
                    missing.append(found)
                else:
                    scores += found
    return scores, list(dict.fromkeys(missing))


def _references_of(metric: AnyMetric) -> list[Reference]:
    return [reference for reference in metric.references if reference in ("held_out", "train", "none")]


def _as_reference(name: str) -> Reference:
    if name == "held_out":
        return "held_out"
    return "train" if name == "train" else "none"


def _vectors(feature: Feature, images: Pictures) -> Vectors:
    return feature.extract(images) if len(images) else np.zeros((0, 1))


def _one(
    run: str,
    snapshot: str,
    metric: AnyMetric,
    feature: Feature,
    reference: Reference,
    drawn: Sequence[Picture],
    vectors: Mapping[tuple[str, str], Vectors],
    references: Mapping[Reference, Pictures],
) -> list[Score] | Unavailable:
    reason = feature.missing()
    if reason is not None:
        return Unavailable(metric.name, reference, reason)
    generated = vectors[feature.name, snapshot]
    if reference == "none":
        compared: Vectors = np.zeros((0, generated.shape[1]))
    elif len(references.get(reference, ())) == 0:
        return Unavailable(metric.name, reference, f"there are no {reference.replace('_', '-')} photos")
    else:
        compared = vectors[feature.name, reference]
    if reference != "none" and len(compared) < metric.minimum_references:
        reason = f"it needs {metric.minimum_references} photos; there are {len(compared)}"
        return Unavailable(metric.name, reference, reason)
    if isinstance(metric, Metric):
        values = metric.values(generated, compared)
        return [
            Score(run, snapshot, metric.name, reference, picture.prompt, str(picture.seed), float(value))
            for picture, value in zip(drawn, values, strict=True)
        ]
    if len(generated) < metric.minimum:
        return Unavailable(metric.name, reference, f"it needs {metric.minimum} pictures; there are {len(generated)}")
    return [Score(run, snapshot, metric.name, reference, "", "", metric.value(generated, compared))]
