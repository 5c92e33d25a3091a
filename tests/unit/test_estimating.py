"""Estimates of a plan: made of counted parts, and remedies that remedy."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from boothlab.api import estimating
from boothlab.api.estimating import BUSY, estimate, stage_seconds, step_flops, step_seconds
from boothlab.api.remedies import Asked, most_memory, remedies_for, whole_disk, with_setting
from boothlab.api.space import Counts, disk_of, memory_of, passing_of
from boothlab.cli.check import lines_of
from boothlab.home import cache
from boothlab.models import speed as rates_room
from boothlab.models.costs import SD15, costs_of
from boothlab.models.speed import Speed, interpolate
from boothlab.plan import RunPlan, plan_from
from boothlab.training.class_request import ClassRequest

RATES = Speed({8: 1e10, 320: 1e11}, {8: 1e10, 320: 1e11}, {8: 1e10, 320: 1e10}, 1e9, 1e-4, 1e10)
COUNTS = Counts(photos=10, classes=100, steps=1000, snapshots=3, pictures=40)
SD = costs_of(SD15, 512)


def plan(**nodes: Any) -> RunPlan:
    tree = {"subjects": [{"name": "ada", "photos": "photos"}], "photos": {"size": 512}, "base": {"device": "cpu"}}
    return plan_from({**tree, **nodes}, "test")


def test_memory_of_full_training_of_sd15() -> None:
    found = memory_of(plan(), COUNTS, SD)
    assert found["weights"] == 4 * 1_066_235_307
    assert found["gradients"] == 4 * 859_520_964
    assert found["optimizer"] == 8 * 859_520_964
    # photo and class image, 467.1 million numbers each
    assert found["activations"] == pytest.approx(2 * 4 * 467.1e6, rel=1e-3)


def test_checkpoints_that_take_long_beside_the_steps_are_told_to_be_rarer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One of SD v1.5's whole UNet is 10.3 GB, which is 34 seconds of writing."""
    monkeypatch.setattr(estimating, "part_configs", lambda base: SD15)

    def advised(per_step: float, counts: Counts = COUNTS, **nodes: Any) -> int | None:
        monkeypatch.setattr(estimating, "step_seconds", lambda plan, costs, rates: per_step)
        return estimate(plan(**nodes), counts, RATES, tmp_path).rarer

    assert advised(1.72) is None, "a fifth of the time of a hundred steps"
    assert advised(1.70) == 200
    assert advised(0.5) == 400
    assert advised(0.5, training={"checkpoint_every": 400}) is None
    assert advised(0.1) == 1000, "all of the training"
    assert advised(0.1, replace(COUNTS, steps=100)) is None, "the last step's alone"
    assert advised(0.1, strategy={"kind": "lora"}) is None
    monkeypatch.setattr(estimating, "step_seconds", lambda plan, costs, rates: 0.5)
    lines = lines_of(estimate(plan(), COUNTS, RATES, tmp_path))
    assert any("--set training.checkpoint_every=400 writes fewer" in line for line in lines)


@pytest.mark.parametrize(("device", "share"), [("cpu", 0.5), ("cuda", 0.67), ("mps", 0.67)])
def test_gpus_keep_more_in_half_precision(device: str, share: float) -> None:
    full = plan(base={"device": device})
    half = with_setting(full, "training.compute.precision", "bf16")
    kept = [memory_of(one, COUNTS, SD)["activations"] for one in (full, half)]
    assert kept[1] == pytest.approx(share * kept[0])


