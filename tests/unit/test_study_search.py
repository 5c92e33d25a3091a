"""A search: its plan, what it tries next and who goes on, as functions of the trials so far and nothing else."""

from __future__ import annotations

import builtins
import itertools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from boothlab.errors import PlanError
from boothlab.evaluation.derived import Scale, Table
from boothlab.evaluation.scores import Score
from boothlab.studies.search import Range, Search, scouts
from boothlab.studies.trials import Trial, propose, require_optuna, score_of, scored

RATE, RANK, FRAMING = "strategy.learning_rate", "strategy.rank", "photos.framing"

RANGES: dict[str, Any] = {
    RATE: {"low": 1e-6, "high": 1e-3, "log": True},
    RANK: {"low": 2, "high": 16, "step": 2},
    FRAMING: {"choices": ["head", "letterbox"]},
}


def search(**more: Any) -> Search:
    return Search.model_validate({"ranges": RANGES, "rungs": [10, 20, 40], "trials": 12, "reduction": 2, **more})


def gone_through(plan: Search, score: Callable[[Trial, int], float]) -> list[Trial]:
    """A whole search over a made landscape."""
    history: list[Trial] = []
    while len(history) < plan.trials:
        trial = propose(plan, history)
        while trial.state == "running":
            trial = scored(plan, history, trial, score(trial, len(trial.scores)))
        history.append(trial)
    return history


def peak(trial: Trial, rung: int) -> float:
    """Best at a learning rate of 1e-4; every rung adds a little."""
    return 1.0 - abs(np.log10(trial.params[RATE]) + 4.0) / 4.0 + 0.01 * rung


def test_trials_lie_in_their_ranges_and_can_be_typed() -> None:
    pytest.importorskip("optuna")
    for trial in gone_through(search(trials=20, sampler="random"), peak):
        rate, rank = trial.params[RATE], trial.params[RANK]
        assert 1e-6 <= rate <= 1e-3
        assert rate == float(f"{rate:.4g}")
        assert rank in range(2, 17, 2)
        assert isinstance(rank, int)
        assert trial.params[FRAMING] in ("head", "letterbox")


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_what_is_tried_depends_on_seed_and_history_alone(sampler: str) -> None:
    pytest.importorskip("optuna")
    plan = search(sampler=sampler, trials=14)
    whole = gone_through(plan, peak)
    assert gone_through(plan, peak) == whole
    # Taken up again after any trial, in what may be another process, it goes on to the same end.
    for done in (0, 5, 11, 13):
        assert propose(plan, whole[:done]).params == whole[done].params
    assert gone_through(search(sampler=sampler, seed=1, trials=3), peak) != whole[:3]
    assert gone_through(search(sampler=sampler, trials=10), peak) == whole[:10], "more trials change none before them"


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_no_setting_is_tried_twice(sampler: str) -> None:
    """TPE, once sure of the best of a few settings, drew it again and again."""
    pytest.importorskip("optuna")
    ranges = {
        RANK: RANGES[RANK],
        FRAMING: RANGES[FRAMING],
        "objective.prior_weight": {"low": 0.0, "high": 0.5, "step": 0.25},
    }
    plan = search(sampler=sampler, ranges=ranges, trials=60)
    assert plan.settings == plan.most == 8 * 2 * 3

    def best(trial: Trial, rung: int) -> float:
        return float(trial.params[FRAMING] == "head") - abs(trial.params[RANK] - 4)

    found = gone_through(plan.model_copy(update={"trials": plan.most}), best)
    assert len({tuple(trial.params.items()) for trial in found}) == 48, "all that there are"
    for done in (0, 20, 45, 47):
        assert propose(plan, found[:done]).params == found[done].params, "what is tried depends on the history alone"
    assert propose(plan, found).params in [trial.params for trial in found], "none is left"
    assert search(trials=60).most == 60, "there is no end of learning rates"
    assert search(trials=3, ranges=ranges).most == 3


