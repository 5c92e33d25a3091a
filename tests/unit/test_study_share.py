"""What runs share: the source study's two series cost what they must, and nothing is shared that differs."""

from __future__ import annotations

from typing import Any

import pytest

from boothlab.plan import RunPlan, plan_from
from boothlab.studies.share import Member, Shared, branch_point, share
from boothlab.training.config import Rate, Training

CYR = [("001", 2e-6, 100), ("002", 2e-6, 150), ("003", 2e-5, 100), ("004", 5e-6, 100), ("005", 2e-6, 75),
       ("006", 2e-6, 250), ("007", 2e-6, 500)]  # fmt: skip

ZL635 = [("001", "smart", 10, 2e-6, 100), ("002", "letterbox", 10, 2e-6, 150), ("003", "frontal", 6, 2e-6, 150),
         ("004", "frontal", 6, 2e-6, 500), ("005", "replaced", 6, 2e-6, 1000), ("006", "head", 13, 2e-6, 300),
         ("007", "head", 13, 2e-7, 900), ("008", "head", 13, 2e-6, 500), ("009", "head", 13, 2e-6, 700)]  # fmt: skip


def member(name: str, steps: int, lr: float = 2e-6, photos: str = "p", **training: Any) -> Member:
    tree = {
        "subjects": [{"name": "ada", "photos": "photos", "identifier": "rinn"}],
        "strategy": {"kind": "dreambooth", "learning_rate": lr},
        "training": {"steps": steps, "threads": 1, **training},
    }
    return Member(name, plan_from(tree, "test"), {"photos/ada": photos, "base": "b"}, steps)


def test_the_cyr_series_takes_700_of_1275_steps_per_photo() -> None:
    n, m = 10, 20
    runs = [member(name, steps * n, rate) for name, rate, steps in CYR]
    runs.append(member("mix", 100 * m, photos="both"))
    found = share(runs)
    assert found.asked == 1275 * n + 100 * m
    assert found.executes == (500 + 100 + 100) * n + 100 * m
    assert len(found.trunks) == 4
    assert found.trunks[0].members == {"001": 1000, "002": 1500, "005": 750, "006": 2500, "007": 5000}
    assert found.trunks[0].plan.training.snapshots == (750, 1000, 1500, 2500)


def test_the_zl635_series_takes_74_percent() -> None:
    found = share([member(name, steps * n, rate, photos) for name, photos, n, rate, steps in ZL635])
    assert (found.executes, found.asked) == (32300, 43600)
    assert f"{found.executes / found.asked:.0%}" == "74%"


@pytest.mark.parametrize(
    "more",
    [{"rate": {"kind": "linear"}}, {"seed": 1}, {"batch_size": 2}, {"snapshot_precision": "fp32"}],
    ids=lambda more: next(iter(more)),
)
def test_what_differs_is_not_shared(more: dict[str, Any]) -> None:
    found = share([member("a", 10), member("b", 20, **more)])
    assert (found.executes, len(found.trunks)) == (30, 2)


def test_a_run_that_may_end_early_is_nobodys_beginning() -> None:
    early = {"validation": {"every": 5, "patience": 2}}
    assert share([member("a", 10, **early), member("b", 20, **early)]).executes == 30


def test_own_snapshots_of_members_are_kept() -> None:
    found = share([member("a", 10, snapshots=[4]), member("b", 20, snapshots=[15])])
    assert found.trunks[0].plan.training.snapshots == (4, 10, 15)


@pytest.mark.parametrize(
    ("rate", "steps", "point"),
    [
        (Rate(), 100, 100),
        (Rate(kind="stable_decay", decay=20), 100, 81),
        (Rate(kind="stable_decay", decay=20, warmup=10), 100, 81),
        (Rate(kind="linear"), 100, 1),
        (Rate(kind="cosine", warmup=30), 100, 31),
    ],
)
def test_where_a_schedule_leaves_the_constant_rate(rate: Rate, steps: int, point: int) -> None:
    assert branch_point(Training(rate=rate), steps) == point