def test_main_memory_of_a_gpu_plan_is_compared_with_what_is_free(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(estimating, "part_configs", lambda base: SD15)
    free = {"cuda": 80e9, "cpu": 8e9}
    monkeypatch.setattr(estimating, "free_bytes", lambda device: free[device])
    monkeypatch.setattr(estimating.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1e12}))
    found = estimate(plan(base={"device": "cuda"}), COUNTS, RATES, tmp_path)
    assert sum(found.host.values()) == pytest.approx(4 * SD.parameters + 0.9e9)
    assert found.fits
    (line,) = (line for line in lines_of(found) if "main memory" in line)
    assert line.strip().startswith("main memory about 5.2 GB of 8.0 GB free: weights, while they are read 4.3 GB")
    assert "too little" not in line
    free["cpu"] = 5e9
    short = estimate(plan(base={"device": "cuda"}), COUNTS, RATES, tmp_path)
    assert not short.fits
    (line,) = (line for line in lines_of(short) if "main memory" in line)
    assert line.endswith("; too little: close other programs")
    free["cpu"] = 80e9
    on_cpu = estimate(plan(), COUNTS, RATES, tmp_path)
    assert not any("main memory" in line for line in lines_of(on_cpu)), "there it is all that is counted"


SMALL = {"strategy": {"kind": "lora"}, "training": {"compute": {"gradient_checkpointing": True}}}
"""Trains in less memory than drawing takes."""

DRAWN = 136.6e6
"""Bytes of a sample at the widest place of SD v1.5's UNet at 512 px, by torch's fake tensors."""


def test_drawing_counts_every_sample_that_goes_through_the_unet_together() -> None:
    found = memory_of(plan(base={"device": "cuda"}, **SMALL), COUNTS, SD)
    assert found["drawing"] == pytest.approx(16 * DRAWN, rel=0.05), "eight class images with guidance"
    cached = replace(COUNTS, classes=0)
    evaluated = plan(base={"device": "cuda"}, generation={"batch_size": 16}, **SMALL)
    assert memory_of(evaluated, cached, SD)["drawing"] == pytest.approx(32 * DRAWN, rel=0.05)
    bare = plan(base={"device": "cuda"}, generation={"batch_size": 16, "guidance": 1.0}, **SMALL)
    assert memory_of(bare, cached, SD)["drawing"] == pytest.approx(16 * DRAWN, rel=0.05)


def test_previews_are_drawn_beside_what_is_trained() -> None:
    watched = {**SMALL["training"], "validation": {"preview": {"every": 100}}}
    found = memory_of(
        plan(strategy=SMALL["strategy"], training=watched, generation={"batch_size": 12}),
        replace(COUNTS, classes=0),
        SD,
    )
    assert found["activations"] == pytest.approx(24 * DRAWN, rel=0.05)


def test_what_makes_drawing_smaller_is_advised_where_it_is_the_widest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(estimating, "part_configs", lambda base: SD15)
    monkeypatch.setattr(estimating, "free_bytes", lambda device: 6.9e9)
    found = estimate(plan(base={"device": "cuda"}, **SMALL), COUNTS, RATES, tmp_path)
    assert not found.fits
    (advised,) = (remedy for what, remedy in found.remedies if what == "memory")
    assert advised.setting == "objective.class_folder=FOLDER"
    assert advised.fits
    assert advised.saves == pytest.approx(8 * DRAWN, rel=0.1)
    evaluated = plan(base={"device": "cuda"}, generation={"batch_size": 8}, **SMALL)
    told = estimate(evaluated, replace(COUNTS, classes=0), RATES, tmp_path)
    assert [remedy.setting for what, remedy in told.remedies if what == "memory"] == ["generation.batch_size=1"]


def test_what_the_settings_save() -> None:
    whole = memory_of(plan(), COUNTS, SD)
    for path, value, item in [
        ("training.compute.gradient_checkpointing", True, "activations"),
        ("objective.prior_preservation", False, "activations"),
        ("training.optimizer.kind", "adamw8bit", "optimizer"),
        ("strategy", {"kind": "lora"}, "gradients"),
    ]:
        assert memory_of(with_setting(plan(), path, value), COUNTS, SD).get(item, 0) < 0.6 * whole[item]


def test_counted_flops_of_a_step_follow_batch_and_accumulation() -> None:
    one = step_flops(plan(), SD)
    assert one == pytest.approx(2 * 3 * 803.3e9, rel=0.03)
    assert step_flops(plan(training={"batch_size": 2, "accumulate": 3}), SD) == pytest.approx(6 * one)
    assert step_flops(plan(strategy={"kind": "lora"}), SD) < 0.75 * one
    assert step_flops(plan(training={"compute": {"gradient_checkpointing": True}}), SD) > 1.2 * one


