"""Scores: written and read to the last bit, summarised with Student's interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from boothlab.errors import RunDamaged
from boothlab.evaluation.scores import Score, read_scores, summarise, write_scores

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
