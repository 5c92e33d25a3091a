"""What a study asks of a Ray cluster and makes of its answers, with a cluster of words only."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from boothlab.api import study_ray
from boothlab.api.study_ray import _outcome, go_through_on_ray, require_room
from boothlab.errors import MachineError, NoSpace
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
    with pytest.raises(MachineError, match="needs 4 CPUs and 1 GPUs .* the largest has 2 and 1"):
        require_room(of_nodes((8.0, 0.0), (2.0, 1.0)), [trunk("cuda")])
    with pytest.raises(MachineError, match="0 nodes"):
        require_room(of_nodes(), [trunk()])


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
    """Ray of one roomy node that ends one task per look at it, in the order in which they were given."""

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": 8.0}}]

    def put(self, value: object) -> object:
        return value

    def remote(self, function: object) -> Any:
        placed = SimpleNamespace(remote=lambda study, index, drawn, *stems: index)
        return SimpleNamespace(options=lambda **resources: placed)

    def wait(self, waiting: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        return waiting[:1], waiting[1:]

    def get(self, reference: int) -> tuple[str, str, str]:
        return f"run-{reference}", "", ""


def test_what_was_trained_before_is_told_as_done_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of four came back within a second, and the other two, of an hour each, were promised in another second."""
    study: Any = SimpleNamespace(root=None, of=lambda one: one, shared=SimpleNamespace(trunks=[trunk()] * 4))
    places = iter([True, False, True, False])
    monkeypatch.setattr(study_ray, "folder_of", lambda root, resolved: None)
    monkeypatch.setattr(study_ray, "is_finished", lambda run: next(places))
    monkeypatch.setattr(study_ray, "note", lambda study, outcomes: None)
    told: list[tuple[int, int]] = []
    done = go_through_on_ray(study, Cluster(), lambda stage, now, total: told.append((now, total)))
    assert told == [(2, 4), (2, 4), (3, 4), (3, 4), (4, 4)]
    assert [outcome.folder for outcome in done.outcomes] == ["run-0", "run-1", "run-2", "run-3"]
