"""Settings chosen on one subject and applied to another: which, at what cost, and what may be said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from boothlab.api.studies.carrying import CARRY_HEAD, carry_row, carry_view
from boothlab.statistics.digits import plain, ranged, signed
from boothlab.statistics.intervals import t_interval
from boothlab.studies import carry
from boothlab.studies.carry import carried, summary
from boothlab.studies.claims import claims_tested
from boothlab.studies.plan import Carries, Claim
from boothlab.studies.points import LIKENESS, PROMPT
from study_made import RATE, made_point, made_study


def test_what_is_chosen_on_one_is_compared_with_the_others_own_best() -> None:
    points = made_study({"ada": {1e-6: 0.4, 2e-6: 0.8}, "bob": {1e-6: 0.7, 2e-6: 0.3}})
    to_bob, to_ada = carried(points)
    assert (to_bob.source, to_bob.target) == ("ada", "bob")
    assert (to_bob.settings, to_bob.best) == ("learning rate 2e-06", "learning rate 1e-06")
    assert (to_bob.state, to_bob.about, to_bob.by_verdict) == ("loses", "settings", True)
    means = {p.run: p.cells[LIKENESS].value for p in points}
    each = np.array([means[f"bob 2e-06 {k}"] - means[f"bob 1e-06 {k}"] for k in range(3)])
    assert to_bob.differences[LIKENESS] == t_interval(each)
    half = stats.t.ppf(0.975, 2) * each.std(ddof=1) / np.sqrt(3)
    assert to_bob.differences[LIKENESS].high == pytest.approx(each.mean() + half, rel=1e-12)
    assert to_bob.values[LIKENESS] == (
        pytest.approx(np.mean([means[f"bob 2e-06 {k}"] for k in range(3)])),
        pytest.approx(np.mean([means[f"bob 1e-06 {k}"] for k in range(3)])),
    )
    assert (to_ada.settings, to_ada.best, to_ada.state) == ("learning rate 1e-06", "learning rate 2e-06", "loses")
    said = "Chosen on ada, applied to bob: learning rate 2e-06 against its own best learning rate 1e-06: loses: "
    assert to_bob.sentence.startswith(said + "likeness −0.")
    assert summary([to_bob, to_ada]) == (
        "Settings were carried from one subject to another 2 times: 0 were the other's own choice too, 0 showed no "
        "loss, 2 lost."
    )


def test_the_same_choice_twice_costs_nothing() -> None:
    found = carried(made_study({"ada": {1e-6: 0.4, 2e-6: 0.8}, "bob": {1e-6: 0.3, 2e-6: 0.7}}))
    assert [one.state for one in found] == ["the same settings"] * 2
    assert [dict(one.differences) for one in found] == [{}, {}]
    assert "2 were the other's own choice too" in summary(found)


def test_with_one_seed_it_is_about_checkpoints_and_no_loss_has_a_limit() -> None:
    """Two rates that are alike on bob: no loss is seen, and how much may be lost unseen is said."""
    points = made_study({"ada": {1e-6: 0.4, 2e-6: 0.8}, "bob": {1e-6: 0.605, 2e-6: 0.6}}, seeds=1)
    to_bob = carried(points)[0]
    if to_bob.best == to_bob.settings:
        pytest.fail("the two rates were to be told apart")
    first, second = (next(p for p in points if p.run == f"bob {rate} 0") for rate in (1e-6, 2e-6))
    difference = t_interval(second.pictures[LIKENESS] - first.pictures[LIKENESS])
    assert (to_bob.state, to_bob.about) == ("no loss seen", "checkpoints")
    assert to_bob.differences[LIKENESS].low == pytest.approx(difference.low, rel=1e-12)
    assert to_bob.sentence.endswith("These runs only: fewer than 3 seeds.")
    assert f"the test would have missed a loss of up to {-difference.low:.2g} of likeness" in summary([to_bob])


def test_where_one_number_lacks_a_seed_nothing_is_said_of_settings() -> None:
    """Prompt following over three seeds made likeness, over pictures of two, a statement about settings."""
    points = made_study({"ada": {1e-6: 0.4, 2e-6: 0.8}, "bob": {1e-6: 0.9, 2e-6: 0.6}})
    lacking = [
        replace(point, pictures={PROMPT: point.pictures[PROMPT]}, cells={PROMPT: point.cells[PROMPT]})
        if (point.subject, point.seed) == ("bob", 2)
        else point
        for point in points
    ]
    whole, partly = (next(one for one in carried(own) if one.target == "bob") for own in (points, lacking))
    assert {key: found.n for key, found in partly.differences.items()} == {LIKENESS: 40, PROMPT: 3}
    assert (whole.about, partly.about) == ("settings", "checkpoints")
    assert "These runs only" in partly.sentence


def test_a_loss_of_prompt_following_is_a_loss() -> None:
    flat = np.linspace(-0.05, 0.05, 20)
    prompt = {("ada", 1e-6): 0.5, ("ada", 2e-6): 0.5, ("bob", 1e-6): 0.6, ("bob", 2e-6): 0.2}
    likeness = {("ada", 1e-6): 0.4, ("ada", 2e-6): 0.8, ("bob", 1e-6): 0.7, ("bob", 2e-6): 0.7}
    points = [
        made_point(
            f"{s} {r}", {"subjects": s, RATE: r}, 0, likeness[s, r] + flat, prompt[s, r] + flat[::-1], subject=s
        )
        for s, r in prompt
    ]
    to_bob = carried(points)[0]
    assert (to_bob.settings, to_bob.best, to_bob.state) == ("learning rate 2e-06", "learning rate 1e-06", "loses")
    assert to_bob.differences[PROMPT].value == pytest.approx(-0.4)


def test_without_a_recommendation_the_highest_mean_stands_for_the_choice() -> None:
    found = carried(made_study({"ada": {1e-6: 0.4, 2e-6: 0.8}, "bob": {1e-6: 0.7, 2e-6: 0.3}}, word="copying"))
    assert [(one.settings, one.by_verdict) for one in found] == [
        ("learning rate 2e-06", False),
        ("learning rate 1e-06", False),
    ]
    view = carry_view(found)
    assert view is not None
    assert all(name.endswith(" ○") for row in view.rows for name in row[-2:])
    assert "highest mean likeness" in view.note


def test_only_a_choice_that_is_no_recommendation_is_marked() -> None:
    """Of ada something may be recommended, of bob nothing."""
    points = made_study({"ada": {1e-6: 0.4, 2e-6: 0.8}, "bob": {1e-6: 0.7, 2e-6: 0.3}})
    points = [replace(point, word="copying") if point.subject == "bob" else point for point in points]
    to_bob, to_ada = carried(points)
    assert (to_bob.settings_recommended, to_bob.best_recommended, to_bob.by_verdict) == (True, False, False)
    assert (to_ada.settings_recommended, to_ada.best_recommended) == (False, True)
    view = carry_view([to_bob, to_ada])
    assert view is not None
    assert sorted(row[:2] + row[-2:] for row in view.rows) == [
        ("ada", "bob", "learning rate 2e-06", "learning rate 1e-06 ○"),
        ("bob", "ada", "learning rate 1e-06 ○", "learning rate 2e-06"),
    ]


def test_every_number_has_a_column_of_its_own_and_the_largest_loss_comes_first() -> None:
    found = carried(made_study({"ada": {1e-6: 0.7, 2e-6: 0.8}, "bob": {1e-6: 0.7, 2e-6: 0.3}}))
    view = carry_view(found)
    assert view is not None
    assert [row[:3] for row in view.rows] == [("ada", "bob", "loses"), ("bob", "ada", "loses")]
    row = dict(zip(view.head[3:7], view.rows[0][3:7], strict=True))
    loss = found[0].differences[LIKENESS]
    assert row == {
        "likeness: difference": signed(loss.value),
        "95 % interval": ranged(loss.low, loss.high),
        "there": plain(found[0].values[LIKENESS][0]),
        "its own best": plain(found[0].values[LIKENESS][1]),
    }
    assert row["likeness: difference"].startswith("−0.")
    assert [view.head[column] for column in view.bold] == ["likeness: difference", "prompt following: difference"]


def test_pairs_that_chose_the_same_are_counted_and_not_listed() -> None:
    same = {1e-6: 0.4, 2e-6: 0.8}
    found = carried(made_study({"ada": same, "bob": same, "cyd": {1e-6: 0.9, 2e-6: 0.3}}))
    view = carry_view(found)
    assert view is not None
    pairs = sorted((row[0], row[1]) for row in view.rows)
    assert pairs == [("ada", "cyd"), ("bob", "cyd"), ("cyd", "ada"), ("cyd", "bob")]
    assert "6 times: 2 were the other's own choice too" in view.summary
    alike = carry_view(carried(made_study({"ada": same, "bob": same})))
    assert alike is not None
    assert (alike.rows, alike.note) == ((), "")
    unruled = carry_view(carried(made_study({"ada": same, "bob": same}, word="copying")))
    assert unruled is not None
    assert unruled.rows == ()
    assert unruled.note.startswith("Where no run of a subject may be recommended")


@pytest.mark.parametrize(
    "means",
    [
        {"ada": {1e-6: 0.4, 2e-6: 0.8}},
        {"ada": {1e-6: 0.4, 2e-6: 0.8}, "bob": {2e-6: 0.7}},
        {"ada": {1e-6: 0.4, 2e-6: 0.8}, "bob": {3e-6: 0.7, 4e-6: 0.1}},
    ],
    ids=["one subject", "nothing to choose", "nothing in common"],
)
def test_where_there_is_nothing_to_carry_nothing_is_said(means: dict[str, dict[float, float]]) -> None:
    assert carried(made_study(means)) == []
    assert carry_view([]) is None
    assert summary([]) == ""


def test_the_table_has_a_value_for_every_column() -> None:
    for one in carried(made_study({"ada": {1e-6: 0.4, 2e-6: 0.8}, "bob": {1e-6: 0.7, 2e-6: 0.3}})):
        row = dict(zip(CARRY_HEAD, carry_row(one), strict=True))
        assert row["likeness_difference"] == pytest.approx(row["likeness"] - row["likeness_own_best"])
        assert row["likeness_n"] == 3


def test_a_choice_among_the_same_settings_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every ordered pair of subjects asks for two choices, each of which looks at every picture."""
    points = made_study({name: {1e-6: 0.4, 2e-6: 0.8} for name in ("ada", "bob", "cy", "dee", "eve")})
    asked: list[str] = []
    own = carry.choose
    monkeypatch.setattr(carry, "choose", lambda points, subject: asked.append(subject) or own(points, subject))
    assert len(carried(points)) == 20
    assert sorted(asked) == ["ada", "bob", "cy", "dee", "eve"]


