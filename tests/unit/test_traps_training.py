"""Traps that other trainers fell into, in precision, class images and resuming; numbered as in docs/traps.md."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from boothlab import api
from boothlab.diffusion.config import Objective
from boothlab.files import folder_listing
from boothlab.models.model import Model
from boothlab.models.sampling import sample
from boothlab.plan import RunPlan, plan_from
from boothlab.runs.events import Event, Started, Stepped, Validated
from boothlab.runs.run import Run
from boothlab.strategies import DreamBooth, Lora
from boothlab.training.class_request import ClassRequest
from boothlab.training.config import Optimizer, Training, Validation
from jobs_made import make_job, pool, run, same, tensors
from photos_made import photo_folder

Fresh = Callable[[], Model]


def plan(tiny_sd: Path, photos: Path, objective: dict[str, Any] | None = None, **training: Any) -> RunPlan:
    """Four steps of full fine-tuning."""
    return plan_from(
        {
            "name": "trap",
            "subjects": [{"name": "ada", "photos": str(photos)}],
            "base": {"model": str(tiny_sd)},
            "strategy": {"kind": "dreambooth", "learning_rate": 1e-3},
            "objective": {"class_images": 8, **(objective or {})},
            "generation": {"steps": 2},
            "training": {"threads": 1, "steps": 4, "snapshot_precision": "fp32", **training},
        },
        "test",
    )


def weights(run: Run) -> dict[str, str]:
    """Hashes of everything in the snapshots."""
    return folder_listing(run.snapshots)


@pytest.mark.parametrize("strategy", [DreamBooth(text_encoder=True), Lora(text_encoder=True)], ids=lambda s: s.kind)
def test_p1_p2_everything_trained_is_fp32_before_and_after_snapshots(
    strategy: Any, fresh: Fresh, tmp_path: Path
) -> None:
    """Half precision is for files: making an fp16 snapshot must not touch the live weights."""
    settings = Training(steps=4, threads=1, snapshots=(2,), snapshot_precision="fp16", validation=Validation(every=1))
    job = make_job(fresh(), strategy, tmp_path, training=settings)
    dtypes = [{p.dtype for group in job.attached.groups for p in group.parameters.values()}]
    live: dict[str, torch.Tensor] = {}

    def watch(event: Event) -> bool:
        dtypes.append({p.dtype for group in job.attached.groups for p in group.parameters.values()})
        if isinstance(event, Stepped) and event.step == 2:
            live.update(tensors(job.model))
        elif event.step == 2 and live:
            now = tensors(job.model)
            assert all(same(live[name], now[name]) for name in live), f"changed by {event}"
        return False

    run(job, until=watch)
    assert live
    assert all(found == {torch.float32} for found in dtypes)


def test_p8_text_encoder_stands_still_after_its_window(fresh: Fresh) -> None:
    strategy = DreamBooth(learning_rate=1e-3, text_encoder=True, text_encoder_steps=2)
    job = make_job(fresh(), strategy, training=Training(steps=5, threads=1))
    states: dict[int, dict[str, torch.Tensor]] = {}

    def watch(event: Event) -> bool:
        if isinstance(event, Stepped):
            states[event.step] = copy.deepcopy(job.model.text_encoders()["text_encoder"].state_dict())
        return False

    run(job, until=watch)
    assert not all(same(states[1][name], states[2][name]) for name in states[1])
    assert all(same(states[2][name], states[5][name]) for name in states[2])


def test_p12_adapters_start_from_the_seed_alone(fresh: Fresh) -> None:
    """Whatever was drawn from the global generator before, the same seed gives the same adapters."""
    found = []
    for noise, seed in ((0, 0), (1, 0), (0, 1)):
        torch.manual_seed(noise)
        torch.randn(noise + 3)
        job = make_job(fresh(), Lora(), training=Training(steps=1, threads=1, seed=seed))
        found.append({name: t.clone() for name, t in job.tensors().items() if name.startswith("parameter/")})
    assert all(same(found[0][name], found[1][name]) for name in found[0])
    assert not all(same(found[0][name], found[2][name]) for name in found[0])


@pytest.mark.parametrize("sampler", ["dpm++", "dpm++sde"])
def test_r10_global_random_numbers_are_neither_used_nor_disturbed(fresh: Fresh, sampler: Any) -> None:
    """Drawing pictures between steps, and reseeding the global generator, change nothing."""
    settings = Training(steps=4, threads=1)
    plain = make_job(fresh(), DreamBooth(learning_rate=1e-3), training=settings)
    run(plain)
    disturbed = make_job(fresh(), DreamBooth(learning_rate=1e-3), training=settings)

    def disturb(event: Event) -> bool:
        if isinstance(event, Stepped):
            torch.manual_seed(event.step)
            np.random.seed(event.step)
            sample(disturbed.model, ["a dog"], [event.step], sampler, 2, 4.0)
        return False

    run(disturbed, until=disturb)
    left, right = plain.tensors(), disturbed.tensors()
    assert [name for name in left if not same(left[name], right[name])] == []


def test_c4_class_images_found_or_made_give_the_same_training(tiny_sd: Path, photos: Path, tmp_path: Path) -> None:
    first = api.train(plan(tiny_sd, photos), tmp_path / "made")
    second = api.train(plan(tiny_sd, photos), tmp_path / "found")
    assert weights(first) == weights(second)


def test_c2_another_prompt_sampler_or_size_is_another_set_of_class_images(
    tiny_sd: Path, photos: Path, tmp_path: Path, own_home: Path
) -> None:
    """Counting files would take the old pictures for the new ones."""
    api.train(plan(tiny_sd, photos, steps=1), tmp_path / "runs")
    api.train(plan(tiny_sd, photos, {"class_prompt": "a drawing of a CLASS"}, steps=1), tmp_path / "runs")
    assert len(list((own_home / "cache" / "class-images").iterdir())) == 2
    request = ClassRequest("base", ("a photo of a person",), 16, 8, "dpm++", 2, 7.5, 0)
    others = [
        {"sampler": "dpm++sde"},
        {"sampler": "ddim"},
        {"spacing": "trailing"},
        {"size": 32},
        {"steps": 3},
        {"guidance": 4.0},
        {"seed": 1},
    ]
    assert len({request.key(), *(replace(request, **other).key() for other in others)}) == 1 + len(others)


def test_d4_a_photo_edited_in_place_is_another_photo(tiny_sd: Path, photos: Path, tmp_path: Path) -> None:
    """Same name, same size, one pixel: other prepared photos, another run, other latents."""
    from boothlab.api.resolving import resolve, run_of

    wanted = plan(tiny_sd, photos)
    before = resolve(wanted)
    path = sorted(photos.iterdir())[0]
    stamp = path.stat()
    with Image.open(path) as image:
        edited = image.convert("RGB")
    edited.putpixel((48, 40), (255, 0, 255))
    edited.save(path)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    after = resolve(wanted)
    assert before.sets["ada"].content_hash != after.sets["ada"].content_hash
    assert run_of(before, tmp_path).path != run_of(after, tmp_path).path
    changed = [
        old.name
        for old, new in zip(before.sets["ada"].photos, after.sets["ada"].photos, strict=True)
        if not np.array_equal(old.pixels, new.pixels)
    ]
    assert len(changed) == 1


def test_r12_held_out_photos_and_class_images_never_meet(tiny_sd: Path, tmp_path: Path) -> None:
    """The held-out loss is that of photos; class images are not among them, and no held-out photo is trained on."""
    photos = photo_folder(tmp_path / "many", 9)
    from boothlab.api.resolving import resolve, run_of
    from boothlab.api.trainer import make_job as assemble

    resolved = resolve(plan(tiny_sd, photos, validation={"every": 2}))
    job = assemble(run_of(resolved, tmp_path / "runs"), resolved)
    trained = {example.id for example in job.pool.instances}
    held_out = {example.id for example in job.held_out}
    assert len(trained) == 6
    assert len(held_out) == 3
    assert not trained & held_out
    assert not {example.id for group in job.pool.classes.values() for example in group} & (trained | held_out)


def test_r13_captions_are_never_dropped_when_looking(fresh: Fresh) -> None:
    """The look at fixed noise sees the prompt, whatever the training drops."""
    looks = []
    for dropout in (0.0, 0.9):
        job = make_job(
            fresh(),
            DreamBooth(),
            training=Training(steps=1, threads=1, validation=Validation(every=1)),
            objective=Objective(caption_dropout=dropout),
        )
        looks.append(next(event for event in run(job) if isinstance(event, Validated)))
    assert looks[0] == looks[1]


def test_a_look_is_at_the_weights_that_a_snapshot_holds(fresh: Fresh) -> None:
    settings = Training(steps=3, threads=1, validation=Validation(every=3), optimizer=Optimizer(ema_decay=0.9))
    job = make_job(fresh(), DreamBooth(learning_rate=1e-2), training=settings)
    last = [event for event in run(job) if isinstance(event, Validated)][-1]
    raw = job._fixed_loss(job.pool.instances)
    with job.shown():
        averaged = job._fixed_loss(job.pool.instances)
    assert averaged != raw
    assert last.train_loss == averaged


@pytest.mark.parametrize(("batch", "accumulate"), [(1, 1), (2, 1), (2, 3)])
def test_r14_the_batch_size_is_the_number_of_photos_a_step_sees(fresh: Fresh, batch: int, accumulate: int) -> None:
    model = fresh()
    settings = Training(steps=1, threads=1, batch_size=batch, accumulate=accumulate)
    job = make_job(model, DreamBooth(), training=settings, examples=pool(model.latent_shape, 20, 20))
    dealt = [one for passed in job.draws.deal(0) for one in passed]
    assert len({one.example.id for one in dealt if one.role == "instance"}) == batch * accumulate
    assert len({one.example.id for one in dealt if one.role == "class"}) == batch * accumulate


def test_r3_resuming_three_times_is_the_same_as_never(tiny_sd: Path, photos: Path, tmp_path: Path) -> None:
    wanted = plan(tiny_sd, photos, steps=8, checkpoint_every=2, snapshots=[3, 5])
    whole = api.train(wanted, tmp_path / "whole")

    class Unplugged(BaseException):
        """Stands for a process that is gone: nothing of boothlab's may catch it."""

    for stop in (3, 4, 7):

        def unplug(event: Event, stop: int = stop) -> None:
            if isinstance(event, Stepped) and event.step == stop:
                raise Unplugged

        with pytest.raises(Unplugged):
            api.train(wanted, tmp_path / "often", listen=unplug)
    run = api.train(wanted, tmp_path / "often")
    assert weights(run) == weights(whole)
    history = [(e.step, e.loss) for e in run.events() if isinstance(e, Stepped)]
    assert history == [(e.step, e.loss) for e in whole.events() if isinstance(e, Stepped)]
    assert len([e for e in run.events() if isinstance(e, Started)]) == 1
