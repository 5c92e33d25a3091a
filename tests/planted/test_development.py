"""One development subject, few pictures: every planted model gets its name. The table of docs/verdict.md is made by
tests/scale/test_planted.py on subjects that nobody looked at before."""

from __future__ import annotations

import numpy as np
import pytest

from boothlab.evaluation.lots import BASE
from boothlab.evaluation.verdict_choice import dominated
from boothlab.evaluation.verdict_data import Measured
from boothlab.statistics.comparisons import compare_paired
from planted.cases import EXPECTED
from planted.judging import confusion, judgement, measured, recommended
from planted.pictures import SMALL


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Measured]:
    return measured("develop", 0, SMALL, tmp_path_factory.mktemp("planted"))


def test_every_planted_model_gets_its_name(found: dict[str, Measured]) -> None:
    assert {name: judgement(found, name).called for name in EXPECTED} == EXPECTED
    assert judgement(found, "leaking").findings == ("leaks into the class word",)
    assert not judgement(found, "leaking").may_be_chosen


def test_of_a_run_the_good_snapshot_is_taken(found: dict[str, Measured]) -> None:
    assert recommended(found) == "good"


def test_the_base_model_is_like_itself_from_other_seeds(found: dict[str, Measured]) -> None:
    base, again = found[BASE], found["base again"]
    assert base.likeness is not None
    assert abs(base.likeness.value) < 0.15, "0 is the base model's people"
    random = np.random.default_rng(0)
    for one, other in (
        (base.pictures.prompt, again.pictures.prompt),
        (base.pictures.likeness, again.pictures.likeness),
    ):
        assert compare_paired(one, other, random).p > 0.05
    assert dominated([base, again], random) == ()


def test_the_table() -> None:
    table = confusion([("good", "good"), ("good", "overfitted"), ("copied", "good")]).splitlines()
    assert table[0].startswith("| planted | underfitted | good | overfitted | copying |")
    assert "| good |  | **1** | 1 |  |  |  |  |" in table
    assert "| copied |  | 1 |  | **0** |  |  |  |" in table
