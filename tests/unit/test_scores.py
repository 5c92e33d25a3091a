"""Scores: written and read to the last bit, summarised with the interval that fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from boothlab.errors import RunDamaged
from boothlab.evaluation.lots import COPIES
from boothlab.evaluation.scores import Score, read_scores, write_scores
from boothlab.evaluation.summaries import Pairs, Summary, over_pairs, over_pictures, summarise
from boothlab.statistics.intervals import two_way_interval
from clock import quickest

SCORES = [
    Score("run-1", "base", "context", "lpips", "held_out", 'a "photo", of {it}\nin two lines', "7", 1, 0.1 + 0.2),
    Score("run-1", "base", "bare", "lpips", "held_out", "ünï", str(2**62 + 1), 1, 1e-300),
    Score("run-1", "step-000003", "bare", "diversity", "none", "", "", 20, -0.0),
]


def test_there_and_back(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.csv", SCORES)
    found = read_scores(tmp_path / "scores.csv")
    assert found == SCORES
    assert [s.value.hex() for s in found] == [s.value.hex() for s in SCORES]
    text = (tmp_path / "scores.csv").read_text()
    assert text.splitlines()[0] == "run,snapshot,pictures,metric,reference,prompt,seed,n,value"


@pytest.mark.parametrize(
    "text", ["run,snapshot\na,b\n", "run,snapshot,pictures,metric,reference,prompt,seed,n,value\n1,2,3,4,5,6,7,8,x\n"]
)
def test_damage_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(RunDamaged, match=r"scores\.csv"):
        read_scores(tmp_path / "scores.csv")


def test_summaries() -> None:
    scores = [Score("r", "base", "bare", "m", "train", f"p{k}", str(k), 1, float(k)) for k in range(4)]
    scores += [Score("r", "base", "bare", "set", "none", "", "", 4, 0.5)]
    scores += [Score("r", "base", "bare", "m", "held_out", "p", "0", 1, 9.0)]
    one, two, three = summarise(scores)
    assert (one.n, one.mean, one.metric, one.reference) == (4, 1.5, "m", "train")
    assert (one.low, one.high) == pytest.approx(stats.t.interval(0.95, 3, 1.5, stats.sem(np.arange(4.0))))
    assert (two.n, two.mean, two.low, two.high) == (4, 0.5, None, None)
    assert (three.n, three.mean, three.low, three.high) == (1, 9.0, None, None)


def test_pictures_without_a_value_are_left_out_and_not_counted() -> None:
    nan = float("nan")
    (line,) = summarise(
        [Score("r", "base", "bare", "m", "train", f"p{k}", "", 1, v) for k, v in enumerate((1, nan, 3))]
    )
    assert (line.n, line.mean) == (2, 2.0)
    (none,) = summarise([Score("r", "base", "bare", "m", "train", "p", "", 1, nan)])
    assert (none.n, none.mean, none.low) == (0, None, None)


def test_shares_have_wilsons_interval() -> None:
    """Nought of twenty may still be 16 %; Student's interval would say 0 to 0."""
    (line,) = summarise([Score("r", "base", "bare", "m", "train", f"p{k}", "", 1, 0.0) for k in range(20)], {"m"})
    assert (line.mean, line.low) == (0.0, 0.0)
    assert line.high == pytest.approx(0.1611, abs=1e-4)


def cell(values: np.ndarray, metric: str = "m", snapshot: str = "base", prompts: int = 0) -> list[Score]:
    """A number per picture, of so many prompts; 0: each picture of its own."""
    names = [f"p{k % prompts if prompts else k}" for k in range(len(values))]
    return [
        Score("r", snapshot, "bare", metric, "train", name, str(k), 1, float(value))
        for k, (name, value) in enumerate(zip(names, values, strict=True))
    ]


def width(line: Summary) -> float:
    """Of an interval that exists."""
    assert line.low is not None
    assert line.high is not None
    return line.high - line.low


def test_no_interval_goes_beyond_what_a_metric_gives() -> None:
    scores = [Score("r", "base", "bare", "m", "train", f"p{k}", "", 1, 1.0 - 0.3 * (k == 0)) for k in range(10)]
    (free,), (bound,) = summarise(scores), summarise(scores, bounds={"m": (0.0, 1.0)})
    assert free.high is not None
    assert free.high > 1
    assert bound == replace(free, high=1.0)


