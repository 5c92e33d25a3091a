"""The verdict on planted snapshots: words, gates, front, choice, and what must never be said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from boothlab.evaluation import thresholds as limit
from boothlab.evaluation.verdict import judge
from boothlab.evaluation.verdict_choice import error_of_lead, least_trained, standard_error
from boothlab.evaluation.verdict_data import Count, Judgement, Measured, PerPicture, Verdict
from boothlab.evaluation.verdict_gates import gates
from boothlab.statistics.intervals import Interval, cluster_interval
from boothlab.statistics.memorisation import Memorisation


def around(value: float, half: float = 0.06, n: int = 20) -> Interval:
    return Interval(value, value - half, value + half, n)


def permuted(p: float, train: int = 9, held_out: int = 3, smallest: float = 1 / 220) -> Memorisation:
    nearest = 1.0 if p < 0.05 else train / (train + held_out)
    return Memorisation(p, smallest, 0.1, 0.5, nearest, train / (train + held_out), 20, train, held_out, True, p)


GOOD = Measured(
    name="step 400",
    step=400,
    likeness=around(0.85),
    likeness_train=around(0.9),
    alike=around(0.9),
    prompt=around(0.66),
    prompt_base=around(0.7),
    faceless=Count(0, 20),
    memorisation=permuted(0.4),
    copies=Count(0, 20),
    diversity_base=0.5,
    diversity_photos=0.8,
    glued=Count(3, 20),
    glued_base=Count(2, 20),
    leak=around(0.02),
    loss_gap=0.01,
)


def alone(**changes: object) -> Judgement:
    """The judgement of one snapshot, good but for the changes."""
    return judge([replace(GOOD, **changes)]).judgements[0]  # type: ignore[arg-type]


def state(judged: Judgement, gate: str) -> str:
    return next(each.state for each in judged.gates if each.name == gate)


PLANTED: dict[str, tuple[dict[str, object], str, str]] = {
    "good": ({}, "good", "good"),
    "underfitted": ({"likeness": around(0.1), "likeness_train": around(0.1), "alike": around(0.1)},)
    + ("underfitted",) * 2,
    "ignores prompts": ({"prompt": around(0.55)}, "overfitted", "overfitted"),
    "knows only the training photos": ({"likeness": around(0.55)}, "overfitted", "overfitted"),
    "nearer to training photos": ({"memorisation": permuted(0.01)}, "overfitted", "overfitted"),
    "copies": ({"copies": Count(18, 20), "memorisation": permuted(0.005)}, "copying", "copying"),
    "half copied": ({"copies": Count(10, 20)}, "copying", "copying"),
    "two copies": ({"copies": Count(2, 20)}, "copying", "copying"),
    "copies without flags": ({"copies": None, "memorisation": permuted(0.005)}, "copying", "copying"),
    "collapsed": ({"diversity_photos": 0.2}, "collapsed", "collapsed"),
    "collapsed by the base": ({"diversity_photos": None, "diversity_base": 0.1}, "collapsed", "collapsed"),
    "noise": ({"faceless": Count(15, 20), "likeness": None}, "collapsed", "collapsed"),
    "background glued": ({"glued": Count(18, 20)}, "overfitted", "background glued"),
    "another subject": ({"likeness": around(0.05), "likeness_train": around(0.1)}, "underfitted", "another subject"),
    "nobody looked": ({"likeness": None}, "not judged", "not judged"),
}


@pytest.mark.parametrize(("changes", "word", "called"), PLANTED.values(), ids=PLANTED.keys())
def test_planted_snapshots_get_their_name(changes: dict[str, object], word: str, called: str) -> None:
    judged = alone(**changes)
    assert (judged.word, judged.called) == (word, called)
    assert judged.reasons
    assert judged.may_be_chosen == (word == "good")


def test_a_collapsed_copy_is_a_copy_and_neither_is_ever_good() -> None:
    for copied in (0, 2, 20):
        for variety in (0.05, 0.2, 0.9):
            judged = alone(copies=Count(copied, 20), diversity_photos=variety, likeness=around(1.0))
            expected = "copying" if copied else "collapsed" if variety < limit.DIVERSITY_TO_PHOTOS_LEAST else "good"
            assert judged.word == expected


def test_findings_beside_the_word() -> None:
    leaking = alone(leak=around(0.3))
    assert (leaking.word, leaking.findings) == ("good", ("leaks into the class word",))
    assert not leaking.may_be_chosen
    assert alone(copies=Count(1, 20)).findings == ("single copies",)
    assert alone(copies=Count(1, 20)).may_be_chosen
    # A white wall that the base model draws as often was not learned.
    white = alone(glued=Count(18, 20), glued_base=Count(16, 20), glued_photos=0.8)
    assert white.findings == ()
    said = next(gate.reason for gate in white.gates if gate.name == "background")
    assert said == (
        "18 of 20 bare pictures show the photos' most common background, but hardly more than of the base model's "
        "(limit 50 %, 16 of 20 of the base model's, 80 % of the training photos)"
    )
    (gate,) = [g for g in gates(replace(GOOD, glued=Count(1, 20), glued_base=None)) if g.name == "background"]
    assert gate.reason == "1 of 20 bare pictures shows the photos' most common background (limit 50 %)"
    # Somebody else needs faces that are alike.
    assert alone(likeness=around(0.1), alike=around(0.1)).findings == ()
    assert alone(likeness=around(0.1), alike=None).findings == ()
    assert alone(likeness=around(0.1), faceless=None).findings == ()
    # Who is half learned is as like the photos as the pictures are like one another.
    assert alone(likeness=around(0.45), alike=around(0.55)).findings == ()


def test_copies_are_not_ruled_out_by_bare_pictures_of_somebody_else() -> None:
    strange = alone(likeness_bare=around(0.08))
    assert (state(strange, "copies"), state(strange, "memorisation")) == ("not testable", "not testable")
    assert (strange.word, strange.findings) == ("good", ("not in bare pictures",))
    assert strange.may_be_chosen
    assert any("not of the subject (likeness 0.08" in reason for reason in strange.reasons)
    half = alone(likeness_bare=around(limit.BARE_LIKENESS_LEAST))
    assert (state(half, "copies"), state(half, "memorisation"), half.findings) == ("passed", "passed", ())
    # What was found is found, and who is not learned at all is called that and nothing more.
    copied = alone(likeness_bare=around(0.08), copies=Count(3, 20), memorisation=permuted(0.01))
    assert (copied.word, state(copied, "copies"), state(copied, "memorisation")) == ("copying", "failed", "failed")
    assert alone(likeness=around(0.1), alike=None, likeness_bare=around(0.0)).findings == ()


def test_memorisation_says_what_the_untrained_model_shows_as_well() -> None:
    accident = replace(permuted(0.4), p_alone=0.02, p_control=0.03)
    (gate,) = [g for g in gates(replace(GOOD, memorisation=accident)) if g.name == "memorisation"]
    assert gate.state == "passed"
    assert gate.reason == (
        "pictures were not shown to come nearer to training photos than to others. (75 % nearest to a training "
        "photo, 75 % expected; p = 0.4 beyond what pictures of the untrained model show, 0.02 by themselves, 0.03 "
        "for the untrained model's; 9 training and 3 held-out photos.)"
    )


def test_photos_that_chance_did_not_part_prove_no_memorisation() -> None:
    """Photos of another day are farther from pictures of this one, memory or not."""
    assert state(alone(memorisation=permuted(0.001)), "memorisation") == "failed"
    found = alone(memorisation=permuted(0.001), at_random=False)
    assert (found.word, state(found, "memorisation")) == ("good", "not testable")
    assert any(reason.startswith("the held-out photos were chosen, not drawn by chance") for reason in found.reasons)


def test_likeness_to_photos_of_another_day_says_nothing_about_learning_by_heart() -> None:
    """Who was learned from one day's photos is less alike on those of another: 1.62 against 1.00 by a face reader."""
    far = {"likeness": around(1.0), "likeness_train": around(1.62)}
    assert alone(**far).word == "overfitted"
    assert alone(**far, at_random=False).word == "good"