CARRIES = Carries(say="Settings carry over.", carries="likeness", margin=0.1)


def test_a_claim_that_settings_carry_over_holds_fails_or_stays_undecided() -> None:
    """Each one's choice costs the other 0.03: holds. It costs 0.4: fails. A loss near the margin: undecided."""
    close = {"ada": {1e-6: 0.75, 2e-6: 0.78}, "bob": {1e-6: 0.78, 2e-6: 0.75}}
    apart = {"ada": {1e-6: 0.4, 2e-6: 0.8}, "bob": {1e-6: 0.8, 2e-6: 0.4}}
    near = {"ada": {1e-6: 0.7, 2e-6: 0.8}, "bob": {1e-6: 0.8, 2e-6: 0.7}}
    found = [claims_tested(made_study(means), [CARRIES])[0] for means in (close, apart, near)]
    assert [one.state for one in found] == ["holds", "fails", "undecided"]
    points = made_study(apart)
    means = {p.run: p.cells[LIKENESS].value for p in points}
    to_bob = [means[f"bob 2e-06 {k}"] - means[f"bob 1e-06 {k}"] for k in range(3)]
    to_ada = [means[f"ada 1e-06 {k}"] - means[f"ada 2e-06 {k}"] for k in range(3)]
    each = np.mean([to_bob, to_ada], 0)
    expected = t_interval(each)
    assert found[1].numbers.startswith(
        f"likeness {signed(expected.value)}, 95 % CI {plain(expected.low)} to {plain(expected.high)} over 2 pairs"
    )
    p = stats.ttest_1samp(each, -0.1).pvalue
    assert f"3 seeds, Holm p = {p:.2g}" in found[1].numbers