def test_where_photos_are_a_sample_they_count() -> None:
    """One odd photo moves all pictures alike: over pictures alone the interval is ten times too narrow."""
    random = np.random.default_rng(1)
    matrix = random.normal(size=(1, 18)) + 0.1 * random.normal(size=(20, 18))
    matrix[3] = np.nan
    scores = cell(matrix.mean(axis=1))
    (line,) = summarise(scores, pairs=[Pairs("base", "bare", "m", "train", matrix)])
    (fixed,) = summarise(scores)
    assert (line.kind, fixed.kind) == ("pairs", "t")
    assert line.n == fixed.n == 19
    assert line.mean == fixed.mean == pytest.approx(np.nanmean(matrix))
    expected = two_way_interval(matrix)
    assert (line.low, line.high) == (expected.low, expected.high)
    assert width(line) > 10 * width(fixed)


def test_pairs_belong_to_their_own_cell_only() -> None:
    matrix = np.arange(12.0).reshape(4, 3)
    scores = cell(matrix.mean(axis=1)) + cell(matrix.mean(axis=1), snapshot="step-000001")
    first, second = summarise(scores, pairs=[Pairs("base", "bare", "m", "train", matrix)])
    assert (first.kind, second.kind) == ("pairs", "t")


def test_with_one_photo_nothing_is_known_of_others() -> None:
    matrix = np.arange(4.0)[:, None]
    (line,) = summarise(cell(matrix[:, 0]), pairs=[Pairs("base", "bare", "m", "train", matrix)])
    assert (line.mean, line.low, line.kind) == (1.5, None, "none")


def test_pictures_of_one_prompt_are_no_independent_pictures() -> None:
    values = np.repeat(np.arange(5.0), 4) + np.tile([0.0, 0.01, 0.02, 0.03], 5)
    (alone,) = summarise(cell(values))
    scores = [s for k in range(5) for s in cell(values[4 * k : 4 * k + 4], prompts=1)]
    scores = [replace(s, prompt=f"p{k // 4}") for k, s in enumerate(scores)]
    (line,) = summarise(scores)
    assert (alone.kind, line.kind, line.n) == ("t", "prompts", 20)
    assert width(line) > 1.8 * width(alone)
    assert over_pictures(scores)[0].low == line.low


def test_nor_are_they_where_they_are_compared_with_photos() -> None:
    """Two pictures of a prompt that are equally like each photo are one observation."""
    matrix = np.random.default_rng(5).normal(size=(10, 1)) + 0.1 * np.random.default_rng(6).normal(size=(10, 18))
    doubled = np.repeat(matrix, 2, axis=0)
    scores = [replace(score, prompt=f"p{k // 2}") for k, score in enumerate(cell(doubled.mean(axis=1)))]
    (line,) = summarise(scores, pairs=[Pairs("base", "bare", "m", "train", doubled)])
    (single,) = summarise(cell(matrix.mean(axis=1)), pairs=[Pairs("base", "bare", "m", "train", matrix)])
    (apart,) = summarise(cell(doubled.mean(axis=1)), pairs=[Pairs("base", "bare", "m", "train", doubled)])
    assert (line.kind, line.n) == ("pairs", 20)
    assert (line.low, line.high) == pytest.approx((single.low, single.high))
    assert width(line) > 1.4 * width(apart)


def test_copied_photos_are_no_sample() -> None:
    (line,) = summarise(cell(np.arange(20.0), snapshot=COPIES))
    assert (line.mean, line.low, line.kind) == (9.5, None, "none")


def test_one_number_on_two_scales_has_one_interval() -> None:
    matrix = np.random.default_rng(2).normal(size=(20, 6))
    scores = cell(matrix.mean(axis=1), prompts=10)
    one, other = over_pairs(matrix, scores), over_pairs(2 * matrix + 1, scores)
    assert one.low is not None
    assert other.low is not None
    assert other.low == pytest.approx(2 * one.low + 1, rel=1e-12)


def test_the_intervals_of_a_run_take_less_than_a_second() -> None:
    """Ten sources, and for each more than all set-to-set means that there are: 24, and 24 means over pictures."""
    random = np.random.default_rng(3)
    scores, pairs = [], []
    for source in range(10):
        for k in range(48):
            matrix = random.normal(size=(20, 18))
            scores += cell(matrix.mean(axis=1), f"m{k}", f"s{source}", prompts=10)
            pairs += [Pairs(f"s{source}", "bare", f"m{k}", "train", matrix)] if k < 24 else []
    taken, lines = quickest(lambda: summarise(scores, pairs=pairs))
    assert taken < 1.0
    assert [line.kind for line in lines].count("pairs") == 240
