"""Scores: written and read to the last bit, summarised with Student's interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from boothlab.errors import RunDamaged
from boothlab.evaluation.scores import Score, read_scores, summarise, t_interval, write_scores

SCORES = [
    Score("run-1", "base", "lpips", "held_out", 'a "photo", of {it}\nin two lines', "7", 0.1 + 0.2),
    Score("run-1", "base", "lpips", "held_out", "ünï", str(2**62 + 1), 1e-300),
    Score("run-1", "step-000003", "diversity", "none", "", "", -0.0),
]


def test_there_and_back(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.csv", SCORES)
    found = read_scores(tmp_path / "scores.csv")
    assert found == SCORES
    assert [s.value.hex() for s in found] == [s.value.hex() for s in SCORES]
    text = (tmp_path / "scores.csv").read_text()
    assert text.splitlines()[0] == "run,snapshot,metric,reference,prompt,seed,value"


@pytest.mark.parametrize(
    "text", ["run,snapshot\na,b\n", "run,snapshot,metric,reference,prompt,seed,value\n1,2,3,4,5,6,x\n"]
)
def test_damage_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(RunDamaged, match=r"scores\.csv"):
        read_scores(tmp_path / "scores.csv")


def test_interval_is_students() -> None:
    values = np.random.default_rng(4).normal(3, 2, 9)
    low, high = t_interval(values)
    expected = stats.t.interval(0.95, 8, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(expected, rel=1e-12)
    assert t_interval(values[:1]) == (None, None)
    assert t_interval(values[:0]) == (None, None)
    assert t_interval(np.array([2.0, 2.0])) == (2.0, 2.0)


def test_interval_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    hits = sum(low <= 0 <= high for low, high in (t_interval(random.normal(0, 1, 5)) for _ in range(2000)))  # type: ignore[operator]
    assert 0.935 < hits / 2000 < 0.965


def test_summaries() -> None:
    scores = [Score("r", "base", "m", "train", f"p{k}", str(k), float(k)) for k in range(4)]
    scores += [Score("r", "base", "set", "none", "", "", 0.5), Score("r", "base", "m", "held_out", "p", "0", 9.0)]
    one, two, three = summarise(scores)
    assert (one.n, one.mean, one.metric, one.reference) == (4, 1.5, "m", "train")
    assert (one.low, one.high) == pytest.approx(t_interval(np.arange(4.0)))
    assert (two.n, two.mean, two.low, two.high) == (1, 0.5, None, None)
    assert (three.n, three.mean, three.low, three.high) == (1, 9.0, None, None)
