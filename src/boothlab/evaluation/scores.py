"""Scores in long form: one row per run, snapshot, metric, reference, picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from scipy import stats

from boothlab.errors import RunDamaged
from boothlab.files import write_text


@dataclass(frozen=True, slots=True)
class Score:
    """One value. ``prompt`` and ``seed`` are empty for metrics of a whole set."""

    run: str
    snapshot: str
    metric: str
    reference: str
    prompt: str
    seed: str
    value: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The scores of one metric for one snapshot: ``mean`` over ``n`` pictures and its 95 % t interval.

    ``low`` and ``high`` are None for a metric of the whole set and for fewer than two pictures.
    """

    snapshot: str
    metric: str
    reference: str
    n: int
    mean: float
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
        names = ("run", "snapshot", "metric", "reference", "prompt", "seed")
        return [Score(**{name: row[name] for name in names}, value=float(row["value"])) for row in rows]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RunDamaged(f"Cannot read {path}: {error}.", "Make it again with `boothlab evaluate`.") from error


def summarise(scores: Sequence[Score]) -> list[Summary]:
    """One line per (snapshot, metric, reference), in the order of first appearance."""
    groups: dict[tuple[str, str, str], list[Score]] = {}
    for score in scores:
        groups.setdefault((score.snapshot, score.metric, score.reference), []).append(score)
    lines = []
    for (snapshot, metric, reference), members in groups.items():
        values = np.array([score.value for score in members])
        low, high = t_interval(values) if members[0].prompt else (None, None)
        lines.append(Summary(snapshot, metric, reference, len(values), float(values.mean()), low, high))
    return lines


def t_interval(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float | None, float | None]:
    """95 % t interval of the mean; (None, None) for fewer than two values. Source: scipy.stats.t."""
    if len(values) < 2:
        return None, None
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    mean = float(values.mean())
    return mean - half, mean + half
