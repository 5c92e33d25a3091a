"""What a study asks of a Ray cluster and makes of its answers, with a cluster of words only."""

from __future__ import annotations

import socket
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from boothlab.api.pictures import keep_threads
from boothlab.api.studies import cluster as study_ray
from boothlab.api.studies import costs as study_costs
from boothlab.api.studies import reporting as study_reports
from boothlab.api.studies import running as studying
from boothlab.api.studies.cluster import _outcome, go_through_on_ray, require_room, resources, rooms_of, waits
from boothlab.api.studies.costs import Cost, share_of
from boothlab.api.studies.sharing import Drawn
from boothlab.errors import MachineError, NoSpace, PlanError
from boothlab.plan import plan_from
from boothlab.studies.share import Trunk


def trunk(device: str = "cpu", threads: int = 4) -> Trunk:
    plan = plan_from(
        {
            "subjects": [{"name": "ada", "photos": "photos"}],
            "base": {"device": device},
            "training": {"steps": 1, "threads": threads},
        },
        "test",
    )
    return Trunk(plan, {}, 1, {"one": 1}, own=1)


def of_nodes(*sizes: tuple[float, float]) -> Any:
    """A cluster whose nodes have so many CPUs and GPUs; one that is gone is larger than all."""
    alive = [{"Alive": True, "Resources": {"CPU": cpus, "GPU": gpus}} for cpus, gpus in sizes]
    return SimpleNamespace(nodes=lambda: [*alive, {"Alive": False, "Resources": {"CPU": 99.0, "GPU": 9.0}}])


def test_a_training_that_fits_no_node_is_said_and_not_waited_for() -> None:
    require_room(of_nodes((2.0, 1.0), (4.0, 0.0)), [trunk(), trunk("cuda", 2)])
    with pytest.raises(MachineError, match="needs 4 CPUs and 0 GPUs .* 2 nodes the largest has 3 and 0") as found:
        require_room(of_nodes((2.0, 0.0), (3.0, 0.0)), [trunk(threads=1), trunk()])
    assert "Lower training.threads" in found.value.hint
    # With all cores for each training, the GPUs of a node would work one at a time.
    require_room(of_nodes((8.0, 0.0), (2.0, 1.0)), [trunk("cuda")])
    with pytest.raises(MachineError, match="needs 1 CPUs and 1 GPUs .* the largest has 8 and 0"):
        require_room(of_nodes((8.0, 0.0)), [trunk("cuda")])
    with pytest.raises(MachineError, match="0 nodes"):
        require_room(of_nodes(), [trunk()])