def test_what_is_expected_of_near_pictures_excuses_no_sure_copies() -> None:
    """One picture near one of three held-out photos excused three of nine; exact copies were called good."""
    judged = alone(copies=Count(3, 20), copies_expected=3.0, copies_p=0.8, copies_sure=3.0)
    assert (judged.word, state(judged, "copies")) == ("copying", "failed")
    said = next(gate.reason for gate in judged.gates if gate.name == "copies")
    assert said == (
        "3 of 20 pictures nearly are a training photo (limit 5 % beyond the 3.0 expected by how many are nearest to "
        "photos never trained on); 3 surely"
    )
    one = alone(copies=Count(3, 20), copies_expected=3.0, copies_p=0.8, copies_sure=1.0)
    assert (one.word, state(one, "copies"), one.findings) == ("good", "passed", ("single copies",))
    none = alone(copies=Count(3, 20), copies_expected=3.0, copies_p=0.8)
    assert (none.word, none.findings) == ("good", ())


def test_a_snapshot_whose_copies_could_be_looked_for_goes_first() -> None:
    tested = replace(GOOD, name="a", step=200, likeness=around(0.7), likeness_bare=around(0.6))
    untested = replace(GOOD, name="b", step=400, likeness=around(0.95), likeness_bare=around(0.1))
    verdict = judge([tested, untested])
    assert verdict.recommended == "a"
    assert "Higher, but with gates that could not be tested: b." in verdict.reason
    assert "No snapshot" not in verdict.reason
    verdict = judge([untested])
    assert verdict.recommended == "b"
    assert "bare pictures are not of the subject" in verdict.reason


