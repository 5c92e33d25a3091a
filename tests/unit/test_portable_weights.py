"""What is handed out is read by other programs and other versions: names and facts as these know them."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from boothlab.errors import NoSpace
from boothlab.models.adapters import (
    ADAPTER_NOTES,
    FILE,
    KNOWN_TO_ALL,
    AdapterShape,
    add_adapters,
    load_adapters,
    make_portable,
    save_adapters,
)
from boothlab.models.config import Base
from boothlab.models.load import load
from boothlab.models.model import Model
from boothlab.models.weights import load_module, save_module

UNET, TEXT = ("to_q", "to_out.0"), ("q_proj", "out_proj")


@pytest.fixture
def model(tiny_sd: Path) -> Model:
    return load(Base(model=str(tiny_sd)))


def adapted(model: Model, alpha: float, dora: bool = False) -> tuple[dict[str, Any], dict[str, AdapterShape]]:
    """Adapters of rank 4 with something in them."""
    modules = {"backbone": model.backbone(), **model.text_encoders()}
    shapes = {"backbone": AdapterShape(4, alpha, UNET, dora), "text_encoder": AdapterShape(4, alpha, TEXT, dora)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        for role, module in modules.items():
            for parameter in add_adapters(module, shapes[role], seed=1):
                parameter.data += 0.1 * torch.randn_like(parameter)
    return modules, shapes


def said(model: Model) -> tuple[torch.Tensor, torch.Tensor]:
    """What both adapted parts make of one prompt."""
    with torch.no_grad():
        text = model.encode_text(["a photo of a dog"])
        noisy = torch.randn(1, *model.latent_shape, generator=torch.Generator().manual_seed(0))
        return text.states_BLD, model.predict(noisy, torch.tensor([500]), text)


def test_a_text_encoder_is_named_as_in_published_files(model: Model, tmp_path: Path) -> None:
    """Without the prefix transformers 4 and other programs find none of the names, and draw with random weights."""
    encoder = model.text_encoders()["text_encoder"]
    save_module(encoder, tmp_path, "text_encoder", "fp32")
    file = tmp_path / "text_encoder" / "model.safetensors"
    names = list(load_file(file))
    assert names
    assert all(name.startswith("text_model.") and not name.startswith("text_model.text_model.") for name in names)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    for parameter in encoder.parameters():
        parameter.data.zero_()
    load_module(encoder, tmp_path, "text_encoder")
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())
    # As boothlab wrote them before.
    save_file({name.removeprefix("text_model."): tensor for name, tensor in load_file(file).items()}, file)
    for parameter in encoder.parameters():
        parameter.data.zero_()
    load_module(encoder, tmp_path, "text_encoder")
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())


def as_written_before(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """With the names that transformers 5 and peft have in memory."""
    return {
        name.replace("text_model.", "").replace("magnitude_vector.weight", "magnitude_vector"): tensor
        for name, tensor in tensors.items()
    }


@pytest.mark.parametrize(("dora", "older"), [(False, False), (True, False), (True, True)])
def test_adapters_come_back_from_their_file(
    model: Model, tiny_sd: Path, tmp_path: Path, dora: bool, older: bool
) -> None:
    modules, shapes = adapted(model, alpha=8.0, dora=dora)
    save_adapters(tmp_path, modules, shapes)
    names = list(load_file(tmp_path / FILE))
    assert all(name.startswith(("unet.", "text_encoder.text_model.encoder.layers.")) for name in names)
    if older:
        save_file(as_written_before(load_file(tmp_path / FILE)), tmp_path / FILE)
    other = load(Base(model=str(tiny_sd)))
    again, _ = adapted(other, alpha=8.0, dora=dora)
    for module in again.values():
        for name, parameter in module.named_parameters():
            if "lora_" in name:
                parameter.data.zero_()
    load_adapters(tmp_path, again)
    assert all(torch.equal(a, b) for a, b in zip(said(model), said(other), strict=True))


def test_a_file_says_of_adapters_what_every_peft_knows(model: Model, tmp_path: Path) -> None:
    save_adapters(tmp_path, *adapted(model, alpha=8.0))
    with safe_open(tmp_path / FILE, framework="pt") as file:
        facts = json.loads(file.metadata()[ADAPTER_NOTES])
    assert {name.partition(".")[2] for name in facts} == set(KNOWN_TO_ALL)
    assert set(KNOWN_TO_ALL) <= set(inspect.signature(LoraConfig).parameters)
    assert (facts["unet.r"], facts["unet.lora_alpha"], facts["text_encoder.target_modules"]) == (4, 8.0, sorted(TEXT))


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("older", [False, True])
def test_a_program_that_knows_no_alpha_draws_the_same(
    model: Model, tiny_sd: Path, tmp_path: Path, dora: bool, older: bool
) -> None:
    modules, shapes = adapted(model, alpha=8.0, dora=dora)
    save_adapters(tmp_path, modules, shapes)
    if older:  # with all that one version knows, and the names of that version's memory
        facts = {f"unet.{name}": value for name, value in shapes["backbone"].to_peft().to_dict().items()}
        facts |= {f"text_encoder.{name}": value for name, value in shapes["text_encoder"].to_peft().to_dict().items()}
        tensors = as_written_before(load_file(tmp_path / FILE))
        notes = json.dumps({name: sorted(v) if isinstance(v, set) else v for name, v in facts.items()}, default=str)
        save_file(tensors, tmp_path / FILE, {"format": "pt", ADAPTER_NOTES: notes})
    make_portable(tmp_path / FILE)
    lengths = {name for name in load_file(tmp_path / FILE) if "magnitude" in name}
    assert bool(lengths) == dora
    assert all(name.endswith(".weight") == name.startswith("text_encoder.text_model.") for name in lengths)
    with safe_open(tmp_path / FILE, framework="pt") as file:
        facts = json.loads(file.metadata()[ADAPTER_NOTES])
    assert facts["unet.lora_alpha"] == facts["text_encoder.lora_alpha"] == 4
    assert {name.partition(".")[2] for name in facts} <= set(KNOWN_TO_ALL)
    other = load(Base(model=str(tiny_sd)))
    at_one, _ = adapted(other, alpha=4.0, dora=dora)  # a scale of 1
    load_adapters(tmp_path, at_one)
    for ours, theirs in zip(said(model), said(other), strict=True):
        np.testing.assert_allclose(theirs.numpy(), ours.numpy(), rtol=0, atol=1e-5)
    once = (tmp_path / FILE).read_bytes()
    make_portable(tmp_path / FILE)
    assert (tmp_path / FILE).read_bytes() == once


def test_a_full_disk_is_said_of_adapters_too(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """safetensors' writer raises nothing that is an OSError."""

    def full(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    modules, shapes = adapted(model, alpha=8.0)
    save_adapters(tmp_path, modules, shapes)
    monkeypatch.setattr("safetensors.torch.save_file", full)  # diffusers'
    monkeypatch.setattr("boothlab.models.weights.save_file", full)
    for write in (lambda: save_adapters(tmp_path, modules, shapes), lambda: make_portable(tmp_path / FILE)):
        with pytest.raises(NoSpace, match="is full"):
            write()


def test_weights_are_as_readable_as_all_other_files(model: Model, tmp_path: Path) -> None:
    """Exports on a shared disk could be opened by their owner alone."""
    (tmp_path / "plain.txt").write_text("")
    target = save_module(model.parts()["autoencoder"], tmp_path, "autoencoder", "fp32")
    (weights,) = target.glob("*.safetensors")
    assert weights.stat().st_mode == (tmp_path / "plain.txt").stat().st_mode