def started(written: str, found: str, gpus: float, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said as a study begins on a cluster; its plan has the device ``written``, which is ``found`` here."""
    said: list[str] = []
    one: Any = SimpleNamespace(plan=trunk(written).plan)
    study: Any = SimpleNamespace(runs=[one], scouts=[], scouted=[], place=Path("nowhere"))
    study.resolved = [SimpleNamespace(plan=trunk(found).plan)]
    studied = SimpleNamespace(outcomes=())
    ray = of_nodes((8.0, 0.0), (8.0, gpus))
    for name, value in {
        "require_answer": lambda address: None,
        "resolve_study": lambda *given: study,
        "held": lambda study: nullcontext(),
        "cluster": lambda address: nullcontext(None if address is None else ray),
        "_led": lambda *given: said.append("trained") or studied,
        "search_through": lambda *given: studied,
        "report_study": lambda *given: (),
    }.items():
        monkeypatch.setattr(study_reports, name, value)
    study_reports.study_and_report(Path("s.toml"), Path("studies"), ray="head:6379", warn=said.append)
    return said


def test_gpus_that_a_driver_without_one_leaves_idle_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is chosen where a study is started, and a cluster of GPUs trained on processors without a word."""
    assert started("auto", "cpu", 4.0, monkeypatch) == [
        "The trainings go to processors, and GPUs of the Ray cluster (4) stay idle: base.device is auto, which is "
        "decided on the machine that starts the study, and this one has no GPU. Start it on one that has; or say "
        "base.device = cpu where that is meant.",
        "trained",
    ]
    assert started("auto", "cpu", 0.0, monkeypatch) == ["trained"]
    assert started("cpu", "cpu", 4.0, monkeypatch) == ["trained"]
    assert started("auto", "cuda", 4.0, monkeypatch) == ["trained"]


def begun(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study on the cluster at ``address``, which must be refused before anything else is done."""

    def resolved(*given: object) -> None:
        raise AssertionError("the study was begun")

    monkeypatch.setattr(study_reports, "resolve_study", resolved)
    study_reports.study_and_report(Path("s.toml"), Path("studies"), ray=address)


@pytest.mark.parametrize(
    "address", ["head", "", "auto:", "host:", ":6379", "host:0", "host:99999", "a:b:1", "ray://head", "a..b:1"]
)
def test_what_is_no_address_is_said_before_the_study_is_held(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PlanError) as found:
        begun(address, monkeypatch)
    assert found.value.message == f"--ray {address!r} is no address; give HOST:PORT, ray://HOST:PORT or auto."


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_is_not_there_is_said_at_once(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray itself asks for a quarter of an hour, and the study would be held meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{scheme}127.0.0.1:{server.getsockname()[1]}"
        study_ray.require_answer(address)
    start = time.monotonic()
    with pytest.raises(MachineError, match=f"The Ray cluster {address} does not answer"):
        begun(address, monkeypatch)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("address", [None, "auto", "local"])
def test_addresses_without_a_port_are_left_to_ray(address: str | None) -> None:
    study_ray.require_answer(address)


class RayError(Exception):
    """As Ray's root: of a worker that died, or of what a task raised (its cause)."""

    def __init__(self, said: str, cause: Exception | None = None) -> None:
        super().__init__(said)
        self.cause = cause


def answering(error: Exception) -> Any:
    def get(reference: object) -> Any:
        raise error

    return SimpleNamespace(get=get, exceptions=SimpleNamespace(RayError=RayError))


def test_a_lost_worker_is_a_failed_training_and_a_full_disk_ends_the_study() -> None:
    lost = _outcome(answering(RayError("A worker died.\nIt was killed.")), None, trunk())
    assert (lost.runs, lost.stage, lost.reason) == (("one",), "training", "its worker was lost: It was killed.")
    with pytest.raises(NoSpace, match="is full"):
        _outcome(answering(RayError("task", NoSpace("/data is full."))), None, trunk())


class Cluster:
    """Ray of one roomy node that ends one task per look at it, in the order in which they were given.

    ``given`` are the tasks: number of the training, what was declared of the function, what was asked for; and
    ``threads`` those that each was told to keep to. ``logs`` are the steps that the logs of all trainings speak of:
    the first before any worker starts, then one more with each look, and at last always the last one.
    """

    def __init__(self, *logs: int) -> None:
        self.logs = list(logs)
        self.given: list[tuple[int, dict[str, Any], dict[str, Any]]] = []
        self.threads: list[int | None] = []

    def reached(self) -> int:
        return self.logs[0]

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": 8.0, "GPU": 2.0}}]

    def put(self, value: object) -> object:
        return value

    def remote(self, function: object = None, **declared: Any) -> Any:
        if function is None:
            return lambda function: self.remote(function, **declared)

        def placed(**asked: Any) -> Any:
            # As Ray, which takes no word of it here.
            assert "max_calls" not in asked

            def give(study: object, index: int, drawn: object, threads: int | None) -> int:
                self.given.append((index, declared, asked))
                self.threads.append(threads)
                return index

            return SimpleNamespace(remote=give)

        return SimpleNamespace(options=placed)

    def wait(self, waiting: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        del self.logs[: len(self.logs) > 1]
        return waiting[:1], waiting[1:]

    def get(self, reference: int) -> tuple[str, str, str]:
        return f"run-{reference}", "", ""


class Told(list[tuple[str, int, int]]):
    """What a progress listener heard."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.append((stage, done, total))

    def of(self, stage: str) -> list[tuple[int, int]]:
        return [(done, total) for name, done, total in self if name == stage]


def told(
    monkeypatch: pytest.MonkeyPatch, cluster: Cluster, finished: list[bool], one: Trunk
) -> tuple[Told, list[str]]:
    """What is told of four trainings of 75 s, and 25 s for the scores of each, by a clock that a look at it moves by
    a minute; and the folders of what came of them."""
    study: Any = SimpleNamespace(root=Path("nowhere"), of=lambda one: one, shared=SimpleNamespace(trunks=[one] * 4))
    places, minutes, heard = iter(finished), iter(range(100)), Told()
    cost = SimpleNamespace(costs=[Cost(75.0, 25.0, done) for done in finished])
    for module in (study_costs, study_ray):
        monkeypatch.setattr(module, "folder_of", lambda root, resolved: cluster)
    monkeypatch.setattr(study_ray, "is_finished", lambda run: next(places))
    monkeypatch.setattr(study_ray, "note", lambda study, outcomes: None)
    monkeypatch.setattr(study_ray, "costs_of_study", lambda study: cost)
    monkeypatch.setattr(studying.time, "monotonic", lambda: 60.0 * next(minutes))
    came: list[str] = []
    done = go_through_on_ray(study, cluster, heard, arrived=lambda outcome: came.append(outcome.folder))
    assert came == ["run-0", "run-1", "run-2", "run-3"], "each is told of when it has ended"
    return heard, [outcome.folder for outcome in done.outcomes]


def test_what_was_trained_before_is_told_as_done_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of four came back within a second, and the other two, of an hour each, were promised in another second."""
    heard, folders = told(monkeypatch, Cluster(0), [True, False, True, False], trunk())
    assert heard.of("trainings") == [(2, 4), (2, 4), (3, 4), (3, 4), (4, 4)]
    assert folders == ["run-0", "run-1", "run-2", "run-3"]


def test_the_time_left_counts_what_is_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first of four has ended the other three are trained and wait for their scores: 325 of 400 seconds
    that were told, in a minute."""
    heard, _ = told(monkeypatch, Cluster(0, 1), [False] * 4, trunk())
    assert heard.of("whole study (s)") == [(60, 83), (120, 142), (180, 194), (240, 240)]


def test_steps_of_an_earlier_call_promise_nothing_of_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each had taken 60 of 100 steps: 30 s and its scores are left of it. After the first has ended the others are at
    step 80: 55 and three times 15 of 220 s were done in a minute; with the minute believed that leaves 90 s. Were all
    steps this call's, it would be 280 of 400 s, with 42 s left."""
    heard, _ = told(monkeypatch, Cluster(60, 80), [False] * 4, replace(trunk(), steps=100, own=100))
    assert heard.of("whole study (s)") == [(60, 150), (120, 192), (180, 220), (240, 240)]


def test_a_worker_that_goes_on_from_a_checkpoint_does_again_what_its_log_spoke_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log of a killed training ends at step 80, its checkpoint is that of step 60."""
    heard, _ = told(monkeypatch, Cluster(80, 60, 80), [False] * 4, replace(trunk(), steps=100, own=100))
    # The first one ended before its log was looked at again: 15 and 25 s, of 40 and three times 55 s.
    assert heard.of("whole study (s)") == [(60, 258), (120, 198), (180, 223), (240, 240)]


def test_of_a_branch_only_its_own_steps_count() -> None:
    """Steps 1 to 60 of 100 were another training's."""
    branched = replace(trunk(), steps=100, own=40)
    assert [share_of(branched, step) for step in (0, 60, 80, 100)] == [0.0, 0.0, 0.5, 1.0]
    assert share_of(replace(branched, own=0), 0) == 1.0


def test_the_next_of_a_family_is_tried_when_the_one_before_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three trainings, two of one family; the family's first worker dies."""
    given: list[list[int]] = []

    class Losing(Cluster):
        exceptions = SimpleNamespace(RayError=RayError)

        def wait(self, waiting: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
            given.append(list(waiting))
            return super().wait(waiting, num_returns, timeout)

        def get(self, reference: int) -> tuple[str, str, str]:
            if reference == 0:
                raise RayError("A worker died.")
            return super().get(reference)

    trunks = [replace(trunk(), family="falling"), trunk(), replace(trunk(), family="falling")]
    study: Any = SimpleNamespace(root=Path("nowhere"), of=lambda one: one, shared=SimpleNamespace(trunks=trunks))
    cluster = Losing(0)
    monkeypatch.setattr(study_ray, "folder_of", lambda root, resolved: cluster)
    monkeypatch.setattr(study_ray, "is_finished", lambda run: False)
    done = go_through_on_ray(study, cluster, wanted=range(3))
    assert given == [[0, 1], [1, 2], [2]], "one of a family at a time"
    assert [outcome.reason for outcome in done.outcomes] == ["its worker was lost: A worker died.", "", ""]


def gone_through(monkeypatch: pytest.MonkeyPatch, cluster: Cluster, trunks: list[Trunk]) -> None:
    study: Any = SimpleNamespace(root=Path("nowhere"), of=lambda one: one, shared=SimpleNamespace(trunks=trunks))
    monkeypatch.setattr(study_ray, "folder_of", lambda root, resolved: cluster)
    monkeypatch.setattr(study_ray, "is_finished", lambda run: False)
    go_through_on_ray(study, cluster, wanted=range(len(trunks)))


def test_a_worker_that_had_a_gpu_takes_no_other_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would keep its memory on the card, and compute on it when Ray gives it another one."""
    cluster = Cluster(0)
    gone_through(monkeypatch, cluster, [trunk("cuda"), trunk(), trunk("cuda")])
    assert [(index, declared.get("max_calls"), asked["num_gpus"]) for index, declared, asked in cluster.given] == [
        (0, 1, 1),
        (1, None, 0),
        (2, 1, 1),
    ]


@pytest.mark.parametrize(
    ("nodes", "threads", "share"),
    [
        ([(16.0, 8.0)], 16, 2),
        ([(64.0, 0.0), (16.0, 2.0), (12.0, 3.0)], 16, 4),
        ([(16.0, 2.0)], 3, 3),
        ([(4.0, 8.0)], 16, 1),
        ([(8.0, 0.0)], 16, 1),
    ],
)
def test_a_gpu_has_its_share_of_a_nodes_cores(nodes: list[tuple[float, float]], threads: int, share: int) -> None:
    """One core was asked for, and as many threads taken as the plan names: what is computed on the processor beside
    eight GPUs, such as what metrics see in pictures, stood in each other's way."""
    rooms = rooms_of(of_nodes(*nodes))
    assert resources(trunk("cuda", threads), rooms) == {"num_cpus": share, "num_gpus": 1}
    assert resources(trunk(threads=threads), rooms) == {"num_cpus": threads, "num_gpus": 0}


def test_a_worker_keeps_to_the_cores_that_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(0)
    gone_through(monkeypatch, cluster, [trunk("cuda", 6), trunk(threads=3)])
    assert [asked["num_cpus"] for _, _, asked in cluster.given] == [4, 3]
    assert cluster.threads == [4, None], "sums on the processor keep the plan's own"


@pytest.mark.parametrize(("told", "taken"), [(2, 2), (5, 3), (None, 3)])
def test_threads_in_a_worker(told: int | None, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in no plan that is written down."""
    one, seen = trunk("cuda", threads=3), []

    def trained(study: object, trunk: Trunk, resolved: Trunk, drawn: object) -> tuple[None, str, str]:
        for plan in (trunk.plan, resolved.plan):
            assert plan.training.threads == 3
            keep_threads(plan)
            seen.append(torch.get_num_threads())
        return None, "", ""

    study: Any = SimpleNamespace(root=Path("nowhere"), of=lambda one: one, shared=SimpleNamespace(trunks=[one]))
    monkeypatch.setattr(study_ray, "folder_of", lambda root, resolved: None)
    monkeypatch.setattr(study_ray, "is_finished", lambda run: False)
    monkeypatch.setattr(study_ray, "train_and_score", trained)
    before = torch.get_num_threads()
    try:
        assert study_ray._task(study, 0, Drawn(), told) == ("", "", "")
        assert seen == [taken, taken]
        keep_threads(one.plan)
        assert torch.get_num_threads() == 3, "the worker's next task may be told otherwise"
    finally:
        torch.set_num_threads(before)


def test_a_mean_waits_for_all_that_it_is_of_and_for_no_others() -> None:
    def of(name: str, *members: str, family: str = "") -> Trunk:
        return replace(trunk(), members={name: 4}, of=members, family=family)

    trunks = [of("a", family="f"), of("b", family="f"), of("c"), of("m", "a", "c"), of("n", "b", "c")]
    assert waits(trunks, range(5)) == {0: set(), 1: {0}, 2: set(), 3: {0, 2}, 4: {1, 2}}
    assert waits(trunks, [2, 3]) == {2: set(), 3: {2}}, "what is not asked for now was there before"


def test_a_mean_is_given_when_its_last_member_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[int]] = []

    class Watched(Cluster):
        def wait(self, waiting: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
            given.append(list(waiting))
            return super().wait(waiting, num_returns, timeout)

    trunks = [replace(trunk(), members={name: 4}) for name in ("a", "b", "c")]
    trunks.append(replace(trunk(), members={"m": 4}, of=("a", "b"), own=0))
    study: Any = SimpleNamespace(root=Path("nowhere"), of=lambda one: one, shared=SimpleNamespace(trunks=trunks))
    cluster = Watched(0)
    monkeypatch.setattr(study_ray, "folder_of", lambda root, resolved: cluster)
    monkeypatch.setattr(study_ray, "is_finished", lambda run: False)
    done = go_through_on_ray(study, cluster, wanted=range(4))
    assert given == [[0, 1, 2], [1, 2], [2, 3], [3]]
    assert [outcome.runs for outcome in done.outcomes] == [("a",), ("b",), ("c",), ("m",)]
