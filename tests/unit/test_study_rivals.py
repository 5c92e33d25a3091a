"""Settings that others would take: never chosen, trained on every subject, and a choice's worth beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boothlab.api.studies.rivals import RIVALS_HEAD, rivals_head, rivals_row, rivals_text, rivals_view
from boothlab.errors import PlanError
from boothlab.statistics.digits import plain
from boothlab.statistics.intervals import Interval, t_interval
from boothlab.studies.carry import carried
from boothlab.studies.choose import choose
from boothlab.studies.expand import expand
from boothlab.studies.plan import load_study
from boothlab.studies.points import FACE, LIKENESS, PROMPT, Point
from boothlab.studies.rivals import Beside, beside_rivals, rivals_summary
from study_made import RATE, base_plan, made_point, write_study

SPREAD = np.linspace(-0.1, 0.1, 20)
ERROR = float(SPREAD.std(ddof=1) / np.sqrt(20))


def point(run: str, likeness: float, prompt: float = 0.8, subject: str = "ada", **more: Any) -> Point:
    """Twenty pictures around these means; likeness and prompt following go up and down against each other."""
    found = made_point(
        run, {RATE: run}, likeness=likeness + SPREAD, prompt=prompt - SPREAD[::-1], subject=subject, **more
    )
    return replace(found, prompts=dict.fromkeys((LIKENESS, PROMPT), tuple(range(20))))


def beside(likeness: float, prompt: float = 0.8, **rival: Any) -> Beside:
    """What is recommended, 0.7 and 0.8 on fresh pictures without any spread, beside a rival with these means."""
    best = point("best", 0.75)
    points = [best, point("taken", likeness, prompt, rival="taken", **rival)]
    fresh = point("best", 0.7, 0.8)
    fresh = replace(fresh, pictures={LIKENESS: np.full(20, 0.7), PROMPT: np.full(20, 0.8)})
    fresh = replace(fresh, cells={key: t_interval(values) for key, values in fresh.pictures.items()})
    (found,) = beside_rivals(points, {"ada": choose(points, "ada")}, {"ada": fresh})
    return found


def test_a_rival_is_never_chosen_nor_carried_over_however_good_it_is() -> None:
    points = [point("best", 0.6), point("taken", 0.9, rival="taken")]
    assert choose(points, "ada").run == "best"
    assert choose(points[1:], "ada").run is None
    assert "No run is finished" in choose(points[1:], "ada").reason
    both = [replace(one, subject=name, values={**one.values, "subjects": name}) for one in points for name in "ab"]
    assert carried(both) == []


@pytest.mark.parametrize(
    ("likeness", "prompt", "state"),
    [
        (0.7 - 1.01 * ERROR, 0.8, "better"),
        (0.7 - 0.99 * ERROR, 0.8, "no worse"),
        (0.7 + 0.99 * ERROR, 0.8, "no worse"),
        (0.7 + 1.01 * ERROR, 0.8, "worse"),
        (0.5, 0.8 + 0.99 * ERROR, "better"),
        (0.5, 0.8 + 1.01 * ERROR, "follows prompts worse"),
        (0.9, 0.2, "worse"),
    ],
)
def test_states_count_in_standard_errors_of_the_paired_difference(likeness: float, prompt: float, state: str) -> None:
    found = beside(likeness, prompt)
    assert found.state == state
    assert found.differences[LIKENESS].error == pytest.approx(ERROR)
    assert found.differences[LIKENESS].value == pytest.approx(0.7 - likeness)
    assert found.differences[PROMPT].value == pytest.approx(0.8 - prompt)
    assert found.values[LIKENESS] == pytest.approx((0.7, likeness))


def test_fresh_pictures_count_not_those_that_chose() -> None:
    """By the pictures that chose it, 0.75, it would be ahead of 0.73 by more than a standard error."""
    assert beside(0.73).state == "worse"


def test_prompts_are_the_units_where_they_have_several_pictures() -> None:
    taken = replace(point("taken", 0.5), rival="taken", prompts={LIKENESS: (0, 1) * 10, PROMPT: (0, 1) * 10})
    fresh = replace(taken, run="best", rival="", pictures={k: v + 0.1 for k, v in taken.pictures.items()})
    best = replace(fresh, cells=dict(taken.cells))
    (found,) = beside_rivals([best, taken], {"ada": choose([best, taken], "ada")}, {"ada": fresh})
    assert found.differences[LIKENESS].n == 2


@pytest.mark.parametrize(("faces", "state"), [(0.0, "better"), (1.0, "not measured")])
def test_a_rival_that_draws_no_face_at_all_is_like_nobody(faces: float, state: str) -> None:
    best, taken = point("best", 0.75), point("taken", 0.5, 0.8, rival="taken")
    pictures = {PROMPT: taken.pictures[PROMPT], FACE: np.full(20, faces)}
    taken = replace(taken, pictures=pictures, prompts=dict.fromkeys(pictures, tuple(range(20))))
    (found,) = beside_rivals([best, taken], {"ada": choose([best, taken], "ada")}, {"ada": best})
    assert found.state == state
    assert (LIKENESS in found.differences) == (state == "better")
    if state == "better":
        assert found.values[LIKENESS] == (pytest.approx(0.75), 0.0)


def test_without_a_recommendation_or_without_fresh_pictures_nothing_is_claimed() -> None:
    taken = point("taken", 0.6, rival="taken")
    bad = point("bad", 0.9, word="copying")
    (found,) = beside_rivals([bad, taken], {"ada": choose([bad, taken], "ada")}, {})
    assert (found.state, found.recommended, found.values) == ("nothing recommended", "", {})
    good = point("good", 0.9)
    (found,) = beside_rivals([good, taken], {"ada": choose([good, taken], "ada")}, {"ada": None})
    assert (found.state, found.recommended, found.values) == ("not measured", "good", {})


def test_a_rival_that_failed_is_not_beaten() -> None:
    best, taken, lost = point("best", 0.75), point("taken", 0.5, rival="taken"), point("lost", 0.5, rival="lost")
    lost = replace(lost, state="failed", cells={}, pictures={}, prompts={})
    found = beside_rivals([best, taken, lost], {"ada": choose([best], "ada")}, {"ada": best})
    assert [(one.rival, one.state) for one in found] == [("taken", "better"), ("lost", "not measured")]
    assert rivals_summary(found) == "Against taken: better on 1. Against lost: not measured on 1."


def test_pictures_without_a_face_count_against_who_drew_them() -> None:
    """One face in twenty, and that a good one."""
    best, taken = point("best", 0.7), point("taken", 0.7, rival="taken")
    one = np.full(20, np.nan)
    one[0] = 0.99
    taken = replace(taken, pictures={**taken.pictures, LIKENESS: one})
    (found,) = beside_rivals([best, taken], {"ada": choose([best], "ada")}, {"ada": best})
    assert found.state == "better"
    assert found.values[LIKENESS] == pytest.approx((0.7, 0.99 / 20))


def test_without_a_standard_error_nothing_is_decided() -> None:
    best, taken = point("best", 0.9), point("taken", 0.2, rival="taken")
    first = {key: (values[:1], (0,)) for key, values in best.pictures.items()}
    single = [
        replace(one, pictures={k: v for k, (v, _) in first.items()}, prompts={k: p for k, (_, p) in first.items()})
        for one in (best, taken)
    ]
    (found,) = beside_rivals(single, {"ada": choose([best], "ada")}, {"ada": single[0]})
    assert found.state == "not measured"


def test_the_rival_of_the_same_training_seed_is_taken() -> None:
    best = point("best", 0.75, seed=1)
    rivals = [point(f"taken {seed}", 0.5 + seed / 10, seed=seed, rival="taken") for seed in (0, 1)]
    (found,) = beside_rivals([best, *rivals], {"ada": choose([best], "ada")}, {"ada": best})
    assert found.values[LIKENESS][1] == pytest.approx(0.6)
    (found,) = beside_rivals([best, rivals[0]], {"ada": choose([best], "ada")}, {"ada": best})
    assert found.values[LIKENESS][1] == pytest.approx(0.5)


def test_copies_of_both_stand_in_the_table() -> None:
    best, taken = point("best", 0.75), point("taken", 0.5, rival="taken")
    best = replace(best, cells={**best.cells, "copied": Interval(0.05, 0.0, 0.2, 20)})
    (found,) = beside_rivals([best, taken], {"ada": choose([best], "ada")}, {"ada": best})
    assert found.copies == (0.05, None)
    told = dict(zip(rivals_head()[-3:], rivals_text(found)[-3:], strict=True))
    assert told == {"copies: recommended": "0.05", "copies: rival": "–", "recommended": "best"}
    assert rivals_text(found)[3] == "+0.25"
    error = found.differences[LIKENESS].error
    assert error is not None
    assert rivals_text(found)[4] == f"± {plain(error)}"
    assert rivals_head()[3:5] == ["likeness: difference", "± one standard error"]
    row = dict(zip(RIVALS_HEAD, rivals_row(found), strict=True))
    assert (row["rival"], row["recommended"], row["copies"], row["likeness_n"]) == ("taken", "best", 0.05, 20)
    assert row["likeness_difference"] == pytest.approx(0.25)


def test_the_summary_counts_subjects_against_every_rival() -> None:
    def made(subject: str, rival: str, state: Any) -> Beside:
        return Beside(subject, rival, "best", state, {}, {}, (None, None))

    found = [
        made("ada", "A", "better"),
        made("ada", "B", "better"),
        made("bob", "A", "better"),
        made("bob", "B", "no worse"),
        made("cy", "A", "worse"),
        made("cy", "B", "better"),
    ]
    assert rivals_summary(found) == (
        "Against A: better on 2, worse on 1. Against B: better on 2, no worse on 1. Of 3 subjects, what is "
        "recommended is behind no rival on 2 and ahead of every rival on 1."
    )
    view = rivals_view(found)
    assert view is not None
    assert view.summary == rivals_summary(found)
    assert rivals_view([]) is None


def test_a_run_for_each_subject_is_trained_on_every_value_of_the_axis(tmp_path: Path) -> None:
    people = [[{"name": name, "photos": "photos"}] for name in ("ada", "bob")]
    runs = [
        {"name": "taken", "each_subject": True, "rival": True, "settings": {RATE: 1e-2}},
        {"name": "alone", "settings": {RATE: 1e-4}},
    ]
    file = write_study(tmp_path, Path("toon"), axes={"subjects": people}, runs=runs, seeds=[0, 1])
    found = expand(*load_study(file), tmp_path)
    rivals = [one for one in found if one.rival]
    assert [one.name for one in rivals] == [
        "taken, ada · seed 0",
        "taken, ada · seed 1",
        "taken, bob · seed 0",
        "taken, bob · seed 1",
    ]
    assert {one.rival for one in rivals} == {"taken"}
    assert {one.plan.strategy.learning_rate for one in rivals} == {1e-2}
    assert [one.plan.subjects[0].name for one in rivals] == ["ada", "ada", "bob", "bob"]
    (alone,) = {one.setting for one in found if one.named and not one.rival}
    assert alone == "alone"


@pytest.mark.parametrize(
    ("study", "said"),
    [
        ({"runs": [{"name": "taken", "each_subject": True}]}, "needs the subjects as an axis"),
        (
            {
                "axes": {"subjects": [[{"name": "ada", "photos": "photos"}]]},
                "runs": [{"name": "taken", "each_subject": True, "settings": {"subjects.0.identifier": "sks"}}],
            },
            "each_subject takes the subjects of the axis",
        ),
    ],
)
def test_each_subject_that_cannot_be_is_said(tmp_path: Path, study: dict[str, Any], said: str) -> None:
    file = write_study(tmp_path, Path("toon"), plan=base_plan("toon", "photos"), **study)
    with pytest.raises(PlanError, match=said):
        load_study(file)


def test_what_was_not_measured_is_not_behind_and_a_finished_rival_goes_before_a_failed_one() -> None:
    best = point("best", 0.75)
    failed = replace(point("taken", 0.5, rival="taken"), state="failed", cells={}, pictures={})
    chosen = {"ada": choose([best], "ada")}
    (nothing,) = beside_rivals([best, failed], chosen, {"ada": best})
    assert nothing.state == "not measured"
    assert rivals_summary([nothing]) == "Against taken: not measured on 1."
    (found,) = beside_rivals(
        [best, failed, replace(point("taken", 0.5, rival="taken"), seed=1)], chosen, {"ada": best}
    )
    assert found.state == "better"
    assert rivals_summary([found, replace(nothing, subject="bob")]) == (
        "Against taken: better on 1, not measured on 1. Of 1 subject of 2, all on which every rival was measured, "
        "what is recommended is behind no rival on 1 and ahead of every rival on 1."
    )
