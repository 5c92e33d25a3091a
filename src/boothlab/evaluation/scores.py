"""Scores in long form: one row per run, snapshot, metric, reference, picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from boothlab.errors import RunDamaged
from boothlab.files import write_text


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