def test_a_background_that_stuck_does_not_explain_photos_learned_by_heart() -> None:
    glued = alone(glued=Count(18, 20), memorisation=permuted(0.01))
    assert (glued.word, glued.called) == ("overfitted", "overfitted")
    assert glued.findings == ("background glued",)


def test_a_fall_below_the_base_model_counts_where_pairs_show_it() -> None:
    random = np.random.default_rng(3)
    base = random.normal(0.7, 0.05, 20)
    for spread, state, word in ((0.1, "failed", "overfitted"), (0.6, "not testable", "good")):
        noise = random.normal(size=20)
        ours = base - 0.15 + spread * (noise - noise.mean()) / noise.std()
        pairs = PerPicture((), tuple(ours.tolist()), tuple(base.tolist()))
        judged = alone(prompt=around(0.55), prompt_base=around(0.7), pictures=pairs)
        gate = next(gate for gate in judged.gates if gate.name == "prompt following")
        assert (gate.state, judged.word) == (state, word)
        assert ("20 pairs do not show a fall, -0.15" in gate.reason) == (state == "not testable")


def test_copies_count_beyond_what_is_to_be_expected() -> None:
    """As many pictures come near to photos that nobody could copy."""
    for expected, state, called in ((0.0, "failed", "copying"), (2.9, "failed", "copying"), (3.0, "passed", "good")):
        judged = alone(copies=Count(4, 20), copies_expected=expected)
        gate = next(gate for gate in judged.gates if gate.name == "copies")
        assert (gate.state, judged.called) == (state, called)
        assert ("expected by how many are nearest to photos never trained on" in gate.reason) == (expected > 0)
    assert alone(copies=Count(4, 20), copies_expected=3.0).findings == ("single copies",)
    assert alone(copies=Count(4, 20), copies_expected=5.0).findings == ()


@pytest.mark.parametrize(
    ("p", "sure", "verdict"),
    [
        (None, 0.0, "failed"),
        (0.049, 0.0, "failed"),
        (0.05, 0.0, "passed"),
        (0.2, 1.0, "passed"),
        (0.2, 1.5, "failed"),
    ],
)
def test_pictures_as_near_as_chance_brings_them_are_no_copies_unless_they_are_very_near(
    p: float | None, sure: float, verdict: str
) -> None:
    """docs/decisions/050: three of twenty."""
    judged = alone(copies=Count(3, 20), copies_p=p, copies_sure=sure)
    assert state(judged, "copies") == verdict
    assert judged.word == ("copying" if verdict == "failed" else "good")
    assert judged.findings == (() if verdict == "failed" else ("single copies",))
    said = next(gate.reason for gate in judged.gates if gate.name == "copies")
    assert ("chance gives as many (p = " in said) == (verdict == "passed")
    assert state(alone(copies=Count(1, 20), copies_p=0.001, copies_sure=1.0), "copies") == "passed"


