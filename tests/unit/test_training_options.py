"""Every option of the loop resumes exactly, and does what it says."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from boothlab.errors import NotFinite, PlanError
from boothlab.models.model import Model
from boothlab.runs.events import Stepped
from boothlab.strategies import DreamBooth, Lora
from boothlab.training import checkpoint, optim
from boothlab.training.config import Compute, Optimizer, Training, Validation
from boothlab.training.job import Job
from jobs_made import make_job, run, same, tensors

Fresh = Callable[[], Model]


def training(steps: int, **more: Any) -> Training:
    """Settings on one thread with a checkpoint after every step."""
    return Training(**{"steps": steps, "threads": 1, "checkpoint_every": 1, **more})


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "two threads": {"threads": 2},
    "ema": {"optimizer": Optimizer(ema_decay=0.9)},
    "bf16": {"compute": Compute(precision="bf16")},
    "fp16": {"compute": Compute(precision="fp16")},
    "gradient checkpointing": {"compute": Compute(gradient_checkpointing=True)},
    "accumulation": {"accumulate": 3},
    "validation": {"validation": Validation(every=2)},
    "prodigy": {"optimizer": Optimizer(kind="prodigy")},
    "adamw8bit": {"optimizer": Optimizer(kind="adamw8bit")},
}

LIBRARIES = {"prodigy": "prodigyopt", "adamw8bit": "bitsandbytes"}


def steps_of(job: Job) -> list[tuple[int, float, float | None]]:
    """(step, loss, norm) of each step taken."""
    return [(event.step, event.loss, event.norm) for event in run(job) if isinstance(event, Stepped)]


@pytest.mark.parametrize("name", OPTIONS)
def test_resumes_bit_for_bit_with_every_option(name: str, fresh: Fresh, tmp_path: Path) -> None:
    if name in LIBRARIES and importlib.util.find_spec(LIBRARIES[name]) is None:
        pytest.skip(f"{LIBRARIES[name]} is not installed")
    # Both libraries go through the tensors one by one, slowly; a few adapters test them as well. 8-bit AdamW keeps
    # tensors of fewer than 4096 numbers in full, so these are larger.
    few = {
        "prodigy": Lora(learning_rate=1.0, rank=1, targets=("to_q",)),
        "adamw8bit": Lora(rank=512, targets=("to_q",)),
    }
    strategy = few.get(name, DreamBooth(learning_rate=1e-3))
    settings = training(3, **OPTIONS[name])
    whole = make_job(fresh(), strategy, training=settings)
    history = steps_of(whole)
    first = make_job(fresh(), strategy, tmp_path, training=settings)
    run(first, until=lambda event: isinstance(event, Stepped) and event.step == 2)
    second = make_job(fresh(), strategy, tmp_path, training=settings)
    found = checkpoint.newest(tmp_path / "checkpoints", pytest.fail)
    assert found is not None
    assert found.step == 2
    second.restore(found)
    assert steps_of(second) == history[2:]
    expected, got = tensors(whole.model), tensors(second.model)
    assert all(same(expected[key], got[key]) for key in expected)
    left, right = whole.tensors(), second.tensors()
    assert [key for key in left if not same(left[key], right[key])] == []
    assert (name == "adamw8bit") == (torch.uint8 in {tensor.dtype for tensor in left.values()})


def test_snapshot_holds_the_running_mean_and_training_goes_on_with_the_weights(fresh: Fresh, tmp_path: Path) -> None:
    settings = training(3, snapshot_precision="fp32", optimizer=Optimizer(ema_decay=0.5))
    job = make_job(fresh(), DreamBooth(learning_rate=1e-2), tmp_path, training=settings)
    run(job)
    stored = load_file(tmp_path / "snapshots" / "step-000003" / "unet" / "diffusion_pytorch_model.safetensors")
    weights = job.model.backbone().state_dict()
    assert job.ema is not None
    moved = [name for name in stored if not same(stored[name], weights[name])]
    assert len(moved) > len(stored) // 2
    assert all(same(stored[name], job.ema.mean[f"backbone.{name}"]) for name in stored)


def test_what_is_shown_is_the_snapshot_and_training_goes_on_as_before(fresh: Fresh) -> None:
    job = make_job(fresh(), DreamBooth(learning_rate=1e-2), training=training(2, optimizer=Optimizer(ema_decay=0.5)))
    run(job)
    before = tensors(job.model)
    modes = [module.training for module in job.model.backbone().modules()]
    assert job.ema is not None
    assert any(modes)
    with job.shown():
        assert not any(module.training for module in job.model.backbone().modules())
        shown = dict(job.model.backbone().named_parameters())
        assert all(same(shown[name.removeprefix("backbone.")], mean) for name, mean in job.ema.mean.items())
    assert [module.training for module in job.model.backbone().modules()] == modes
    after = tensors(job.model)
    assert all(same(before[name], after[name]) for name in before)


def test_running_mean_follows_its_formula() -> None:
    from boothlab.training.ema import Ema

    parameter = torch.nn.Parameter(torch.zeros(3))
    ema = Ema({"p": parameter}, decay=0.9)
    expected = 0.0
    for step in range(1, 30):
        with torch.no_grad():
            parameter.fill_(float(step))
        ema.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert ema.mean["p"].tolist() == pytest.approx([expected] * 3, rel=1e-6)


def test_accumulating_is_the_big_batch(fresh: Fresh) -> None:
    jobs = [
        make_job(fresh(), DreamBooth(learning_rate=1e-3), training=training(4, batch_size=b, accumulate=a))
        for b, a in ((1, 6), (2, 3), (6, 1))
    ]
    histories = [steps_of(job) for job in jobs]
    for other in histories[1:]:
        assert [s[1] for s in other] == pytest.approx([s[1] for s in histories[0]], rel=1e-5)
        assert [s[2] for s in other] == pytest.approx([s[2] for s in histories[0]], rel=1e-4)


def test_low_precision_really_computes_in_it(fresh: Fresh) -> None:
    """The matrix products of the forward pass see bfloat16 (autocast may be off without a word)."""
    job = make_job(fresh(), DreamBooth(), training=training(1, compute=Compute(precision="bf16")))
    seen: set[torch.dtype] = set()
    layer = next(m for m in job.model.backbone().modules() if isinstance(m, torch.nn.Linear))
    layer.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    run(job)
    assert seen == {torch.bfloat16}
    assert {p.dtype for p in job.model.backbone().parameters()} == {torch.float32}


def test_gradient_checkpointing_changes_memory_not_numbers(fresh: Fresh) -> None:
    plain = make_job(fresh(), DreamBooth(), training=training(2))
    saving = make_job(fresh(), DreamBooth(), training=training(2, compute=Compute(gradient_checkpointing=True)))
    assert [s[1] for s in steps_of(saving)] == pytest.approx([s[1] for s in steps_of(plain)], rel=1e-6)
    assert all(module.gradient_checkpointing for module in saving.model.backbone().down_blocks)


@pytest.mark.parametrize(
    "strategy",
    [
        DreamBooth(learning_rate=1e-3, identifier_learning_rate=1e-2),
        DreamBooth(learning_rate=1e-3, text_encoder=True),
        Lora(learning_rate=1e-3, text_encoder=True),
    ],
    ids=["identifier", "whole", "lora"],
)
def test_gradient_checkpointing_reaches_a_text_encoder_of_which_anything_moves(strategy: Any, fresh: Fresh) -> None:
    """With the identifier's vector alone it was on and did nothing: transformers asks whether a layer trains."""

    def trained(checkpointing: bool) -> tuple[list[Any], int, Job]:
        job = make_job(fresh(), strategy, training=training(2, compute=Compute(gradient_checkpointing=checkpointing)))
        passes: list[int] = []
        # Not the last part of a layer, in which the second pass ends as soon as it has what it wants.
        encoder = job.model.text_encoders()["text_encoder"]
        attention = next(module for name, module in encoder.named_modules() if name.endswith("self_attn"))
        attention.register_forward_hook(lambda *given: passes.append(1) if torch.is_grad_enabled() else None)
        return steps_of(job), len(passes), job

    plain, once, _ = trained(False)
    saving, twice, job = trained(True)
    assert saving == plain
    assert twice == 2 * once > 0
    if strategy.trains()["text_encoder"].word:
        encoder = job.model.text_encoders()["text_encoder"]
        dropping = [module for module in encoder.modules() if hasattr(module, "dropout")]
        assert dropping
        assert not any(module.training for module in dropping), "only a word moves: nothing else may"