def test_falling_schedules_part_from_a_common_stem() -> None:
    decay = {"rate": {"kind": "stable_decay", "decay": 20}}
    found = share([member("short", 100, **decay), member("long", 200, **decay)])
    assert [trunk.branch for trunk in found.trunks] == [81, 181]
    assert [trunk.stem.training.steps for trunk in found.trunks if trunk.stem] == [81, 181]
    assert all(trunk.stem is not None and not trunk.stem.training.rate.looks_ahead for trunk in found.trunks)
    assert found.executes == 181 + 19 + 19


def test_a_constant_rate_is_part_of_the_stem() -> None:
    decay = {"rate": {"kind": "stable_decay", "decay": 20}}
    members = [
        member("flat", 150),
        member("flat, short", 50),
        member("short", 100, **decay),
        member("long", 200, **decay),
    ]
    found = share(members)
    assert [(list(trunk.members), trunk.own) for trunk in found.trunks] == [
        (["short"], 100),
        (["flat", "flat, short"], 150 - 81),
        (["long"], 200 - 150),
    ]
    assert {trunk.family for trunk in found.trunks} == {found.trunks[0].family} != {""}, "trained in turn, on Ray too"
    stem = found.trunks[0].stem
    assert stem is not None
    assert stem.training.snapshots == (50,), "what the constant run wants is kept on the way"


def kept(found: Shared) -> dict[str, list[int]]:
    """Name of a training's first run → how many checkpoints its stem and it keep."""
    return {
        next(iter(trunk.members)): [
            plan.training.keep_checkpoints for plan in (trunk.stem, trunk.plan) if plan is not None
        ]
        for trunk in found.trunks
    }


def test_where_no_checkpoint_is_kept_those_are_that_others_go_on_from() -> None:
    """Else the steps of a stem would be taken once for each of its runs."""
    decay, none = {"rate": {"kind": "stable_decay", "decay": 20}}, {"keep_checkpoints": 0}
    alone = share([member("a", 50, **none), member("b", 100, **none), member("c", 100, lr=1e-6, **none)])
    assert kept(alone) == {"a": [0], "c": [0]}, "a is a snapshot of b"
    assert not any(trunk.begins for trunk in alone.trunks)

    falling = [member(f"{steps}", steps, **decay, **none) for steps in (100, 200)]
    found = share([member("flat", 50, **none), *falling])
    assert kept(found) == {"flat": [1], "100": [1, 0], "200": [1, 0]}
    assert [trunk.begins for trunk in found.trunks] == [True, False, False]
    found = share([member("flat", 300, **none), *falling])
    assert kept(found) == {"100": [1, 0], "200": [1, 0], "flat": [0]}, "nothing goes on from the last of them"

    looked = [Member(f"{seed}", seen(member("", 100, **none).plan, seed), {"base": "b"}, 100) for seed in (0, 1)]
    assert kept(share(looked)) == {"0": [1], "1": [1]}, "one training, looked at in two ways"


def seen(plan: RunPlan, seed: int) -> RunPlan:
    return plan.model_copy(update={"evaluation": plan.evaluation.model_copy(update={"seed": seed})})


def test_a_stem_that_saves_next_to_nothing_is_not_trained() -> None:
    linear = {"rate": {"kind": "linear"}}
    found = share([member("short", 100, **linear), member("long", 200, **linear)])
    assert [trunk.stem for trunk in found.trunks] == [None, None]
    assert [trunk.family for trunk in found.trunks] == ["", ""]
    assert found.executes == 300


def test_a_constant_run_that_others_go_on_from_is_of_their_family() -> None:
    """It was trained on Ray beside the longer ones, which took its steps again."""
    decay = {"rate": {"kind": "stable_decay", "decay": 20}}
    members = [member("flat", 50), *(member(f"{steps}", steps, **decay) for steps in (100, 200))]
    found = share(members)
    assert [(list(trunk.members), trunk.stem is None) for trunk in found.trunks] == [
        (["flat"], True), (["100"], False), (["200"], False),
    ]  # fmt: skip
    assert len({trunk.family for trunk in found.trunks}) == 1