def test_looks_that_cost_the_base_model_as_much_are_no_fall() -> None:
    """Of a model told the subject's looks half the prompts come out: a tuned one may do the same, not less."""
    base, told = np.full(20, 0.9), np.tile([0.9, 0.5], 10)
    for lost, state, word in ((0.08, "passed", "good"), (0.3, "failed", "overfitted")):
        ours = told - lost
        pairs = PerPicture((), tuple(ours.tolist()), tuple(base.tolist()))
        fallen = {"prompt": around(float(ours.mean())), "prompt_base": around(0.9)}
        assert alone(**fallen, pictures=pairs).word == "overfitted"
        both = replace(pairs, prompt_described=tuple(told.tolist()))
        judged = alone(**fallen, prompt_described=around(0.7), pictures=both)
        gate = next(gate for gate in judged.gates if gate.name == "prompt following")
        assert (gate.state, judged.word) == (state, word)
        assert "the base model's 0.70 when told the subject's looks (0.90 when not)" in gate.reason


# Gates


@pytest.mark.parametrize(
    ("changes", "gate", "expected"),
    [
        ({"faceless": Count(1, 20)}, "faces", "passed"),
        ({"faceless": Count(2, 20)}, "faces", "failed"),
        ({"faceless": Count(0, 8)}, "faces", "not testable"),
        ({"faceless": Count(8, 8)}, "faces", "failed"),
        ({"faceless": None}, "faces", "not measured"),
        ({"memorisation": permuted(0.05)}, "memorisation", "passed"),
        ({"memorisation": permuted(0.0499)}, "memorisation", "failed"),
        ({"memorisation": permuted(1 / 15, 4, 2, 1 / 15)}, "memorisation", "not testable"),
        ({"memorisation": None}, "memorisation", "not measured"),
        ({"prompt": around(0.6)}, "prompt following", "passed"),
        ({"prompt": around(0.59)}, "prompt following", "failed"),
        ({"prompt_base": None}, "prompt following", "not testable"),
        ({"prompt": Interval(0.7, None, None, 1)}, "prompt following", "not testable"),
        ({"prompt": None}, "prompt following", "not measured"),
        ({"prompt": around(0.59), "prompt_described": around(0.69)}, "prompt following", "passed"),
        ({"prompt": around(0.59), "prompt_described": around(0.7)}, "prompt following", "failed"),
        ({"prompt_base": None, "prompt_described": around(0.7)}, "prompt following", "passed"),
        ({"leak": around(0.1)}, "leak", "passed"),
        ({"leak": around(0.11)}, "leak", "failed"),
        ({"leak": Interval(0.5, 0.01, 0.99, 10)}, "leak", "failed"),
        ({"leak": Interval(0.5, -0.01, 1.01, 10)}, "leak", "not testable"),
        ({"leak": Interval(0.5, None, None, 1)}, "leak", "not testable"),
        ({"leak": None}, "leak", "not measured"),
        ({"copies": None}, "copies", "not measured"),
        ({"diversity_base": None, "diversity_photos": None}, "variety", "not measured"),
        ({"glued": None}, "background", "not measured"),
        ({"likeness": around(0.49)}, "likeness", "failed"),
    ],
)
def test_gates(changes: dict[str, object], gate: str, expected: str) -> None:
    assert state(alone(**changes), gate) == expected


def test_a_test_that_could_not_reject_is_never_called_passed() -> None:
    """Two copies of everything, four training and two held-out photos: the smallest p is 1/15."""
    judged = alone(memorisation=permuted(1 / 15, 4, 2, 1 / 15))
    reason = next(gate.reason for gate in judged.gates if gate.name == "memorisation")
    assert "cannot show a p below 0.067" in reason
    assert reason in judged.reasons
    verdict = judge([replace(GOOD, memorisation=permuted(1 / 15, 4, 2, 1 / 15))])
    assert "memorisation (not testable)" in verdict.reason


def test_a_fall_that_is_not_shown_says_what_could_have_been_and_a_gate_that_passed_does_not() -> None:
    random = np.random.default_rng(0)
    base, noise = random.normal(0.7, 0.05, 20), random.normal(size=20)
    ours = base + 0.6 * (noise - noise.mean()) / noise.std()
    for lost, state in ((0.0, "passed"), (0.15, "not testable")):
        pairs = PerPicture((), tuple((ours - lost).tolist()), tuple(base.tolist()))
        found = replace(GOOD, prompt=around(0.7 - lost), pictures=pairs)
        gate = {g.name: g for g in gates(found)}["prompt following"]
        assert gate.state == state
        assert ("could only have shown one of 0." in gate.reason) == (state == "not testable")


