"""Scores of whole sets between runs: swaps of pairs say what is chance, whatever the score's bias."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from boothlab.metrics.frechet import frechet_distance
from boothlab.statistics.comparisons import POWER
from boothlab.statistics.intervals import Interval
from boothlab.studies.compare_sets import RELATED, Looked, set_columns, set_effects
from boothlab.studies.points import SETS, Column, Point
from study_made import made_point

STEPS = "training.steps"
DIMENSIONS = 64
SPREAD = 1 / np.sqrt(np.arange(1, DIMENSIONS + 1))
PHOTOS = np.random.default_rng(0).normal(size=(18, DIMENSIONS)) * SPREAD
PLAN = tuple(f"a photo {k}" for k in range(20))


def point(run: str, value: float, key: str = "frechet_alexnet", seed: int = 0, **more: object) -> Point:
    made = made_point(run, {STEPS: int(run.split()[0])}, seed=seed)
    return replace(made, cells={key: Interval(value, None, None, 20)}, **more)  # type: ignore[arg-type]


def cloud(seed: int, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """Pictures of a model: the photos' distribution, narrowed or moved."""
    return scale * np.random.default_rng(seed).normal(size=(20, DIMENSIONS)) * SPREAD + shift * SPREAD


def looking(rows: dict[str, np.ndarray], photos: dict[str, str] | None = None) -> object:
    def look(found: Point, column: Column) -> Looked | None:
        if found.run not in rows:
            return None
        return Looked(rows[found.run], PHOTOS, PLAN, ((photos or {}).get(found.run, "all"),))

    return look


def test_every_set_column_is_known() -> None:
    assert {column.metric for column in SETS} <= set(RELATED)
    assert {"fid", "kid", "cmmd", "vendi", "precision", "recall", "density", "coverage"} <= set(RELATED)
    assert {"lpips_intra", "lpips_debiased", "frechet_alexnet", "mmd_alexnet"} <= set(RELATED)


def test_of_frechet_and_kernel_distances_the_first_that_was_measured_is_compared() -> None:
    points = [
        replace(
            point("10", 1.0),
            cells=dict.fromkeys(
                ("frechet_alexnet", "frechet_toon_clip", "mmd_toon_clip", "variety"), Interval(1, None, None, 20)
            ),
        )
    ]
    assert [column.key for column in set_columns(points)] == ["variety", "frechet_alexnet", "mmd_toon_clip"]


def test_a_collapsed_run_is_told_from_a_good_one_though_its_frechet_distance_is_lower() -> None:
    rows = {"10": cloud(1), "20": cloud(2, scale=0.4), "30": cloud(3, scale=0.4)}
    points = [point(run, frechet_distance(rows[run], PHOTOS)) for run in rows]
    first, second = set_effects(points, looking(rows))  # type: ignore[arg-type]
    assert (first.test, first.about, first.n, first.trainings) == ("swaps", "checkpoints", 20, 1)
    assert first.difference == pytest.approx(
        points[1].cells["frechet_alexnet"].value - points[0].cells["frechet_alexnet"].value
    )
    assert first.shown
    assert not second.shown
    assert first.adjusted == pytest.approx(2 * first.p)
    assert first.smallest == pytest.approx(2 / 5_000)
    assert second.low is second.high is None
    assert "95 % CI" not in second.sentence
    assert "no difference found (" in second.sentence
    assert f"only ≥ {second.detectable:.2g} could have been seen" in second.sentence


def test_over_seeds_too_scores_against_other_photos_are_not_compared() -> None:
    def grid(against: dict[str, str]) -> list[Point]:
        return [
            point(f"{steps} {seed}", 60.0 - steps + 0.1 * seed, seed=seed, against={"originals": against[f"{steps}"]})
            for steps in (10, 20)
            for seed in range(3)
        ]

    (same,) = set_effects(grid({"10": "x", "20": "x"}), looking({}))  # type: ignore[arg-type]
    assert (same.about, same.n) == ("settings", 3)
    assert set_effects(grid({"10": "x", "20": "y"}), looking({})) == []  # type: ignore[arg-type]


def test_the_detectable_difference_stands_on_what_the_difference_varies_by() -> None:
    """Between thirty pairs of runs that are alike."""
    differences, detectable = [], []
    for trial in range(30):
        rows = {"10": cloud(1000 + trial), "20": cloud(2000 + trial)}
        (effect,) = set_effects([point(run, 0.0, "mmd_alexnet") for run in rows], looking(rows), 299)  # type: ignore[arg-type]
        differences.append(effect.difference)
        detectable.append(effect.detectable)
    reach = stats.norm.isf(0.025) + stats.norm.ppf(POWER)
    assert np.mean(np.array(detectable)) / reach == pytest.approx(np.std(differences, ddof=1), rel=0.35)


@pytest.mark.parametrize("key", ["frechet_alexnet", "mmd_alexnet", "different", "debiased", "recall"])
def test_p_is_uniform_under_the_null_for_every_kind_of_score(key: str) -> None:
    p = []
    for trial in range(120):
        rows = {"10": cloud(10_000 + trial), "20": cloud(20_000 + trial)}
        (effect,) = set_effects([point(run, 0.0, key) for run in rows], looking(rows), 199)  # type: ignore[arg-type]
        p.append(effect.p)
    if key == "recall":  # few values, so many ties: p may only be too large
        assert np.mean(np.array(p) <= 0.1) <= 0.16
    else:
        assert stats.kstest(p, "uniform").pvalue > 0.02


def test_runs_with_other_photos_or_without_pictures_are_not_compared() -> None:
    rows = {"10": cloud(1), "20": cloud(2)}
    points = [point(run, 1.0) for run in rows]
    assert set_effects(points, looking(rows, {"20": "others"})) == []  # type: ignore[arg-type]
    assert set_effects(points, looking({"10": rows["10"]})) == []  # type: ignore[arg-type]


def test_three_training_seeds_are_tested_as_seeds_and_no_picture_is_looked_at() -> None:
    points = [point(f"{run} {seed}", run + 0.1 * seed**2, seed=seed) for run in (10, 20) for seed in range(3)]
    (effect,) = set_effects(points, looking({}))  # type: ignore[arg-type]
    assert (effect.about, effect.test, effect.n) == ("settings", "t", 3)
    assert effect.difference == pytest.approx(10.0)


def test_what_holm_leaves_no_room_for_is_not_testable() -> None:
    rows = {"10": cloud(1), "20": cloud(2, scale=0.4)}
    points = [point(run, 1.0) for run in rows]
    (effect,) = set_effects(points, looking(rows), 9)  # type: ignore[arg-type]
    assert effect.smallest == pytest.approx(1 / 10)
    assert not effect.shown
    assert "not testable" in effect.sentence
    assert "could not have been below 0.1" in effect.sentence


def test_a_score_under_several_other_settings_is_one_comparison() -> None:
    names = {
        f"{steps} {rate}": cloud(10 * steps + rate, scale=1.0 if steps == 10 else 0.4)
        for steps in (10, 20)
        for rate in (1, 2)
    }
    points = [replace(point(run, 1.0), values={STEPS: int(run.split()[0]), "rate": run.split()[1]}) for run in names]
    found = {effect.axis: effect for effect in set_effects(points, looking(names))}  # type: ignore[arg-type]
    assert (found[STEPS].n, found[STEPS].trainings) == (40, 2)
    assert found[STEPS].shown
    assert not found["rate"].shown
