"""Trap E6: a distance of twenty pictures to eighteen photos needs its null; trap E5: damaged pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from boothlab.errors import RunDamaged
from boothlab.evaluation.lots import Judged, Lot
from boothlab.evaluation.nulls import nulls
from boothlab.evaluation.vectors import picture_hash
from boothlab.features.feature import Feature, Pictures, Vectors
from boothlab.generation.picture import Picture
from boothlab.metrics.frechet import frechet_distance
from boothlab.metrics.metric import SetMetric

DIMENSIONS = 300


def embedded(pictures: Pictures) -> Vectors:
    """Each picture's first pixel is a number whose random vector stands for it; the second scales its spread."""
    rows = []
    for image in pictures:
        number, spread, shift = (int(value) for value in image[0, 0])
        rows.append(np.random.default_rng(number).normal(0, spread / 100, DIMENSIONS) + shift / 100)
    return np.stack(rows)


METRIC = SetMetric(
    name="cloud",
    question="How far are the clouds apart?",
    better="lower",
    unit="squared distance",
    bounds=(0.0, float("inf")),
    needs=Feature("cloud", "1", embedded, lambda: None, "test 2026"),
    references=("originals",),
    value=frechet_distance,
    minimum=2,
    source="test 2026",
    shifts=True,
)


def lot(source: str, role: str, first: int, count: int, spread: int = 100, shift: int = 0) -> Lot:
    pixels = tuple(np.full((2, 2, 3), (first + k, spread, shift), np.uint8) for k in range(count))
    names = tuple(f"p{k}" for k in range(count)) if role == "context" else ()
    return Lot(source, role, pixels, tuple(picture_hash(image) for image in pixels), names, names, names)


def test_the_null_sees_what_the_bare_distance_gets_backwards() -> None:
    lots = (
        lot("perfect", "context", 0, 20),
        lot("collapsed", "context", 40, 20, spread=50),
        lot("shifted", "context", 80, 20, shift=40),
        lot("perfect", "bare", 120, 20),
    )
    photos = lot("originals", "photos", 150, 18)
    found = {row.snapshot: row for row in nulls(Judged(lots, {"originals": photos}), [METRIC], "photographs", None)}
    assert set(found) == {"perfect", "collapsed", "shifted"}, "contexts only"
    value = {one.source: frechet_distance(embedded(one.pixels), embedded(photos.pixels)) for one in lots[:3]}
    assert value["collapsed"] < value["perfect"], "the paradox: collapse looks better"
    assert found["perfect"].low < value["perfect"] < found["perfect"].high
    assert found["perfect"].p_upper > 0.05
    assert found["collapsed"].p_upper <= 0.01
    assert found["shifted"].p_upper <= 0.01


def test_no_null_where_there_is_nothing_to_compare() -> None:
    gone = Judged((lot("base", "context", 0, 4),), {"originals": lot("originals", "photos", 0, 0)})
    assert nulls(gone, [METRIC], "photographs", None) == []


def test_a_damaged_picture_is_an_error_and_no_silent_gap(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG torn")
    with pytest.raises(RunDamaged, match=r"torn\.png"):
        Picture(tmp_path / "torn.png", "a photo", 1).pixels()