def test_pictures_of_one_prompt_show_no_more_of_a_fall_than_the_prompt_does() -> None:
    """Ten prompts, two equal pictures of each: twenty pairs would show a fall that ten prompts do not."""
    changes = np.repeat([-0.7, 0.3, -0.6, 0.2, -0.5, 0.1, -0.4, 0.1, -0.3, 0.0], 2)
    prompts = tuple(str(k // 2) for k in range(20))
    base = np.full(20, 0.7)
    pairs = PerPicture((), tuple((base + changes).tolist()), tuple(base.tolist()))
    fallen = {"prompt": around(0.52), "prompt_base": around(0.7)}
    judged = alone(**fallen, pictures=pairs)
    assert state(judged, "prompt following") == "failed"
    judged = alone(**fallen, pictures=replace(pairs, prompts=prompts))
    assert state(judged, "prompt following") == "not testable"
    before = replace(GOOD, step=100, prompt=around(0.7), pictures=PerPicture((), tuple(base.tolist())))
    worse = replace(
        GOOD, name="later", step=900, prompt=around(0.52), prompt_base=around(0.52), loss_gap=0.5, pictures=pairs
    )
    for named, word in ((worse, "overfitted"), (replace(worse, pictures=replace(pairs, prompts=prompts)), "good")):
        later = replace(named, pictures=replace(named.pictures, prompt_base=()))
        assert judge([before, later]).judgements[1].word == word


def test_everything_may_be_unmeasured() -> None:
    verdict = judge([Measured("step 1", 1)])
    judged = verdict.judgements[0]
    assert judged.word == "not judged"
    assert {gate.state for gate in judged.gates} == {"not measured"}
    assert verdict.recommended is None
    assert "Measure likeness" in verdict.reason


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({"diversity_photos": float("nan"), "diversity_base": None}, "variety"),
        ({"leak": Interval(float("nan"), None, None, 0)}, "leak"),
        ({"likeness": Interval(float("nan"), None, None, 0)}, "likeness"),
        ({"prompt": Interval(float("inf"), 0.0, 1.0, 2)}, "prompt following"),
    ],
)
def test_a_number_that_is_none_was_not_measured(changes: dict[str, object], gate: str) -> None:
    assert state(alone(**changes), gate) == "not measured"


def test_counts_are_shares() -> None:
    assert Count(1, 4).share == 0.25
    for k, n in ((5, 4), (0, 0), (-1, 3)):
        with pytest.raises(ValueError, match="not a share"):
            Count(k, n)


# Overfitting over the snapshots


def series() -> list[Measured]:
    """Learns until 400; then only the training photos gain. Every single snapshot passes its gates."""
    base = replace(GOOD, prompt_base=around(0.7))
    return [
        replace(base, name="step 100", step=100, likeness=around(0.2), likeness_train=around(0.2), alike=around(0.2),
                prompt=around(0.70), diversity_photos=1.2, loss_gap=0.0),
        replace(base, name="step 200", step=200, likeness=around(0.7), likeness_train=around(0.72),
                prompt=around(0.69), diversity_photos=0.9, loss_gap=0.004),
        replace(base, name="step 400", step=400, likeness=around(0.84), likeness_train=around(0.87),
                prompt=around(0.68), diversity_photos=0.85, loss_gap=0.008),
        replace(base, name="step 800", step=800, likeness=around(0.86), likeness_train=around(0.98),
                prompt=around(0.62), diversity_photos=0.6, loss_gap=0.05),
    ]  # fmt: skip


def words(verdict: Verdict) -> list[str]:
    return [judged.word for judged in verdict.judgements]


def test_overfitting_is_what_it_does_over_the_snapshots() -> None:
    verdict = judge(series()[::-1])
    assert words(verdict) == ["underfitted", "good", "good", "overfitted"]
    (reason,) = verdict.judgements[-1].reasons
    assert "since step 400 prompt following fell from 0.68 to 0.62" in reason
    assert "variety fell from 0.85 to 0.60" in reason
    assert "likeness to the training photos rose (0.87 to 0.98)" in reason
    assert judge(series()[-1:]).judgements[0].word == "good", "alone, nothing shows it"


@pytest.mark.parametrize("kept", ["prompt", "diversity_photos", "loss_gap"])
def test_two_signs_of_three_are_enough_and_one_is_not(kept: str) -> None:
    *before, last = series()
    middle = before[1]
    one_kept = replace(last, **{kept: getattr(middle, kept)})
    assert judge([*before, one_kept]).judgements[-1].word == "overfitted"
    all_kept = replace(last, prompt=middle.prompt, diversity_photos=0.9, loss_gap=middle.loss_gap)
    single = replace(all_kept, **{kept: getattr(last, kept)})
    assert judge([*before, single]).judgements[-1].word == "good"