def test_every_stage_is_told_and_follows_its_settings() -> None:
    def seconds(counts: Counts = COUNTS, **nodes: Any) -> dict[str, float]:
        wanted = plan(**nodes)
        return stage_seconds(wanted, counts, SD, RATES, step_seconds(wanted, SD, RATES))

    plain = seconds()
    assert plain["validation"] == plain["previews"] == 0
    assert all(plain[stage] > 0 for stage in ("loading", "class images", "encoding", "training", "saving"))
    cached = seconds(replace(COUNTS, classes=0))
    assert cached["class images"] == 0
    assert cached["encoding"] == pytest.approx(plain["encoding"] * 10 / 110)
    assert seconds(replace(COUNTS, classes=0, given=100))["encoding"] == pytest.approx(plain["encoding"])
    watched = seconds(training={"validation": {"every": 100, "preview": {"every": 250, "seeds": 4}}})
    assert watched["validation"] == pytest.approx(11 * 10 * RATES.seconds(SD.unet, 4))
    # 5 sets of 4 pictures, 25 steps of twice as many samples each
    drawing = 25 * RATES.seconds(SD.unet, 8) + RATES.seconds(SD.decoder, 4) + RATES.seconds(SD.text, 8)
    assert watched["previews"] == pytest.approx(5 * drawing)
    assert watched["training"] == plain["training"]
    often = seconds(training={"checkpoint_every": 50})
    assert often["saving"] - plain["saving"] == pytest.approx(10 * 12 * 859_520_964 / estimating.SAVED_PER_SECOND)
    averaged = seconds(training={"optimizer": {"ema_decay": 0.99}})
    assert averaged["training"] - plain["training"] == pytest.approx(1000 * 12 * 859_520_964 / RATES.copied)
    frozen = seconds(objective={"prior_from": "prediction"})
    assert frozen["training"] - plain["training"] == pytest.approx(1000 * RATES.seconds(SD.unet, 1))


def test_class_images_that_are_in_the_cache_are_not_drawn_again() -> None:
    request = ClassRequest("base", ("a photo of a person",), 64, 20, "dpm++", 25, 7.5, 0)
    assert request.undrawn() == 24, "whole batches of eight"
    request.folder().mkdir(parents=True)
    for path in [*request.block(0), *request.block(1)[:7], *request.block(2)]:
        path.touch()
    assert request.undrawn() == 8
    assert replace(request, count=8).undrawn() == 0
    assert replace(request, prompts=("a photo of a dog",)).undrawn() == 24


def test_disk_counts_the_checkpoint_that_is_written_beside_the_old_ones() -> None:
    found = disk_of(plan(), COUNTS, SD)
    assert found["checkpoints"] == 3 * 12 * 859_520_964
    assert found["snapshots"] == 3 * 2 * 859_520_964


def test_what_is_free_again_once_a_training_is_finished() -> None:
    state = 12 * 859_520_964
    for keep, left in ((2, 2), (1, 1), (0, 0)):
        one = plan(training={"keep_checkpoints": keep})
        found = disk_of(one, COUNTS, SD)
        assert found["checkpoints"] == (max(1, keep) + 1) * state
        assert found["checkpoints"] - passing_of(one, found) == pytest.approx(left * state)


def test_trainings_one_after_the_other_take_the_largest_one_once() -> None:
    """All were counted at their widest, a third too much where two checkpoints of three stay."""
    state, asked = 12 * 859_520_964, Asked(plan(), COUNTS, SD)
    (one,) = {whole_disk([asked]), sum(disk_of(plan(), COUNTS, SD).values())}
    assert whole_disk([asked] * 5) == pytest.approx(5 * one - 4 * state)
    assert most_memory([asked] * 5) == most_memory([asked]) == sum(memory_of(plan(), COUNTS, SD).values())
    assert whole_disk([]) == most_memory([]) == 0
    assert whole_disk([replace(asked, times=5)]) == pytest.approx(whole_disk([asked] * 5))