def test_gradient_checkpointing_leaves_a_text_encoder_that_stands_still_as_it_is(fresh: Fresh) -> None:
    text = fresh().encode_text(["a photo of a person"]).states_BLD
    job = make_job(fresh(), DreamBooth(), training=training(1, compute=Compute(gradient_checkpointing=True)))
    encoder = job.model.text_encoders()["text_encoder"]
    assert not any(module.training for module in encoder.modules())
    assert same(job.model.encode_text(["a photo of a person"]).states_BLD, text)


def test_missing_library_is_named_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(optim.importlib, "import_module", absent)
    with pytest.raises(PlanError, match="pip install prodigyopt"):
        optim.make_torch_optimizer([], Optimizer(kind="prodigy"))


def test_fp16_leaves_an_overflowing_step_out_and_gives_up_in_the_end(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(fresh(), Lora(learning_rate=1e-3), training=training(60, compute=Compute(precision="fp16")))
    before = tensors(job.model)

    def poison(loss: torch.Tensor) -> None:
        for parameter in job.optimizer._by_name.values():
            parameter.grad = torch.full_like(parameter, math.inf)

    monkeypatch.setattr(job.optimizer, "backward", poison)
    # The scaler looks for infinities only in gradients that it has scaled itself.
    job.optimizer._scaler.scale(torch.zeros(()))
    events = []
    with pytest.raises(NotFinite, match="gradient norm"):
        events.extend(_collect(job))
    after = tensors(job.model)
    assert all(same(before[name], after[name]) for name in before)


def _collect(job: Job) -> list[object]:
    from boothlab.training.loop import train

    return list(train(job))


def test_frozen_text_is_encoded_once_and_in_full_precision(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(fresh(), DreamBooth(), training=training(5, compute=Compute(precision="bf16")))
    asked: list[str] = []
    encode = job.model.encode_text
    monkeypatch.setattr(type(job.model), "encode_text", lambda self, texts: (asked.extend(texts), encode(texts))[1])
    run(job)
    assert sorted(asked) == ["a photo of a person", "a photo of nlwx person"]
    assert {text.states_BLD.dtype for text in job.text_cache.values()} == {torch.float32}


def test_layers_that_are_not_there_are_one_message(fresh: Fresh) -> None:
    with pytest.raises(PlanError, match=r"is called 'nonexistent'") as caught:
        make_job(fresh(), Lora(targets=("nonexistent",)))
    assert "strategy.targets" in caught.value.message