def test_getting_worse_while_forgetting_the_photos_is_not_overfitting() -> None:
    *before, last = series()
    assert judge([*before, replace(last, likeness_train=around(0.6))]).judgements[-1].word == "good"


def test_learning_the_subject_is_not_overfitting_although_variety_falls() -> None:
    verdict = judge(series()[:2])
    assert words(verdict) == ["underfitted", "good"]


@pytest.mark.parametrize(
    ("held_out", "word"), [(0.52, "overfitted"), (0.58, "overfitted"), (0.60, "good"), (0.69, "good")]
)
def test_who_is_still_being_learned_is_not_overfitted(held_out: float, word: str) -> None:
    """The sample person's last two snapshots: variety falls, the loss parts, held-out photos are met better too."""
    before = replace(GOOD, name="step 240", step=240, likeness=around(0.54), likeness_train=around(0.51),
                     diversity_photos=0.92, loss_gap=0.538)  # fmt: skip
    after = replace(before, name="step 300", step=300, likeness=around(held_out), likeness_train=around(0.65),
                    diversity_photos=0.69, loss_gap=0.622)  # fmt: skip
    assert judge([before, after]).judgements[-1].word == word


def test_a_fall_of_prompt_following_that_pairs_do_not_show_is_no_sign() -> None:
    *before, last = series()
    random = np.random.default_rng(1)
    noise = random.normal(0, 0.4, 20)
    paired = [replace(found, pictures=PerPicture((), tuple(np.full(20, 0.69).tolist()))) for found in before]
    hidden = replace(last, loss_gap=0.004, pictures=PerPicture((), tuple((0.62 + noise - noise.mean()).tolist())))
    assert judge([*paired, hidden]).judgements[-1].word == "good"
    clear = replace(hidden, pictures=PerPicture((), tuple((0.62 + 0.01 * noise).tolist())))
    assert judge([*paired, clear]).judgements[-1].word == "overfitted"


# The choice


def test_fewest_steps_within_one_standard_error() -> None:
    made = [
        replace(GOOD, name=f"step {s}", step=s, likeness=around(v)) for s, v in ((100, 0.7), (200, 0.83), (300, 0.85))
    ]
    verdict = judge(made)
    assert verdict.recommended == "step 200"
    assert verdict.front == ("step 100", "step 200", "step 300")
    assert "Take step 200: likeness 0.83 (95 % CI 0.77 to 0.89)" in verdict.reason
    assert "step 300 has likeness 0.85, but it leads by no more than one standard error (0.03)" in verdict.reason
    assert "fresh seeds" in verdict.caution
    assert verdict.thresholds == limit.THRESHOLDS_VERSION


def test_of_one_snapshot_nothing_is_said_of_a_choice() -> None:
    alone = judge([replace(GOOD, name="step 100", step=100)])
    assert alone.recommended == "step 100"
    assert "No snapshot" not in alone.reason
    assert "optimistic" not in alone.caution
    # Beside one that may not be taken it was chosen, and nothing else could be.
    beside = judge([replace(GOOD, name="step 100", step=100), replace(GOOD, name="step 50", step=50, likeness=None)])
    assert "No snapshot that may be chosen has a higher likeness." in beside.reason
    assert "optimistic" in beside.caution


