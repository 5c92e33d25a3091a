"""What training and drawing cost in numbers, FLOPs and bytes, from the layers alone. (Torch-free.)

The bytes kept for the backward pass are counted per layer, as torch keeps them on the CPU: compared with torch's own
hooks in tests/unit/test_costs.py, where SD v1.5's UNet at 512 px keeps 467.8 million numbers and this counts 467.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boothlab.errors import PlanError
from boothlab.models.layers import (
    TEXT_LENGTH,
    TOKEN_TABLE,
    Layer,
    decoder_layers,
    encoder_layers,
    text_layers,
    unet_layers,
)

FLOAT = 4
"""Bytes of a number in fp32."""

DECODED_ALONE_FROM = 256
"""Pictures of so many pixels a side and more are decoded one after the other."""

HALF_SHARE = {"cpu": 0.5, "cuda": 0.67, "mps": 0.67}
"""Bytes kept under autocast as a share of fp32, by device. 0.48 was measured on the CPU at SD v1.5's scale, 0.64 to
0.67 on CUDA (torch 2.14, fake tensors): normalisations are computed in fp32 there, and what they take and give is
kept so. Apple's GPUs, which were not measured, are taken for the same."""

ATTENTION_BACKWARD = 2.5
"""Backward FLOPs of attention for one forward FLOP: five matrix products for two, the scores being made again."""

ADAPTER_TARGETS: dict[str, tuple[str, ...]] = {
    "backbone": ("to_k", "to_q", "to_v", "to_out.0"),
    "text_encoder": ("q_proj", "k_proj", "v_proj", "out_proj"),
}
"""Layers that adapters customarily change, by role."""

SD15: dict[str, dict[str, Any]] = {
    "unet": {
        "sample_size": 64,
        "block_out_channels": [320, 640, 1280, 1280],
        "cross_attention_dim": 768,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    },
    "vae": {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2},
    "text_encoder": {
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
    },
}
"""Stable Diffusion v1.5, which a single .safetensors file is taken for: such a file carries no config."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What of a part moves: ``whole``, or the vector of one ``word``, or adapters of ``rank`` beside the layers named
    in ``targets``, or nothing."""

    whole: bool = False
    word: bool = False
    targets: tuple[str, ...] = ()
    rank: int = 0
    magnitudes: bool = False

    def has_adapter(self, layer: Layer) -> bool:
        """Whether the layer gets an adapter."""
        if layer.kind not in ("conv", "linear"):
            return False
        return any(layer.name == target or layer.name.endswith(f".{target}") for target in self.targets)

    def parameters(self, layers: Sequence[Layer]) -> int:
        """How many numbers are trained."""
        if self.whole:
            return sum(layer.parameters for layer in layers)
        if self.word:
            return sum(layer.outputs for layer in layers if layer.name == TOKEN_TABLE)
        return sum(
            self.rank * (layer.inputs * layer.kernel**2 + layer.outputs) + (layer.outputs if self.magnitudes else 0)
            for layer in layers
            if self.has_adapter(layer)
        )

    @property
    def as_module(self) -> bool:
        """Whether snapshots hold the part itself, and not adapters beside it."""
        return self.whole or self.word

    def exported(self, layers: Sequence[Layer]) -> int:
        """How many numbers a snapshot holds of the part: all of it, or the adapters."""
        return sum(layer.parameters for layer in layers) if self.as_module else self.parameters(layers)

    @property
    def nothing(self) -> bool:
        """Whether the part stays as it is."""
        return not self.as_module and not self.targets


FROZEN = Trained()


def no_layer(role: str, target: str) -> PlanError:
    """The error for a name of ``strategy.targets`` that no layer of the part has."""
    return PlanError(
        f"strategy.targets: no layer of the base model's {role.replace('backbone', 'UNet')} is called {target!r}.",
        'Name layers as peft does, for example ["to_q", "to_v"], or leave it out.',
    )


@dataclass(frozen=True, slots=True)
class Costs:
    """The layers of a model's parts at one picture size. ``side`` is that of the pictures in pixels."""

    side: int
    unet: tuple[Layer, ...]
    encoder: tuple[Layer, ...]
    decoder: tuple[Layer, ...]
    text: tuple[Layer, ...]

    def part(self, role: str) -> tuple[Layer, ...]:
        """The layers of a role that strategies move."""
        return self.unet if role == "backbone" else self.text

    @property
    def parameters(self) -> int:
        """Numbers of the whole model."""
        return sum(layer.parameters for layer in (*self.unet, *self.encoder, *self.decoder, *self.text))


