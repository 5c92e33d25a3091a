"""Counted costs against torch's own counts: parameters and FLOPs exactly, kept numbers within a few percent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from boothlab.models.config import Base
from boothlab.models.costs import (
    ADAPTER_TARGETS,
    FROZEN,
    SD15,
    Trained,
    backward_flops,
    costs_of,
    forward_flops,
    kept_numbers,
    recomputed_flops,
)
from boothlab.models.layers import decoder_layers, encoder_layers, text_layers, unet_layers
from boothlab.models.locate import part_configs
from boothlab.models.model import Model

WHOLE = Trained(whole=True)
ADAPTERS = Trained(targets=ADAPTER_TARGETS["backbone"], rank=4)


def configs_of(name: str, tiny_sd: Path) -> dict[str, dict[str, Any]]:
    found = SD15 if name == "sd15" else part_configs(Base(model=str(tiny_sd)))
    assert found is not None
    return found


def build_unet(config: dict[str, Any]) -> Any:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    named = {name: value for name, value in config.items() if not name.startswith("_")}
    named.setdefault("attention_head_dim", 8)
    return UNet2DConditionModel(**{**named, "block_out_channels": tuple(named["block_out_channels"])})


def build_vae(config: dict[str, Any]) -> Any:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    levels = len(config["block_out_channels"])
    return AutoencoderKL(
        block_out_channels=tuple(config["block_out_channels"]),
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=config["layers_per_block"],
        latent_channels=4,
        norm_num_groups=config.get("norm_num_groups", 32),
    )


def build_text(config: dict[str, Any]) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    names = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")
    return CLIPTextModel(CLIPTextConfig(num_attention_heads=2, **{name: config[name] for name in names}))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def flops(work: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


@pytest.mark.parametrize("name", ["tiny", "sd15"])
def test_parameters_and_forward_flops_are_exact(name: str, tiny_sd: Path) -> None:
    configs = configs_of(name, tiny_sd)
    side, width = (64, 768) if name == "sd15" else (8, 16)
    with torch.device("meta"), torch.no_grad():
        unet, vae, text = build_unet(configs["unet"]), build_vae(configs["vae"]), build_text(configs["text_encoder"])
        latents, timestep = torch.empty(1, 4, side, side), torch.empty(1)
        words, pixels = torch.empty(1, 77, width), torch.empty(1, 3, 8 * side, 8 * side)
        costs = costs_of(configs, 8 * side)
        assert forward_flops(costs.unet) == flops(lambda: unet(latents, timestep, words))
        assert forward_flops(costs.encoder) == flops(lambda: vae.encode(pixels))
        assert forward_flops(costs.decoder) == flops(lambda: vae.decode(latents))
        assert forward_flops(costs.text) == flops(lambda: text(torch.zeros(1, 77, dtype=torch.long)))
    counted = {part: sum(layer.parameters for layer in getattr(costs, part)) for part in ("unet", "text")}
    assert counted == {"unet": count(unet), "text": count(text)}
    assert costs.parameters == count(unet) + count(vae) + count(text)
    if name == "sd15":
        assert counted["unet"] == 859_520_964  # the published size of SD v1.5's UNet


@pytest.mark.parametrize(("tokens", "size"), [(49408, 123_060_480)])
def test_the_text_encoder_of_sd15(tokens: int, size: int) -> None:
    layers = text_layers({**SD15["text_encoder"], "vocab_size": tokens})
    assert sum(layer.parameters for layer in layers) == size


def test_backward_flops_of_whole_and_checkpointed_training(tiny_sd: Path) -> None:
    config = SD15["unet"]
    layers = unet_layers(config, 32)
    with torch.device("meta"):
        unet = build_unet(config).train()
        inputs = torch.empty(1, 4, 32, 32), torch.empty(1), torch.empty(1, 77, 768)
        plain = flops(lambda: unet(*inputs).sample.sum().backward())
        unet.enable_gradient_checkpointing()
        again = flops(lambda: unet(*inputs).sample.sum().backward())
    # torch counts attention's backward as 2 forwards on this device, and as 2.5 where the scores are made again
    attention = sum(layer.flops for layer in layers if layer.kind == "attention")
    counted = forward_flops(layers) + backward_flops(layers, WHOLE) - 0.5 * attention
    assert counted == pytest.approx(plain, rel=2e-3)
    assert recomputed_flops(layers) == pytest.approx(again - plain, rel=1e-2)


def test_backward_flops_and_parameters_of_adapters(fresh: Callable[[], Model], tiny_sd: Path) -> None:
    from boothlab.strategies import Lora

    model = fresh()
    assert model.adapter_targets() == ADAPTER_TARGETS
    attached = Lora(rank=4, text_encoder=True).attach(model, [], 0)
    costs = costs_of(configs_of("tiny", tiny_sd), 64)
    declared = Lora(rank=4, text_encoder=True).trains()
    counted = sum(trained.parameters(costs.part(role)) for role, trained in declared.items())
    assert counted == attached.num_parameters


def kept_by_torch(unet: nn.Module, side: int, width: int) -> float:
    """Numbers saved for the backward pass, each storage once, the weights left out."""
    weights = {parameter.untyped_storage()._cdata for parameter in unet.parameters()}
    seen: dict[int, Any] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            seen[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        unet(torch.randn(1, 4, side, side), torch.tensor([5]), torch.randn(1, 77, width))
    return sum(storage.nbytes() for storage in seen.values()) / 4


@pytest.mark.parametrize(("name", "side", "width", "error"), [("tiny", 8, 16, 0.05), ("sd15", 64, 768, 0.005)])
def test_kept_numbers(name: str, side: int, width: int, error: float, tiny_sd: Path) -> None:
    config = configs_of(name, tiny_sd)["unet"]
    layers = unet_layers(config, side)
    with FakeTensorMode():
        unet = build_unet(config).train()
        plain = kept_by_torch(unet, side, width)
        unet.enable_gradient_checkpointing()
        doors = kept_by_torch(unet, side, width)
    assert kept_numbers(layers, WHOLE, checkpointing=False) == pytest.approx(plain, rel=error)
    blocks: dict[int, int] = {}
    for layer in layers:
        if layer.block is not None:
            blocks[layer.block] = blocks.get(layer.block, 0) + layer.kept + layer.kept_for_weights
    counted = kept_numbers(layers, WHOLE, checkpointing=True) - max(blocks.values())
    assert counted == pytest.approx(doors, rel=2 * error)


def test_frozen_parts_cost_no_weights(tiny_sd: Path) -> None:
    layers = unet_layers(configs_of("tiny", tiny_sd)["unet"], 8)
    assert FROZEN.parameters(layers) == 0
    assert FROZEN.nothing
    assert backward_flops(layers, ADAPTERS) < backward_flops(layers, WHOLE)
    assert kept_numbers(layers, ADAPTERS, False) < kept_numbers(layers, WHOLE, False)


def test_layers_grow_with_the_picture() -> None:
    vae = SD15["vae"]
    assert forward_flops(decoder_layers(vae, 64)) > 3.9 * forward_flops(decoder_layers(vae, 32))
    assert forward_flops(encoder_layers(vae, 512)) > 3.9 * forward_flops(encoder_layers(vae, 256))
