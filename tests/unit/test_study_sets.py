"""Scores of whole sets between runs: swaps of pairs say what is chance, whatever the score's bias."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from boothlab.api.scoring import SCORING
from boothlab.api.studies.compared import Compared
from boothlab.files import write_json
from boothlab.metrics.frechet import frechet_distance
from boothlab.seeds import derive
from boothlab.statistics.comparisons import POWER
from boothlab.statistics.intervals import Interval
from boothlab.statistics.permutations import Scored, paired_swap
from boothlab.studies import relations
from boothlab.studies.compare_sets import Swapped, compare_ahead, set_columns, set_effects
from boothlab.studies.neighbours import Pair, neighbours
from boothlab.studies.points import COLUMNS, SETS, Column, Point
from boothlab.studies.relations import RELATED, Looked, Relations
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


def test_runs_of_equal_settings_are_one_training_and_say_nothing_twice() -> None:
    """With three controls equal to a point of the grid p was small for nothing: two pictures were taken for eight."""
    points = [point(run, 1.0) for run in ("10", "20")]
    controls = [replace(points[0], run=f"control {number}") for number in range(3)]
    look = looking({"10": cloud(1), "20": cloud(2)} | {one.run: cloud(1) for one in controls})
    (alone,) = set_effects(points, look)
    (beside,) = set_effects([*points, *controls], look)
    assert (beside.n, beside.trainings, beside.p) == (alone.n, alone.trainings, alone.p)


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


def made_grid(rows: int, columns: int, key: str) -> tuple[list[Point], dict[str, np.ndarray]]:
    """Points of one training seed on two axes of numbers, and their pictures."""
    places = [(row, column) for row in range(rows) for column in range(columns)]
    names = {place: f"{place[0]} {place[1]}" for place in places}
    points = [replace(point(name, 1.0, key), values={STEPS: row, "rate": k}) for (row, k), name in names.items()]
    return points, {name: cloud(20 * row + k, 1 - 0.03 * row, 0.02 * k) for (row, k), name in names.items()}


def test_each_points_vectors_are_asked_for_once_whatever_it_is_compared_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They may have to be made again, LPIPS vectors above all: 740 times in a grid of 200 points, as it was."""
    points, rows = made_grid(10, 20, "variety")
    asked: Counter[str] = Counter()
    look = looking(rows)

    def counted(found: Point, column: Column) -> Looked | None:
        asked[found.run] += 1
        return look(found, column)  # type: ignore[operator,no-any-return]

    found = set_effects(points, counted, 19)
    assert len(found) == 28
    assert set(asked.values()) == {1}
    asked.clear()
    monkeypatch.setattr(relations, "HELD", 6 * 20 * DIMENSIONS * 8)
    assert set_effects(points, counted, 19) == found, "whatever is held at once"
    assert sum(asked.values()) <= 1.15 * 200


@pytest.mark.parametrize("key", ["frechet_alexnet", "mmd_alexnet", "different", "debiased", "recall", "cmmd"])
def test_scores_from_relations_of_each_set_are_those_of_the_whole_pool(key: str) -> None:
    """Also where a picture shows nothing on one side."""
    points, rows = made_grid(2, 3, key)
    rows["0 1"][4] = np.nan
    column = next(column for column in (*COLUMNS, *SETS) if column.key == key)
    value = RELATED[column.metric][1]
    beside = next(one for one in neighbours(points) if one.axis == STEPS)
    sets = []
    for a, b in beside.pairs:
        kept = ~(np.isnan(rows[a.run]).any(axis=1) | np.isnan(rows[b.run]).any(axis=1))
        pool = np.concatenate([rows[a.run][kept], rows[b.run][kept]])
        photos = PHOTOS if column.reference != "none" else PHOTOS[:0]
        sets.append(Scored(value.of_pool(pool, photos), int(kept.sum())))
    random = np.random.default_rng(derive(0, "statistics", "swaps", "ada", STEPS, key))
    expected = paired_swap(sets, random, 99)
    found = next(one for one in set_effects(points, looking(rows), 99) if one.axis == STEPS)  # type: ignore[arg-type]
    assert (found.n, found.trainings) == (20 + 20 + 19, 3)
    assert found.difference == pytest.approx(expected.difference, rel=1e-12, abs=1e-12)
    assert found.p == expected.p