def test_several_trainings_are_told_what_saves_most_over_all() -> None:
    state, asked = 12 * 859_520_964, Asked(plan(), COUNTS, SD)
    first, second, *_ = remedies_for("disk", [asked] * 5, 400e9)
    assert (first.setting, second.setting) == ("training.keep_checkpoints=1", "training.keep_checkpoints=0")
    assert first.saves == pytest.approx(5 * state)
    # Two for the one that trains in place of three, and none of the four before it.
    assert second.saves == pytest.approx(whole_disk([asked] * 5) - 5 * (one_without(asked) - 2 * state) - 2 * state)
    assert second.fits
    begun = [replace(asked, begins=True)] * 5
    assert [one.setting for one in remedies_for("disk", begun, 400e9)][1] != second.setting, "others need them"
    assert first not in remedies_for("disk", [asked] * 5, 400e9, {"training.keep_checkpoints"})


def one_without(asked: Asked) -> float:
    """Bytes of a run that keeps no checkpoint, at its widest."""
    return whole_disk([replace(asked, plan=plan(training={"keep_checkpoints": 0}))])


@pytest.fixture
def small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimating, "part_configs", lambda base: SD15)
    monkeypatch.setattr(estimating, "free_bytes", lambda device: 16e9)
    monkeypatch.setattr(estimating.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 20e9}))


@pytest.mark.usefixtures("small_machine")
def test_a_plan_too_large_is_told_what_would_make_it_fit(tmp_path: Path) -> None:
    found = estimate(plan(), COUNTS, RATES, tmp_path / "runs")
    assert not found.fits
    advised = {remedy.setting: remedy for what, remedy in found.remedies if what == "memory"}
    assert advised["strategy.kind=lora"].fits
    assert advised["training.compute.gradient_checkpointing=true"].saves > 2e9
    assert "training.batch_size=1" not in advised, "it is 1 already"
    disks = {remedy.setting for what, remedy in found.remedies if what == "disk"}
    assert "training.keep_checkpoints=1" in disks
    assert "training.keep_checkpoints=0" not in disks, "one run is as wide with one as with none"
    settings = plan(strategy={"kind": "lora"})
    assert estimate(settings, COUNTS, RATES, tmp_path / "runs").fits


def test_a_single_file_is_taken_for_sd15_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimating, "part_configs", lambda base: None)
    found = estimate(plan(), COUNTS, RATES, tmp_path)
    assert found.parameters == SD.parameters
    assert any("Stable Diffusion v1.5" in text for text in found.assumed)


def test_rates_between_measured_widths() -> None:
    points = {8: 1e9, 32: 4e9}
    assert interpolate(points, 16) == pytest.approx(2e9)
    assert interpolate(points, 4) == 1e9
    assert interpolate(points, 999) == 4e9


def test_the_machine_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    monkeypatch.setattr(rates_room, "measure", lambda device, threads: measured.append(device) or RATES)
    others(monkeypatch, cores=0.1 * (os.cpu_count() or 1))
    first = rates_room.speed("cpu", 1)
    rates_room._NOW.clear()
    assert first == rates_room.speed("cpu", 1) == RATES
    assert measured == ["cpu"]
    (kept,) = cache("speed").iterdir()
    kept.write_text("{")
    assert rates_room.speed("cpu", 1) == RATES
    assert measured == ["cpu", "cpu"]


def others(monkeypatch: pytest.MonkeyPatch, cores: float) -> None:
    """Other programs take so many of this machine's cores; nothing was measured before."""
    monkeypatch.setattr(rates_room, "_NOW", {})
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval: 100 * cores / (os.cpu_count() or 1))


