"""Planted models of subjects that nobody had looked at: does the verdict call them by their name?

    scripts/test-slow -n 0 tests/scale/test_planted.py

prints the table of docs/verdict.md. Changing a threshold or a formula after looking at it voids it: take the next
subjects then (``FIRST``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from boothlab.evaluation.lots import BASE
from boothlab.evaluation.verdict_choice import dominated
from boothlab.statistics.comparisons import compare_paired
from planted.cases import EXPECTED
from planted.judging import confusion, judgement, measured, recommended
from planted.pictures import FULL

FIRST, SUBJECTS = 0, 10
"""Numbers in the reserved stream ``test``."""

RIGHT = 0.92
"""Share of planted models that must be called by their name."""

MOST_REJECTED = 4
"""Of 20 tests at level 0.05 that compare the base model with itself; 5 or more happen in 3 of 1,000 cases."""


@pytest.mark.slow
def test_planted_models_are_called_by_their_name(tmp_path: Path) -> None:
    called, misses, rejected, taken = [], [], 0, 0
    random = np.random.default_rng(0)
    for number in range(FIRST, FIRST + SUBJECTS):
        found = measured("test", number, FULL, tmp_path / str(number))
        for name, expected in EXPECTED.items():
            judged = judgement(found, name)
            called.append((name, judged.called))
            if judged.called != expected:
                misses.append(f"test/{number}, {name}: {judged.called}, for {'; '.join(judged.reasons)}")
        assert "leaks into the class word" in judgement(found, "leaking").findings
        taken += recommended(found) in ("good", None)
        base, again = found[BASE], found["base again"]
        rejected += compare_paired(base.pictures.prompt, again.pictures.prompt, random).p <= 0.05
        rejected += compare_paired(base.pictures.likeness, again.pictures.likeness, random).p <= 0.05
        assert dominated([base, again], random) == ()
        print(f"\ntest/{number}: {len(misses)} misses so far", flush=True)
    right = sum(name == EXPECTED[planted] for planted, name in called)
    print(
        f"\n{confusion(called)}\n\n{right} of {len(called)} right; {rejected} of {2 * SUBJECTS} self-tests rejected"
    )
    print("\n".join(misses))
    assert right >= RIGHT * len(called)
    ruined = [name for planted, name in called if EXPECTED[planted] in ("copying", "collapsed")]
    assert "good" not in ruined
    assert rejected <= MOST_REJECTED
    assert taken == SUBJECTS, "no run's bad snapshot is recommended"