def test_where_all_choose_the_same_settings_no_loss_is_tested() -> None:
    """All losses are 0 by definition: no p, and none in the family of the other claims."""
    points = made_study({"ada": {1e-6: 0.4, 2e-6: 0.8}, "bob": {1e-6: 0.3, 2e-6: 0.7}})
    higher = Claim(say="higher", axis=RATE, at=2e-6, than=1e-6)
    alone, (carries, beside) = claims_tested(points, [higher]), claims_tested(points, [CARRIES, higher])
    assert (carries.state, carries.numbers) == (
        "undecided",
        "in all 2 pairs the settings chosen on one subject were the other's own choice too: nothing was carried "
        "over, so there is no loss to test",
    )
    assert [beside] == alone
    assert beside.state == "holds"


def test_losses_that_are_equal_at_every_seed_are_not_tested() -> None:
    """The two choices are settings that differ by 0 at every seed, or by 0.05: a t test would be certain of both."""
    flat = np.linspace(-0.02, 0.02, 20)
    for gain, said in ((0.0, "0, 95 % CI 0 to 0"), (-0.05, "−0.05, 95 % CI −0.05 to −0.05")):
        likeness = {("ada", 1e-6): 0.8 + gain, ("ada", 2e-6): 0.8, ("bob", 1e-6): 0.8, ("bob", 2e-6): 0.8 + gain}
        prompt = {("ada", 1e-6): 0.2, ("ada", 2e-6): 0.5, ("bob", 1e-6): 0.5, ("bob", 2e-6): 0.2}
        points = [
            made_point(
                f"{s} {r} {k}", {"subjects": s, RATE: r}, k, likeness[s, r] + flat, prompt[s, r] + flat, subject=s
            )
            for s, r in likeness
            for k in range(3)
        ]
        assert not any(one.state == "the same settings" for one in carried(points))
        (found,) = claims_tested(points, [CARRIES])
        assert found.state == "undecided"
        assert found.numbers.startswith(f"likeness {said} over 2 pairs")
        assert found.numbers.endswith("3 seeds, equal at all of them, of which a t test would be certain")


def test_a_claim_that_settings_carry_over_needs_seeds_and_subjects() -> None:
    few = made_study({"ada": {1e-6: 0.4, 2e-6: 0.8}, "bob": {1e-6: 0.8, 2e-6: 0.4}}, seeds=2)
    assert claims_tested(few, [CARRIES])[0].state == "undecided"
    assert "fewer than 3 training seeds" in claims_tested(few, [CARRIES])[0].numbers
    (alone,) = claims_tested(made_study({"ada": {1e-6: 0.4, 2e-6: 0.8}}), [CARRIES])
    assert (alone.state, alone.numbers) == (
        "undecided",
        "the finished runs train on no two subjects with two settings in common",
    )
