"""Previews: drawn on time, the same in every life of a run, and without a trace in the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boothlab import api
from boothlab.files import folder_listing
from boothlab.models import sampling
from boothlab.plan import RunPlan, plan_from
from boothlab.runs.events import Event, Extended, Finished, Previewed, Stepped
from boothlab.runs.run import Run
from photos_made import photo_folder

EVERY = {"every": 2, "prompts": ["a photo of {it}", "{it} on a beach"]}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo_folder(tmp_path_factory.mktemp("previews") / "photos", 3)


def plan(
    base: Path, photos: Path, preview: dict[str, Any], strategy: dict[str, Any] | None = None, **training: Any
) -> RunPlan:
    return plan_from(
        {
            "name": "ada",
            "subjects": [{"name": "ada", "photos": str(photos), "identifier": "nlwx"}],
            "base": {"model": str(base), "device": "cpu"},
            "strategy": strategy or {"kind": "dreambooth", "learning_rate": 1e-3, "text_encoder": True},
            "objective": {"prior_preservation": False},
            "training": {
                "steps": 5,
                "threads": 1,
                "snapshot_precision": "fp32",
                "checkpoint_every": 1,
                "validation": {"preview": preview},
                **training,
            },
            "generation": {"steps": 2},
        },
        "test",
    )


def pictures(run: Run) -> dict[str, str]:
    return {name: digest for name, digest in folder_listing(run.path / "previews").items() if name.endswith(".png")}


def losses(run: Run) -> list[tuple[int, float, float | None]]:
    return [(event.step, event.loss, event.norm) for event in run.events() if isinstance(event, Stepped)]


@pytest.fixture(scope="module")
def whole(tiny_sd: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training with previews that nobody disturbed."""
    return api.train(plan(tiny_sd, photos, EVERY), tmp_path_factory.mktemp("whole"))


def test_they_are_drawn_when_asked(whole: Run) -> None:
    steps = ["step-000000", "step-000002", "step-000004", "step-000005"]
    names = [f"{step}/ada-{prompt:02d}-00.png" for step in steps for prompt in (0, 1)]
    found = pictures(whole)
    assert sorted(found) == names
    assert [(e.step, e.pictures) for e in whole.events() if isinstance(e, Previewed)] == [
        (step, 2) for step in (0, 2, 4, 5)
    ]
    assert len(set(found.values())) == len(found), "another step, prompt or noise is another picture"


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param({"kind": "dreambooth", "learning_rate": 1e-3, "text_encoder": True}, id="text"),
        pytest.param({"kind": "dreambooth", "learning_rate": 1e-3}, id="unet", marks=pytest.mark.slow),
        pytest.param({"kind": "lora", "learning_rate": 1e-2}, id="lora"),
    ],
)
def test_the_training_is_the_same_bit_for_bit(
    strategy: dict[str, Any], tiny_sd: Path, photos: Path, tmp_path: Path
) -> None:
    options = {"optimizer": {"ema_decay": 0.5}, "compute": {"gradient_checkpointing": True}, "steps": 2}
    plain = api.train(plan(tiny_sd, photos, {}, strategy, **options), tmp_path)
    drawn = api.train(plan(tiny_sd, photos, {"every": 1}, strategy, **options), tmp_path)
    assert pictures(plain) == {}
    assert len(pictures(drawn)) == 3
    assert losses(plain) == losses(drawn)
    for folder in ("snapshots", "checkpoints"):
        assert folder_listing(plain.path / folder) == folder_listing(drawn.path / folder) != {}


def test_the_last_ones_are_what_the_snapshot_draws(whole: Run) -> None:
    from boothlab.api.pictures import plan_of, snapshot_model
    from boothlab.api.previewing import orders_of
    from boothlab.generation.generate import generate

    wanted, redone = orders_of(plan_of(whole)), whole.path / "redone"
    generate(
        lambda: snapshot_model(whole, plan_of(whole), "step-000005"), "x", wanted, plan_of(whole).generation, redone
    )
    again = {f"step-000005/{name}": digest for name, digest in folder_listing(redone).items() if name.endswith("png")}
    assert again.items() <= pictures(whole).items()
    assert len(again) == 2


def test_a_training_that_ends_early_has_one_at_its_end(tiny_sd: Path, tmp_path: Path) -> None:
    """Those due were counted from the steps that were planned, so patience ended a training without its last one."""
    photos = photo_folder(tmp_path / "photos", 9)  # some are held out
    looking = {"every": 1, "patience": 2, "preview": {"every": 5}}
    steep = {"kind": "lora", "learning_rate": 0.5}
    run = api.train(plan(tiny_sd, photos, {}, steep, steps=9, validation=looking), tmp_path)
    end = run.status().step
    assert end not in (0, 5, 9)
    assert [e.step for e in run.events() if isinstance(e, Previewed)] == [*range(0, end, 5), end]
    assert isinstance(run.events()[-1], Finished)


class Unplugged(BaseException):
    """Stands for a process that is gone: nothing of boothlab's may catch it."""


def test_a_resume_draws_what_is_missing_and_nothing_twice(
    whole: Run, tiny_sd: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the second set is half drawn, and again after it, before the next checkpoint."""
    from boothlab.generation import generate as room

    wanted = plan(tiny_sd, photos, EVERY, checkpoint_every=3)
    wanted = wanted.model_copy(update={"generation": wanted.generation.model_copy(update={"batch_size": 1})})
    drawn: list[int] = []
    stop_at = 3

    def counted(model: Any, prompts: Any, seeds: Any, *how: Any) -> Any:
        if len(drawn) == stop_at:
            raise Unplugged
        drawn.extend(seeds)
        return sampling.sample(model, prompts, seeds, *how)

    monkeypatch.setattr(room, "sample", counted)
    with pytest.raises(Unplugged):
        api.train(wanted, tmp_path / "often")
    assert len(drawn) == 3
    stop_at = -1

    def unplug(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 5:
            raise Unplugged

    with pytest.raises(Unplugged):
        api.train(wanted, tmp_path / "often", listen=unplug)
    run = api.train(wanted, tmp_path / "often")
    assert len(drawn) == 4 * 2
    undisturbed = api.train(wanted, tmp_path / "once")
    assert folder_listing(run.path / "previews") == folder_listing(undisturbed.path / "previews")
    assert folder_listing(run.snapshots) == folder_listing(undisturbed.snapshots)
    told = [e for e in run.events() if isinstance(e, Previewed)]
    assert told == [e for e in undisturbed.events() if isinstance(e, Previewed)]


def test_an_extended_run_takes_them_over(whole: Run, tiny_sd: Path, photos: Path, tmp_path: Path) -> None:
    short = api.train(plan(tiny_sd, photos, EVERY, steps=3), tmp_path)
    run = api.train(plan(tiny_sd, photos, EVERY), tmp_path)
    assert [e.source for e in run.events() if isinstance(e, Extended)] == [short.name]
    assert pictures(run) == pictures(whole)
    assert [e for e in run.events() if isinstance(e, Previewed)] == [
        e for e in whole.events() if isinstance(e, Previewed)
    ]
