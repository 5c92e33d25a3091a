"""``subjects.weight``: relative to the other subjects, and what is reported is what was minimised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from boothlab.diffusion.config import Objective
from boothlab.models.model import Model
from boothlab.photos.photo import Photo
from boothlab.plan import _without_places, plan_from
from boothlab.runs.events import Event, Stepped
from boothlab.strategies.dreambooth.config import DreamBooth
from boothlab.subjects import Subject
from boothlab.training.assemble import TrainingSet, build_pool
from boothlab.training.batches import Pool
from boothlab.training.config import Training
from jobs_made import make_job, pool, run


def sets(size: int, weights: Sequence[float], photos: Sequence[int]) -> list[TrainingSet]:
    picture = np.full((size, size, 3), 120, np.uint8)
    return [
        TrainingSet(
            Subject(name=f"s{k}", photos=Path("."), identifier="nlwx", weight=weight),
            tuple(Photo(f"{k}-{i}.png", picture, "") for i in range(count)),
        )
        for k, (weight, count) in enumerate(zip(weights, photos, strict=True))
    ]


@pytest.mark.parametrize(
    ("weights", "photos", "expected"),
    [
        ([1.0, 1.0], [1, 2], [1.0, 1.0, 1.0]),
        ([2.0, 2.0], [1, 2], [1.0, 1.0, 1.0]),  # λ was half as much as asked for
        ([0.1, 0.1], [1, 2], [1.0, 1.0, 1.0]),  # the sum of three is not three times 0.1
        ([3.0], [2], [1.0, 1.0]),
        ([1.0, 3.0], [1, 1], [0.5, 1.5]),
        ([1.0, 4.0], [2, 1], [0.5, 0.5, 2.0]),
    ],
)
def test_weights_are_relative_over_the_photos_that_are_trained_on(
    fresh: Callable[[], Model], weights: list[float], photos: list[int], expected: list[float]
) -> None:
    model = fresh()
    found = build_pool(model, Objective(), sets(model.size, weights, photos), {}).instances
    assert [example.weight for example in found] == expected


def weighted(shape: tuple[int, int, int], weights: Sequence[float]) -> Pool:
    made = pool(shape, photos=len(weights))
    told = tuple(replace(example, weight=w) for example, w in zip(made.instances, weights, strict=True))
    return replace(made, instances=told)


def steps(events: list[Event]) -> list[Stepped]:
    return [replace(event, seconds=0.0) for event in events if isinstance(event, Stepped)]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_reported_loss_is_what_was_minimised(
    fresh: Callable[[], Model], accumulate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was the plain mean over photos, whatever they weighed."""
    model = fresh()
    settings = Training(steps=2, threads=1, batch_size=2, accumulate=accumulate)
    made = make_job(
        model,
        DreamBooth(),
        training=settings,
        objective=Objective(prior_weight=0.5),
        examples=weighted(model.latent_shape, [0.5, 0.5, 2.0]),
    )
    minimised: list[float] = []
    backward = type(made.optimizer).backward

    def hear(self: object, loss: Tensor) -> None:
        minimised.append(loss.item())
        backward(made.optimizer, loss)

    monkeypatch.setattr(type(made.optimizer), "backward", hear)
    for k, step in enumerate(steps(run(made))):
        assert step.loss == pytest.approx(sum(minimised[k * accumulate : (k + 1) * accumulate]), rel=1e-6)
        assert step.loss == pytest.approx(step.instance_loss + 0.5 * (step.class_loss or 0.0), rel=1e-9)


def test_runs_whose_weights_meant_something_else_are_other_runs() -> None:
    """A run begun before must neither go on nor be another's beginning; one without weights is what it was."""

    def tree(weight: float) -> dict[str, Any]:
        subjects = [{"name": "a", "photos": "p"}, {"name": "b", "photos": "p", "weight": weight}]
        return _without_places(plan_from({"subjects": subjects}, "test"))

    assert "weights" not in tree(1.0)
    assert tree(2.0)["weights"] == "of their mean"


def test_runs_that_dealt_class_images_of_two_nouns_otherwise_are_other_runs() -> None:
    """Likewise: they were counted by all photos, and some came up late or never."""

    def tree(noun: str, **objective: Any) -> dict[str, Any]:
        subjects = [{"name": "a", "photos": "p"}, {"name": "b", "photos": "p", "class_noun": noun}]
        return _without_places(plan_from({"subjects": subjects, "objective": objective}, "test"))

    assert tree("dog")["partners"] == "counted by noun"
    assert "partners" not in tree("person")
    assert "partners" not in tree("dog", prior_preservation=False)
