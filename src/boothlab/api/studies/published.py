"""What others published of the same runs, beside one's own numbers of the same kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boothlab.reports.study import PublishedView
from boothlab.statistics.digits import number
from boothlab.studies.plan import StudyPlan
from boothlab.studies.points import COLUMNS, Point

NOTE = (
    "In brackets the place among the runs of one subject, lowest first. Published values are of other photos, other "
    "prompts and unknown seeds, so only the order can be compared with one's own; over twenty pictures neither order "
    "is certain. A Fréchet distance on other features than Inception's is no FID and stands under its own name"
)


def published_view(plan: StudyPlan, points: Sequence[Point]) -> PublishedView | None:
    """A table of every published run and subject; None where nothing is published."""
    if not plan.published:
        return None
    titles = list(dict.fromkeys(title for numbers in plan.published.values() for title in numbers))
    usual = [column for column in COLUMNS if column.familiar and any(column.key in p.cells for p in points)]
    rows = [
        (name, subject, [plan.published[name].get(title) for title in titles])
        for name in plan.published
        for subject in dict.fromkeys(point.subject for point in points if point.setting == name)
    ]
    own = [[_mean(points, name, subject, column.key) for name, subject, _ in rows] for column in usual]
    theirs = [[values[k] for _, _, values in rows] for k in range(len(titles))]
    subjects = [subject for _, subject, _ in rows]
    cells = [_ranked(column, subjects) for column in (*theirs, *own)]
    lines = tuple((name, subject, *(column[k] for column in cells)) for k, (name, subject, _) in enumerate(rows))
    head = ["run", "subject", *(f"{title}, published" for title in titles), *(f"{c.title}, here" for c in usual)]
    missing = "" if any(c.key == "fid" for c in usual) else "; FID itself is missing here (boothlab fetch inception)"
    return PublishedView(tuple(head), lines, f"{NOTE}{missing}.")


def _mean(points: Sequence[Point], setting: str, subject: str, key: str) -> float | None:
    """Over the training seeds of one run; None where it was not measured."""
    own = [p.cells[key].value for p in points if (p.setting, p.subject) == (setting, subject) and key in p.cells]
    return float(np.mean(own)) if own else None


def _ranked(values: Sequence[float | None], subjects: Sequence[str]) -> list[str]:
    """Each value with its place among the different ones of its subject, lowest first.

    Another person's pictures lie elsewhere on every one of these scales.
    """
    orders: dict[str, set[float]] = {subject: set() for subject in subjects}
    for value, subject in zip(values, subjects, strict=True):
        if value is not None:
            orders[subject].add(value)
    return [
        "–" if value is None else f"{number(value)} ({sorted(orders[subject]).index(value) + 1})"
        for value, subject in zip(values, subjects, strict=True)
    ]
