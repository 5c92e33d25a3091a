"""What `check` says of the trainings of a study."""

from __future__ import annotations

import pytest

from boothlab.cli.study import members_in_words

TAUGHT = "strategy dreambooth (learning_rate 0.001, identifier_learning_rate 0.01)"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"zl635_008, ada": 260}, "zl635_008, ada"),
        ({"steps 2": 2, "steps 4": 4}, "steps 2, 4"),
        ({"ada, steps 120": 120, "ada, steps 240": 240}, "ada: steps 120, 240"),
        (
            {f"ada, steps {steps}, {TAUGHT}": steps for steps in (120, 240)},
            f"ada, {TAUGHT}: steps 120, 240",
        ),
        ({f"ada, steps {n} · seed 1": n for n in (120, 240)}, "ada, seed 1: steps 120, 240"),
        (
            {"ada, steps per photo 20": 160, "ada, steps per photo 40": 320},
            "ada: steps per photo 20 (160), steps per photo 40 (320)",
        ),
        ({"CYR_001": 260, "CYR_002": 78}, "CYR_001 (260), CYR_002 (78)"),
        ({"ada, steps 120": 120, "CYR_002": 78}, "ada, steps 120 (120), CYR_002 (78)"),
        # The length that a name tells is not always the step that it is: said with its step then.
        ({"ada, steps 120": 121, "ada, steps 240": 240}, "ada: steps 120 (121), steps 240 (240)"),
    ],
)
def test_names_of_one_training_say_once_what_they_share(members: dict[str, int], said: str) -> None:
    assert members_in_words(members) == said