def test_one_standard_error_is_that_of_the_lead_over_the_same_prompts() -> None:
    """Prompts differ by much, and for both snapshots alike: the best one's own error says nothing about its lead."""
    hard = np.repeat(np.linspace(0.5, 1.0, 10), 2)
    noise = np.tile([0.02, -0.02], 10) * np.repeat([1, 2], 10)

    def drawn(name: str, step: int, likeness: np.ndarray) -> Measured:
        pictures = PerPicture(tuple(likeness.tolist()), prompts=tuple(k // 2 for k in range(20)))
        interval = cluster_interval(likeness, pictures.prompts)
        return replace(GOOD, name=name, step=step, likeness=interval, pictures=pictures)

    gains = np.repeat(np.linspace(-0.02, 0.10, 10), 2)
    early, late = drawn("step 100", 100, hard), drawn("step 200", 200, hard + gains + noise)
    by_hand = float(np.std(gains[::2], ddof=1) / np.sqrt(10))
    assert error_of_lead("likeness", late, early) == pytest.approx(by_hand)
    assert by_hand < 0.04 < standard_error(late.likeness)
    assert least_trained([early, late], "likeness") == (late, late)
    behind = drawn("step 100", 100, hard + gains * 0.9 + 0.003)
    assert least_trained([behind, late], "likeness") == (behind, late), "led by no more than the error of the lead"
    unseen = replace(early, pictures=PerPicture())
    assert least_trained([unseen, late], "likeness") == (unseen, late), "without pictures: by the best one's own"


def test_the_users_axis_decides_what_best_means() -> None:
    faithful = replace(GOOD, name="a", step=100, likeness=around(0.7), prompt=around(0.75))
    alike = replace(GOOD, name="b", step=200, likeness=around(0.95), prompt=around(0.64))
    assert judge([faithful, alike]).recommended == "b"
    assert judge([faithful, alike], prefer="prompt following").recommended == "a"
    unknown = [replace(found, prompt=None) for found in (faithful, alike)]
    assert judge(unknown, prefer="prompt following").recommended == "b"


def paired(name: str, step: int, likeness: float, prompt: float, seed: int = 0) -> Measured:
    """A snapshot whose pictures differ as those of the others do, but for a shift."""
    noise = np.random.default_rng(7).normal(0, 0.1, 20)
    own = np.random.default_rng(step + seed).normal(0, 0.01, 20)
    a, b = likeness + noise + own - own.mean(), prompt + noise - own + own.mean()
    return replace(
        GOOD,
        name=name,
        step=step,
        likeness=around(likeness),
        prompt=around(prompt),
        pictures=PerPicture(tuple(a.tolist()), tuple(b.tolist())),
    )


def test_a_snapshot_that_is_better_on_one_axis_and_no_worse_on_the_other_dominates() -> None:
    verdict = judge([paired("a", 100, 0.80, 0.66), paired("b", 200, 0.86, 0.66), paired("c", 300, 0.86, 0.60)])
    assert verdict.dominated == (("b", "a"), ("b", "c"))
    assert verdict.front == ("b",)
    assert verdict.recommended == "b"


def test_a_snapshot_that_trades_one_axis_for_the_other_stays() -> None:
    verdict = judge([paired("a", 100, 0.70, 0.72), paired("b", 200, 0.86, 0.62)])
    assert verdict.dominated == ()
    assert verdict.front == ("a", "b")


def test_the_same_difference_without_pairs_shows_nothing() -> None:
    loose = [
        replace(paired(n, s, v, 0.66), pictures=PerPicture()) for n, s, v in (("a", 100, 0.80), ("b", 200, 0.86))
    ]
    assert judge(loose).dominated == ()
    far = [replace(loose[0], likeness=around(0.65, 0.02), prompt=around(0.66, 0.02)),
           replace(loose[1], likeness=around(0.95, 0.02), prompt=around(0.66, 0.02))]  # fmt: skip
    assert judge(far).dominated == (("b", "a"),)
    bare = [
        replace(found, likeness=Interval(found.likeness.value, None, None, 20)) for found in far if found.likeness
    ]
    assert judge(bare).dominated == ()


def test_holm_is_over_all_contests() -> None:
    """One difference at p = 0.03 counts among two candidates with one axis, and not among ten."""
    a = replace(GOOD, name="a", step=1, likeness=around(0.80, 0.03), prompt=None)
    b = replace(GOOD, name="b", step=2, likeness=around(0.846, 0.03), prompt=None)
    assert judge([a, b]).dominated == (("b", "a"),)
    others = [replace(a, name=f"x{k}", step=10 + k) for k in range(8)]
    assert judge([a, b, *others]).dominated == ()


def test_none_of_them() -> None:
    verdict = judge([replace(GOOD, name=str(k), step=k, copies=Count(10, 20)) for k in (1, 2)])
    assert (verdict.recommended, verdict.front) == (None, ())
    assert verdict.reason.startswith("None of them may be recommended: 2 copying. Gates that failed: copies (2).")
    assert "more varied photos" in verdict.reason
    assert judge([]).reason == "None of them: there is no snapshot to judge."
    good_but_leaking = judge([replace(GOOD, leak=around(0.5))])
    assert good_but_leaking.recommended is None
    assert "Gates that failed: leak (1)" in good_but_leaking.reason


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((100, 200, 300), "Step 200 is too early and step 300 too late: keep snapshots between them"),
        ((200, 300, 100), "Train longer, or with a higher learning rate."),
    ],
)
def test_between_too_early_and_too_late_nobody_is_told_to_train_longer(steps: tuple[int, ...], said: str) -> None:
    """Two underfitted snapshots and one that copies, which is after them or, oddly, before."""
    *early, late = steps
    weak = [replace(GOOD, name=str(step), step=step, likeness=around(0.4)) for step in early]
    reason = judge([*weak, replace(GOOD, name="late", step=late, copies=Count(10, 20))]).reason
    assert "1 copying" in reason
    assert said in reason
    assert ("Train longer, or" in reason) == (late < min(early))