def costs_of(configs: Mapping[str, Mapping[str, Any]], side: int) -> Costs:
    """The layers that ``unet``, ``vae`` and ``text_encoder`` configs describe, for pictures of ``side`` pixels."""
    vae = configs["vae"]
    latents = side // 2 ** (len(vae["block_out_channels"]) - 1)
    return Costs(
        side=side,
        unet=tuple(unet_layers(configs["unet"], latents)),
        encoder=tuple(encoder_layers(vae, side)),
        decoder=tuple(decoder_layers(vae, latents)),
        text=tuple(text_layers(configs["text_encoder"], TEXT_LENGTH)),
    )


def forward_flops(layers: Sequence[Layer]) -> int:
    """FLOPs of one forward pass of one sample."""
    return sum(layer.flops for layer in layers)


def backward_flops(layers: Sequence[Layer], trained: Trained, leaves_move: bool = False) -> float:
    """FLOPs of the backward pass: per layer one forward's worth for the input's gradient, one for the weights'.

    ``leaves_move`` says that what comes from outside wants a gradient too (cross-attention to a text encoder that is
    trained). Adapters add their own two thin products per pass, forward included.
    """
    found = 0.0
    for layer in layers:
        if layer.kind == "attention":
            found += ATTENTION_BACKWARD * layer.flops
            continue
        wants_input = not layer.leaf or (leaves_move and layer.kind == "linear")
        found += layer.flops * (int(trained.whole) + int(wants_input))
        if trained.has_adapter(layer):
            thin = 2 * trained.rank * layer.positions * (layer.inputs * layer.kernel**2 + layer.outputs)
            found += thin * 3
    return found


def kept_numbers(layers: Sequence[Layer], trained: Trained, checkpointing: bool) -> int:
    """Numbers kept between forward and backward pass of one sample.

    With gradient checkpointing: what stands outside the blocks, the input of every block, and the largest block,
    which is computed again.
    """

    def kept(layer: Layer) -> int:
        wanted = trained.whole or trained.has_adapter(layer)
        thin = trained.rank * layer.positions if trained.has_adapter(layer) else 0
        return layer.kept + (layer.kept_for_weights if wanted else 0) + thin

    if not checkpointing:
        return sum(kept(layer) for layer in layers)
    blocks: dict[int, list[Layer]] = {}
    for layer in layers:
        if layer.block is not None:
            blocks.setdefault(layer.block, []).append(layer)
    outside = sum(kept(layer) for layer in layers if layer.block is None)
    doors = sum(members[0].inputs * members[0].positions for members in blocks.values())
    return outside + doors + max((sum(map(kept, members)) for members in blocks.values()), default=0)


def recomputed_flops(layers: Sequence[Layer]) -> int:
    """What gradient checkpointing computes a second time: each block but its last layer, whose input is enough."""
    last = {layer.block: layer.flops for layer in layers if layer.block is not None and layer.flops}
    return sum(layer.flops for layer in layers if layer.block is not None) - sum(last.values())


def drawing_numbers(costs: Costs, pictures: int, guided: bool) -> int:
    """Numbers alive at once while so many pictures are drawn together, guided ones by two samples each."""
    decoded = 1 if costs.side >= DECODED_ALONE_FROM else pictures
    return max(pictures * (1 + guided) * widest_step(costs.unet), decoded * largest_step(costs.decoder))


def widest_step(layers: Sequence[Layer]) -> int:
    """The same as :func:`largest_step` for a UNet, with its skips and what stands beside a block.

    Three times input plus output of the widest layer, the first of a feed-forward network: torch's fake tensors have
    2.89 to 2.94, for SD v1.5 at 512 and 256 px and for toon (docs/benchmarks.md).
    """
    wide = (layer for layer in layers if layer.kind in ("conv", "linear"))
    return 3 * max(layer.positions * (layer.inputs + layer.outputs) for layer in wide)


def largest_step(layers: Sequence[Layer]) -> int:
    """Numbers alive at once at the widest place of a forward pass without gradients, the skips not counted.

    Twice input plus output of the widest layer: measured on the decoder of SD v1.5's make (docs/benchmarks.md).
    """
    return 2 * max(layer.positions * (layer.inputs + layer.outputs) for layer in layers if layer.kind == "conv")
