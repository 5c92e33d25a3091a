"""Planted models of subjects that nobody had looked at: does the verdict call them by their name?

    scripts/test-slow -n 0 tests/scale/test_planted.py

prints the table of docs/verdict.md. Changing a threshold or a formula after looking at it voids it: take the next
subjects then (``FIRST``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from boothlab.evaluation.lots import BASE
from boothlab.evaluation.verdict_choice import dominated
from boothlab.statistics.comparisons import compare_paired
from planted.cases import EXPECTED
from planted.judging import confusion, judgement, measured, recommended
from planted.pictures import FULL

pytestmark = pytest.mark.slow

FIRST, SUBJECTS = 110, 10
"""Numbers in the reserved stream ``test``; those before have been looked at (docs/verdict.md, docs/decisions/033)."""

RIGHT = 0.92
"""Share of planted models that must be called by their name."""

MOST_REJECTED = 4
"""Of 20 tests at level 0.05 that compare the base model with itself; 5 or more happen in 3 of 1,000 cases."""


@dataclass
class Looked:
    """What came of all subjects: (planted, called), misses in words, and what runs and self-tests said."""

    called: list[tuple[str, str]] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)
    leaks: int = 0
    recommended: list[str | None] = field(default_factory=list)
    rejected: int = 0
    base_dominated: int = 0


def look(folder: Path) -> Looked:
    """Draw, measure and judge all subjects below ``folder``."""
    looked, random = Looked(), np.random.default_rng(0)
    for number in range(FIRST, FIRST + SUBJECTS):
        found = measured("test", number, FULL, folder / str(number))
        for name, expected in EXPECTED.items():
            judged = judgement(found, name)
            looked.called.append((name, judged.called))
            if judged.called != expected:
                looked.misses.append(f"test/{number}, {name}: {judged.called}, for {'; '.join(judged.reasons)}")
        looked.leaks += "leaks into the class word" in judgement(found, "leaking").findings
        looked.recommended.append(recommended(found))
        base, again = found[BASE], found["base again"]
        for one, other in (
            (base.pictures.prompt, again.pictures.prompt),
            (base.pictures.likeness, again.pictures.likeness),
        ):
            looked.rejected += compare_paired(one, other, random).p <= 0.05
        looked.base_dominated += dominated([base, again], random) != ()
        print(f"\ntest/{number} judged", flush=True)
    return looked


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    found = look(tmp_path_factory.mktemp("planted"))
    print(f"\n{confusion(found.called)}\n\n{len(found.misses)} of {len(found.called)} missed:")
    print("\n".join(found.misses))
    return found


def test_planted_models_are_called_by_their_name(looked: Looked) -> None:
    assert len(looked.called) - len(looked.misses) >= RIGHT * len(looked.called)
    assert looked.leaks == SUBJECTS


def test_no_copied_or_collapsed_model_is_called_good(looked: Looked) -> None:
    ruined = [name for planted, name in looked.called if EXPECTED[planted] in ("copying", "collapsed")]
    assert len(ruined) == 5 * SUBJECTS
    assert ruined.count("good") == 0


def test_of_a_run_no_bad_snapshot_is_recommended(looked: Looked) -> None:
    assert set(looked.recommended) <= {"good", None}


def test_the_base_model_is_like_itself_from_other_seeds(looked: Looked) -> None:
    assert [called for planted, called in looked.called if planted == "base again"] == ["underfitted"] * SUBJECTS
    assert looked.rejected <= MOST_REJECTED
    assert looked.base_dominated == 0