def test_the_verdict_is_a_function_of_its_input() -> None:
    made = [paired("a", 100, 0.80, 0.66), paired("b", 200, 0.86, 0.66)]
    assert judge(made) == judge(made[::-1]) == judge(made)
    with pytest.raises(ValueError, match="share a name"):
        judge([made[0], made[0]])


def test_one_standard_error_by_hand() -> None:
    assert standard_error(Interval(0.5, 0.5 - 1.959964, 0.5 + 1.959964, 20)) == pytest.approx(1.0)
    assert standard_error(Interval(0.5, None, None, 1)) == 0.0
    assert standard_error(Interval(0.5, 0.5 - 4.3, 0.5 + 4.3, 20, 1.0)) == 1.0, "three photos: t is 4.3"
    made = [replace(GOOD, name=str(s), step=s, likeness=Interval(v, None, None, 1)) for s, v in ((1, 0.8), (2, 0.9))]
    chosen, best = least_trained(made, "likeness")
    assert chosen.name == best.name == "2"


def test_nothing_is_ever_called_equal() -> None:
    for changes, _, _ in PLANTED.values():
        verdict = judge([replace(GOOD, **changes), replace(GOOD, name="other", step=500)])  # type: ignore[arg-type]
        said = [verdict.reason, verdict.caution]
        said += [text for judged in verdict.judgements for text in judged.reasons]
        said += [gate.reason for judged in verdict.judgements for gate in judged.gates]
        assert not any("equal" in text for text in said)


def test_thresholds_are_numbers_with_a_provenance() -> None:
    import ast
    from pathlib import Path

    body = ast.parse(Path(limit.__file__).read_text(encoding="utf-8")).body
    constants = [node for node in body if isinstance(node, ast.Assign)]
    assert len(constants) >= 15
    for node in constants:
        following = body[body.index(node) + 1]
        assert isinstance(following, ast.Expr), ast.unparse(node)
        assert isinstance(following.value, ast.Constant)
        assert len(str(following.value.value)) > 40, ast.unparse(node)


def test_a_fall_that_few_pairs_cannot_show_bars_nobody_but_goes_last() -> None:
    noise = tuple(np.random.default_rng(1).normal(0, 0.8, 8).tolist())
    base = tuple(0.7 + value for value in noise)
    fallen = tuple(0.4 + value for value in np.random.default_rng(2).normal(0, 0.8, 8))
    later = replace(
        GOOD,
        name="step 900",
        step=900,
        likeness=around(0.99, 0.02),
        prompt=Interval(0.4, -0.1, 0.9, 8),
        pictures=PerPicture(prompt=fallen, prompt_base=base),
    )
    verdict = judge([GOOD, later])
    doubtful = next(each for each in verdict.judgements if each.name == "step 900")
    assert state(doubtful, "prompt following") == "not testable"
    assert doubtful.may_be_chosen
    assert verdict.recommended == "step 400"
    assert judge([later]).recommended == "step 900", "alone it is not barred"


def test_a_leak_that_ten_pictures_do_not_show_bars_nothing_and_goes_last() -> None:
    unshown = replace(GOOD, name="step 900", step=900, leak=Interval(0.15, -0.05, 0.35, 10), likeness=around(0.95))
    alone_there = judge([unshown])
    assert alone_there.recommended == "step 900"
    assert alone_there.judgements[0].findings == ()
    assert "10 pictures do not show that it gained anything" in alone_there.judgements[0].gates[-1].reason
    assert "Not known: leak (not testable)" in alone_there.reason
    beside = judge([unshown, replace(GOOD, name="step 400", step=400)])
    assert beside.recommended == "step 400"
    assert "step 900" in beside.reason
    assert "gates that could not be tested" in beside.reason