def test_what_a_busy_machine_gives_is_said_and_held_for_the_process_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Remembered, it would tell 20 hours of what takes minutes, for good."""
    measured = []
    monkeypatch.setattr(rates_room, "measure", lambda device, threads: measured.append(threads) or RATES)
    all_cores = os.cpu_count() or 1
    others(monkeypatch, cores=1 + 0.1 * all_cores)
    found = rates_room.speed("cpu", all_cores)
    assert found == rates_room.speed("cpu", all_cores) == replace(RATES, busy=True)
    assert measured == [all_cores], "a study asks for every training"
    assert not cache("speed").exists()
    assert BUSY in estimate(plan(), COUNTS, found, tmp_path).assumed
    assert BUSY not in estimate(plan(), COUNTS, RATES, tmp_path).assumed


@pytest.mark.parametrize(
    ("cores", "threads", "taken", "busy"),
    [
        (2, 2, 0.1, False),
        (2, 2, 0.5, True),
        (2, 1, 0.9, False),
        (2, 1, 1.9, True),
        (16, 16, 1.5, False),
        (16, 16, 4.0, True),
        (16, 8, 4.0, False),
        (2, 64, 0.1, False),
    ],
)
def test_others_may_have_what_is_not_wanted(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int, taken: float, busy: bool
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    others(monkeypatch, taken)
    assert rates_room.is_busy(threads) is busy


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_what_a_gpu_was_given_is_waited_for(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch is no computation: each of them, the plain sum too, is timed to the end."""
    import torch

    for name in ("randn", "ones"):
        made = getattr(torch, name)
        monkeypatch.setattr(torch, name, lambda *given, _made=made, device, **named: _made(*given, **named))
    slow = 0.05
    monkeypatch.setattr(getattr(torch, device), "synchronize", lambda: time.sleep(slow))
    monkeypatch.setattr(rates_room, "WIDTHS", (8,))
    found = rates_room.measure(device, 1)
    assert found.copied <= 3 * 4 * 16_000_000 / slow
    assert found.pointwise <= 2 * 2 * 64**3 / slow
    assert found.layer >= slow * rates_room.CALLS_PER_LAYER / rates_room.CHAIN


def test_another_gpu_is_measured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    names = {"cuda": "NVIDIA A", "mps": "Apple A"}
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: names["cuda"])
    monkeypatch.setattr(torch.backends.mps, "get_name", lambda: names["mps"])
    before = {device: rates_room.machine_key(device, 2) for device in ("cpu", "cuda", "mps")}
    names |= {"cuda": "NVIDIA B", "mps": "Apple B"}
    after = {device: rates_room.machine_key(device, 2) for device in ("cpu", "cuda", "mps")}
    assert before["cpu"] == after["cpu"]
    assert before["cuda"] != after["cuda"]
    assert before["mps"] != after["mps"]


def test_what_a_processor_does_with_weights_is_not_told_of_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = 25 * 4 * sum(layer.parameters for layer in SD.unet if layer.kind == "conv") / RATES.copied
    on_gpu = replace(RATES, device="cuda")
    assert RATES.seconds(SD.unet, 1) - on_gpu.seconds(SD.unet, 1) == pytest.approx(fetched)
    monkeypatch.setattr(rates_room, "machine_key", lambda device, threads: "key")
    monkeypatch.setattr(rates_room, "measure", lambda device, threads: on_gpu)
    others(monkeypatch, cores=0.1 * (os.cpu_count() or 1))
    assert rates_room.speed("cuda", 1) == on_gpu
    rates_room._NOW.clear()
    assert rates_room.known("cuda", 1) == on_gpu, "remembered too"


def test_a_time_in_half_precision_is_said_to_be_that_of_fp32(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(estimating, "free_bytes", lambda device: 80e9)

    def told(device: str, precision: str) -> bool:
        wanted = plan(base={"device": device}, training={"compute": {"precision": precision}})
        return any("that of fp32" in text for text in estimate(wanted, COUNTS, RATES, tmp_path).assumed)

    assert told("cuda", "bf16")
    assert told("mps", "fp16")
    assert not told("cuda", "fp32")
    assert not told("cpu", "bf16"), "a processor may be slower"


def test_a_real_measurement_gives_rates() -> None:
    import torch

    threads = torch.get_num_threads()
    found = rates_room.measure("cpu", 1)
    assert torch.get_num_threads() == threads
    assert all(rate > 1e6 for table in (found.conv, found.linear, found.attention) for rate in table.values())
    assert 0 < found.layer < 0.1