class Remembering:
    """A memory that counts what it is asked."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Swapped]] = {}
        self.related: dict[str, Relations] = {}
        self.version: dict[str, int] = {}

    def name(self, found: Point) -> str:
        return f"{found.run} {self.version.get(found.run, 0)}"

    def recall(self, column: Column) -> dict[str, Swapped]:
        return self.kept.get(column.key, {})

    def keep(self, column: Column, tested: Mapping[str, Swapped]) -> None:
        self.kept[column.key] = dict(tested)

    def add(self, tested: Mapping[str, Mapping[str, Swapped]]) -> None:
        for key, found in tested.items():
            self.kept[key] = {**self.kept.get(key, {}), **found}

    def relations(self, column: Column, pair: Pair) -> Relations | None:
        return self.related.get(f"{column.key} {self.name(pair[0])} {self.name(pair[1])}")

    def keep_relations(self, column: Column, pair: Pair, found: Relations) -> None:
        self.related[f"{column.key} {self.name(pair[0])} {self.name(pair[1])}"] = found


def test_what_was_compared_before_is_recalled_and_only_what_changed_is_looked_at() -> None:
    points, rows = made_grid(3, 4, "variety")
    asked: list[str] = []

    def counted(found: Point, column: Column) -> Looked | None:
        asked.append(found.run)
        return look(found, column)  # type: ignore[operator,no-any-return]

    memory, look = Remembering(), looking(rows)
    first = set_effects(points, counted, 19, memory)
    assert (len(first), len(memory.kept["variety"])) == (5, 5)
    asked.clear()
    assert set_effects(points, counted, 19, memory) == first == set_effects(points, look, 19)  # type: ignore[arg-type]
    assert asked == []
    memory.version["0 0"] = 1
    rows["0 0"] = cloud(999, 0.2)
    again = set_effects(points, counted, 19, memory)
    assert sum(one != other for one, other in zip(first, again, strict=True)) == 2
    assert sorted(set(asked)) == ["0 0", "0 1", "0 2", "0 3", "1 0", "1 1", "1 2", "1 3", "2 0", "2 1"]
    assert again == set_effects(points, look, 19)  # type: ignore[arg-type]
    assert len(memory.kept["variety"]) == 5, "what no page needs any more is not kept"


def come_in(
    points: list[Point], look: object, memory: Remembering, but: tuple[str, ...] = (), before: bool = False
) -> None:
    """The runs arrive one by one, all ``but`` some; or all were there ``before``, and are told of again."""
    there: dict[str, Point] = {one.run: one for one in points if before}

    def now(found: Point) -> Point:
        return there.get(found.run, replace(found, cells={}))

    for arriving in (one for one in points if one.run not in but):
        there[arriving.run] = arriving
        nobody: dict[str, Point] = {one.run: now(one) for one in points}
        tests = [
            replace(beside, pairs=tuple((nobody[a.run], nobody[b.run]) for a, b in beside.pairs))
            for beside in neighbours(points)
            if any(arriving.run in (a.run, b.run) for a, b in beside.pairs)
        ]
        compare_ahead(tests, [arriving.run], look, memory, 19)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["variety", "frechet_alexnet", "recall"])
def test_compared_as_runs_come_in_is_what_the_page_would_compare_and_leaves_it_nothing_to_look_at(key: str) -> None:
    points, rows = made_grid(3, 4, key)
    rows["1 2"][4] = np.nan  # a picture that shows nothing
    asked: Counter[str] = Counter()

    def counted(found: Point, column: Column) -> Looked | None:
        asked[found.run] += 1
        return looking(rows)(found, column)  # type: ignore[operator,no-any-return]

    memory = Remembering()
    come_in(points, counted, memory)
    assert len(memory.kept[key]) == 5
    # Pair by pair: when the last run comes, what it completes was mostly seen before.
    assert max(asked.values()) <= 1 + 4
    asked.clear()
    assert set_effects(points, counted, 19, memory) == set_effects(points, looking(rows), 19)  # type: ignore[arg-type]
    memory.related.clear()
    come_in(points, counted, memory, before=True)
    assert (dict(asked), memory.related) == ({}, {}), "a study that is called again has nothing to compare"


def test_of_runs_that_never_came_the_page_compares_the_others_from_what_is_known() -> None:
    points, rows = made_grid(3, 4, "variety")
    asked: Counter[str] = Counter()

    def counted(found: Point, column: Column) -> Looked | None:
        asked[found.run] += 1
        return looking(rows)(found, column)  # type: ignore[operator,no-any-return]

    memory = Remembering()
    come_in(points, counted, memory, but=("1 1",))
    assert len(memory.kept["variety"]) == 1, "that of the last two rates alone has no pair with the missing run"
    asked.clear()
    there = [one for one in points if one.run != "1 1"]
    found = set_effects(there, counted, 19, memory)
    assert found == set_effects(there, looking(rows), 19)  # type: ignore[arg-type]
    # Only what became neighbours because the run between is not there.
    assert set(asked) == {"0 1", "2 1", "1 0", "1 2"}


def test_of_three_training_seeds_nothing_is_looked_at_ahead() -> None:
    points = [point(f"{run} {seed}", run + 0.1 * seed**2, seed=seed) for run in (10, 20) for seed in range(3)]
    asked: list[Point] = []
    memory = Remembering()
    come_in(points, lambda found, column: asked.append(found), memory)
    assert (asked, memory.related, memory.kept) == ([], {}, {})


def test_a_comparison_without_all_its_pictures_is_made_again_next_time() -> None:
    points, rows = made_grid(2, 2, "variety")
    gone = rows.pop("1 1")
    memory = Remembering()
    partly = set_effects(points, looking(rows), 19, memory)  # type: ignore[arg-type]
    assert [one.trainings for one in partly] == [1, 1]
    assert memory.kept["variety"] == {}
    rows["1 1"] = gone
    assert [one.trainings for one in set_effects(points, looking(rows), 19, memory)] == [2, 2]  # type: ignore[arg-type]
    assert len(memory.kept["variety"]) == 2


def test_kept_comparisons_are_a_file_of_the_study_and_damaged_ones_are_none(tmp_path: Path) -> None:
    study = SimpleNamespace(place=tmp_path, root=tmp_path / "runs")
    column = next(column for column in SETS if column.key == "different")
    memory = Compared(study)  # type: ignore[arg-type]
    tested = {
        "a": Swapped(paired_swap([Scored(lambda rows: rows.sum(axis=-1) / 3.0, 4)], np.random.default_rng(0)), 4, 1)
    }
    assert memory.recall(column) == {}
    memory.keep(column, tested)
    assert Compared(study).recall(column) == tested, "to the last bit"  # type: ignore[arg-type]
    for text in (
        "{",
        "[]",
        '{"tested": []}',
        '{"tested": {"different": 1}}',
        '{"tested": {"different": {"a": {"n": 1}}}}',
    ):
        (tmp_path / "compared.json").write_text(text)
        assert Compared(study).recall(column) == {}, text  # type: ignore[arg-type]
    for run, key in (("one", "x"), ("two", "y")):
        tree = {"summaries": [], "unavailable": [], "rulings": [], "nulls": [], "crossings": [], "remarks": []}
        write_json(tmp_path / "runs" / run / "summary.json", {**tree, "scoring": SCORING, "key": key})
    names = {memory.name(replace(point("10", 1.0), folder=run)) for run in ("one", "two")}
    assert len(names) == 2, "other pictures, photos or features are another comparison"


def test_kept_pairs_are_files_of_the_study_and_damaged_ones_are_none(tmp_path: Path) -> None:
    study = SimpleNamespace(place=tmp_path, root=tmp_path / "runs")
    tree = {"summaries": [], "unavailable": [], "rulings": [], "nulls": [], "crossings": [], "remarks": []}
    for run in ("one", "two"):
        write_json(tmp_path / "runs" / run / "summary.json", {**tree, "scoring": SCORING, "key": run})
    one, two = (replace(point("10", 1.0), folder=run) for run in ("one", "two"))
    random = np.random.default_rng(0)
    column, other = next(one for one in COLUMNS if one.key == "variety"), next(iter(SETS))
    kept = Relations(random.normal(size=(6, 6)), random.normal(size=(6, 4)), random.normal(size=(4, 4)))
    memory = Compared(study)  # type: ignore[arg-type]
    assert memory.relations(column, (one, two)) is None
    memory.keep_relations(column, (one, two), kept)
    found = Compared(study).relations(column, (one, two))  # type: ignore[arg-type]
    assert found is not None
    for part in ("own", "cross", "among"):
        assert np.array_equal(getattr(found, part), getattr(kept, part)), "to the last bit"
    assert memory.relations(column, (two, one)) is None, "whose pictures come first matters"
    assert memory.relations(other, (one, two)) is None
    assert memory.relations(replace(column, pictures="class"), (one, two)) is None, "what a key stands for may change"
    write_json(tmp_path / "runs" / "one" / "summary.json", {**tree, "scoring": SCORING, "key": "scored anew"})
    assert memory.relations(column, (one, two)) is not None
    memory.arrived("one")
    assert memory.relations(column, (one, two)) is None
    write_json(tmp_path / "runs" / "one" / "summary.json", {**tree, "scoring": SCORING, "key": "one"})
    memory.arrived("one")
    (file,) = (tmp_path / ".pairs").iterdir()
    whole = file.read_bytes()
    for damaged in (b"", whole[:100], whole[:-30], b"nothing"):
        file.write_bytes(damaged)
        assert memory.relations(column, (one, two)) is None
    memory.forget_relations()
    assert not (tmp_path / ".pairs").exists()
