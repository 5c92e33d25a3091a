"""Scores in long form: one row per run, snapshot, metric, reference, picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from boothlab.errors import RunDamaged
from boothlab.files import write_text
from boothlab.statistics.intervals import Interval, t_interval, wilson


@dataclass(frozen=True, slots=True)
class Score:
    """One value. ``pictures`` is their role (context, bare, class, unrelated), or "photos" for photographs judged as
    if they had been drawn. ``prompt`` and ``seed`` are empty for metrics of a whole set; ``n`` is then the number of
    pictures in it, else 1. ``value`` is NaN where a picture has none, for example no face.
    """

    run: str
    snapshot: str
    pictures: str
    metric: str
    reference: str
    prompt: str
    seed: str
    n: int
    value: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The scores of one metric for one snapshot and role: ``mean`` over the ``n`` pictures that have a value.

    ``low`` and ``high`` are its 95 % interval: Student's t for means, Wilson's for shares; None for a metric of the
    whole set and for fewer than two pictures. ``mean`` is None when no picture has a value.
    """

    snapshot: str
    pictures: str
    metric: str
    reference: str
    n: int
    mean: float | None
    low: float | None
    high: float | None


def write_scores(path: Path, scores: Sequence[Score]) -> None:
    """``scores.csv``, atomically. Values are written so that they read back to the same float."""
    buffer = io.StringIO()
    names = [field.name for field in fields(Score)]
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    for score in scores:
        writer.writerow({**asdict(score), "value": repr(score.value)})
    write_text(path, buffer.getvalue())


def read_scores(path: Path) -> list[Score]:
    """What :func:`write_scores` wrote. Raises RunDamaged."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        names = ("run", "snapshot", "pictures", "metric", "reference", "prompt", "seed")
        return [
            Score(**{name: row[name] for name in names}, n=int(row["n"]), value=float(row["value"])) for row in rows
        ]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RunDamaged(f"Cannot read {path}: {error}.", "Make it again with `boothlab evaluate`.") from error


def summarise(scores: Sequence[Score], shares: Collection[str] = ()) -> list[Summary]:
    """One line per (snapshot, role, metric, reference), in the order of first appearance.

    ``shares`` names the metrics whose values are 0 or 1: their means are shares of pictures.
    """
    groups: dict[tuple[str, str, str, str], list[Score]] = {}
    for score in scores:
        groups.setdefault((score.snapshot, score.pictures, score.metric, score.reference), []).append(score)
    lines = []
    for (snapshot, pictures, metric, reference), members in groups.items():
        values = np.array([score.value for score in members if not math.isnan(score.value)])
        whole = not members[0].prompt
        n = members[0].n if whole else len(values)
        found = None if whole or not len(values) else interval(values, metric in shares)
        mean = float(values.mean()) if len(values) else None
        low, high = (None, None) if found is None else (found.low, found.high)
        lines.append(Summary(snapshot, pictures, metric, reference, n, mean, low, high))
    return lines


def interval(values: NDArray[np.float64], share: bool) -> Interval:
    """95 % interval of a mean, or of a share of pictures whose values are 0 or 1."""
    return wilson(int(values.sum()), len(values)) if share else t_interval(values)
