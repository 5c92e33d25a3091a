"""Previews: pictures drawn between two steps of a training, into the run folder, without disturbing it.

A training is the same bit for bit with and without them: every noise has its own seed, gradients are off, and the
weights come back as they were. A run that goes on after a kill draws what is missing and nothing twice, because the
weights of a step are the same in every life.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from boothlab.api.remarks import shows_nothing
from boothlab.generation.generate import generate
from boothlab.generation.picture import Order, is_black
from boothlab.plan import RunPlan
from boothlab.runs.events import Event, Finished, Previewed, Resumed, Started, Stepped, Warned
from boothlab.runs.run import Run, step_name
from boothlab.seeds import derive
from boothlab.subjects import fill_tuned
from boothlab.training.job import Job


def previews_of(run: Run) -> Path:
    """Where a run's previews live: a folder per step."""
    return run.path / "previews"


def with_previews(events: Iterable[Event], run: Run, job: Job, plan: RunPlan) -> Iterator[Event]:
    """``events`` of ``job``, with pictures drawn after the steps that the plan names, and where it ends early."""
    preview = plan.training.validation.preview
    due = set(preview.steps(job.steps))
    for event in events:
        # Only patience ends a training at a step that nobody could plan.
        if isinstance(event, Finished) and preview.every is not None and event.step not in due:
            yield from draw(run, job, plan)
        yield event
        if isinstance(event, Started | Resumed | Stepped) and event.step in due:
            yield from draw(run, job, plan)


def orders_of(plan: RunPlan) -> list[Order]:
    """One picture for each subject, prompt and noise; the noises are those of every step."""
    preview = plan.training.validation.preview
    begun = _file_names([subject.name for subject in plan.subjects])
    return [
        Order(
            name=f"{begun[subject.name]}-{index:02d}-{k:02d}",
            prompt=fill_tuned(template, subject),
            seed=derive(plan.training.seed, "preview", subject.name, template, k),
        )
        for subject in plan.subjects
        for index, template in enumerate(preview.prompts)
        for k in range(preview.seeds)
    ]


def _file_names(subjects: Sequence[str]) -> dict[str, str]:
    """Subject → how its files' names begin.

    Where two would be one ("ada b", "ada-b", on some disks "Ada-B"), each has its number, behind a sign that is in no
    name.

    >>> _file_names(["ada b", "bob", "ada-b"])
    {'ada b': 'ada-b+1', 'bob': 'bob', 'ada-b': 'ada-b+3'}
    """
    plain = [subject.replace(" ", "-") for subject in subjects]
    often = Counter(name.casefold() for name in plain)
    return {
        subject: name if often[name.casefold()] == 1 else f"{name}+{number}"
        for number, (subject, name) in enumerate(zip(subjects, plain, strict=True), 1)
    }


def draw(run: Run, job: Job, plan: RunPlan) -> Iterator[Event]:
    """Draw what is not there yet of the pictures of the current step, and warn of those that show nothing."""
    orders = orders_of(plan)
    asked = [Order(order.name, job.attached.caption(order.prompt), order.seed) for order in orders]
    name = step_name(job.step)
    with job.shown():
        drawn = generate(lambda: job.model, name, asked, plan.generation, previews_of(run) / name)
    yield Previewed(job.step, pictures=len(asked))
    for text in shows_nothing({name: [is_black(picture.pixels()) for picture in drawn]}):
        yield Warned(job.step, "black-preview", text)