def test_a_stepped_value_is_what_one_would_write() -> None:
    """Optuna adds steps up: it drew 0.8999999999999999 for 0.9."""
    range_ = Range.model_validate({"low": 0.3, "high": 0.9, "step": 0.1})
    drawn = [0.3 + k * 0.1 for k in range(7)]
    assert 0.9 not in drawn
    assert [range_.meant(value) for value in drawn] == [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert [range_.at(k) for k in range(range_.size or 0)] == [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    whole = Range.model_validate({"low": 2, "high": 16, "step": 2})
    assert [whole.at(k) for k in range(whole.size or 0)] == list(range(2, 17, 2))


def test_the_sampler_learns_where_it_is_good() -> None:
    pytest.importorskip("optuna")

    def late(sampler: str) -> float:
        only = {"trials": 30, "rungs": [10], "ranges": {RATE: RANGES[RATE]}}
        plans = [search(sampler=sampler, seed=seed, **only) for seed in range(3)]
        return float(np.mean([peak(trial, 0) for plan in plans for trial in gone_through(plan, peak)[15:]]))

    assert late("tpe") > late("random") + 0.05


def test_halving_lets_the_best_go_on() -> None:
    """With reduction 2: the first goes on, then whoever is among the better half of all scores at the rung so far."""
    pytest.importorskip("optuna")
    plan = search(trials=4)
    scores = {0: [0.5, 0.5, 0.5], 1: [0.4], 2: [0.6, 0.4], 3: [0.55, 0.6, 0.7]}
    found = gone_through(plan, lambda trial, rung: scores[trial.number][rung])
    assert [(trial.state, trial.scores) for trial in found] == [
        ("complete", (0.5, 0.5, 0.5)),
        ("pruned", (0.4,)),
        ("pruned", (0.6, 0.4)),
        ("complete", (0.55, 0.6, 0.7)),
    ]


def test_the_pruned_scores_of_every_rung_count() -> None:
    """The rule by hand, over many random scores: the score is among the best n // reduction (1 at least)."""
    pytest.importorskip("optuna")
    random = np.random.default_rng(0)
    plan = search(trials=15, reduction=3, sampler="random")
    drawn = random.random((15, 3))
    seen: dict[int, list[float]] = {0: [], 1: []}
    for trial in gone_through(plan, lambda trial, rung: float(drawn[trial.number, rung])):
        for rung in itertools.count():
            if rung == 2:
                assert trial.state == "complete"
                break
            seen[rung].append(drawn[trial.number, rung])
            best = sorted(seen[rung], reverse=True)[: max(1, len(seen[rung]) // 3)]
            if drawn[trial.number, rung] not in best:
                assert (trial.state, len(trial.scores)) == ("pruned", rung + 1)
                break


def test_a_failed_trial_stops_no_search() -> None:
    pytest.importorskip("optuna")
    failed = Trial(0, {RATE: 1e-3, RANK: 2, FRAMING: "head"}, state="failed", reason="NaN")
    assert propose(search(), [failed]).number == 1


def test_choices_may_be_whole_nodes() -> None:
    pytest.importorskip("optuna")
    nodes = [{"kind": "lora", "rank": 4}, {"kind": "dreambooth"}]
    plan = search(ranges={"strategy": {"choices": nodes}}, trials=6)
    kinds = [trial.params["strategy"]["kind"] for trial in gone_through(plan, lambda trial, rung: 0.5)]
    assert set(kinds) == {"lora", "dreambooth"}


def test_paths_need_no_quotes() -> None:
    nested = {
        "strategy": {"learning_rate": RANGES[RATE], "rank": RANGES[RANK]},
        "photos": {"framing": RANGES[FRAMING]},
    }
    assert search(ranges=nested) == search()


def test_scouts_are_the_ends_of_every_range_a_value_between_them_and_a_whole_training() -> None:
    assert [tuple(values.values()) for values in scouts(search())] == [
        (1e-6, 2, "head", 10),
        (1e-3, 2, "head", 10),
        (7.145e-5, 2, "head", 10),
        (1e-6, 16, "head", 10),
        (1e-6, 4, "head", 10),
        (1e-6, 2, "letterbox", 10),
        (1e-6, 2, "head", 40),
    ]
    ranges = {"photos.size": {"low": 64, "high": 128}, RANK: {"low": 2.0, "high": 8.0}}
    found = scouts(search(ranges=ranges, rungs=[10]))
    assert [(one["photos.size"], one[RANK]) for one in found] == [
        (64, 2.0),
        (128, 2.0),
        (65, 2.0),
        (64, 8.0),
        (64, 5.708),
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"rungs": [20, 10]}, "rungs must ascend"),
        ({"rungs": []}, "at least 1 item"),
        ({"ranges": {}}, "at least 1 item"),
        ({"ranges": {RATE: {"low": 1e-3, "high": 1e-6}}}, "low (0.001) must be smaller than high (1e-06)"),
        ({"ranges": {RATE: {"low": 1e-3}}}, "give low and high, or choices"),
        ({"ranges": {RATE: {"low": 0.0, "high": 1e-3, "log": True}}}, "low must be greater than 0 (given: 0.0)"),
        ({"ranges": {RATE: {"low": 1e-6, "high": 1e-3, "log": True, "step": 1e-6}}}, "log and step exclude"),
        ({"ranges": {RATE: {"choices": [1, 1]}}}, "list a value twice"),
        ({"ranges": {RATE: {"choices": [1], "low": 1}}}, "choices stand alone"),
        ({"ranges": {RANK: {"low": 1, "high": 8, "step": 1.5}}}, "step must be a whole number"),
        (
            {"ranges": {RATE: {"low": 1e-3, "high": 1e-2, "step": 5.0}}},
            "step (5.0) is larger than all from low",
        ),
        ({"ranges": {RANK: {"low": 1, "high": 8, "step": 2}}}, "from low (1) on the last value is 7, not high (8)"),
        ({"ranges": {RATE: {"low": 0.3, "high": 0.95, "step": 0.1}}}, "the last value is 0.9, not high (0.95)"),
        ({"ranges": {"training.steps": {"low": 1, "high": 8}}}, "the rungs say how long"),
        ({"ranges": {"training.seed": {"low": 1, "high": 8}}}, "give training seeds as `seeds`"),
        ({"trials": 0}, "greater than or equal to 1"),
        ({"reduction": 1}, "greater than or equal to 2"),
        ({"sampler": "grid"}, "'tpe' or 'random'"),
    ],
)
def test_a_search_that_cannot_be_is_said(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        search(**more)
    assert said in str(caught.value)


def test_without_optuna_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "optuna":
            raise ImportError(name)
        return original(name, *rest)

    for name in [name for name in sys.modules if name.split(".")[0] == "optuna"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PlanError) as caught:
        require_optuna()
    assert str(caught.value) == (
        "A [search] needs Optuna, which is not installed.\n  Install it: pip install 'boothlab[search]'"
    )


def table(likeness: list[float], prompt: list[float]) -> Table:
    rows = [("identity", "held_out", likeness), ("prompt_following", "prompt", prompt)]
    return Table(
        [
            Score("r", "step-000010", "context", metric, reference, f"p{k}", str(k), 1, value)
            for metric, reference, values in rows
            for k, value in enumerate(values)
        ]
    )


def test_the_score_is_the_geometric_mean_and_nobody_is_no_likeness() -> None:
    scale = Scale(0.2, 0.7)
    seen = table([0.7, float("nan")], [0.5, 0.3])
    likeness, prompt = (1.0 + 0.0) / 2, 0.4
    at = ["step-000010"]
    assert score_of([(seen, scale)], at, "likeness") == pytest.approx(likeness)
    assert score_of([(seen, scale)], at, "prompt") == pytest.approx(prompt)
    assert score_of([(seen, scale)], at, "both") == pytest.approx(np.sqrt(likeness * prompt))
    other = table([0.2, 0.2], [0.8, 0.8])
    assert score_of([(seen, scale), (other, scale)], at * 2, "both") == pytest.approx(np.sqrt(likeness * prompt) / 2)
    assert score_of([(seen, None)], at, "both") is None, "without a scale there is no likeness"
    assert score_of([(table([0.5], []), scale)], at, "both") is None
    assert score_of([(table([0.1], [0.5]), scale)], at, "both") == 0.0, "worse than some person is 0, not a root"
