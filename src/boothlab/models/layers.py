"""The layers of a Stable Diffusion model, counted from its configs alone. (Torch-free.)

It exists so that a plan's time and memory can be told before a weight is read. Parameters, FLOPs and the numbers kept
for the backward pass are compared with torch's own count on the meta device in tests/unit/test_costs.py, for the
architecture of SD v1.5 too.

Everything is per sample. A FLOP is one addition or multiplication: a matrix product of (m, k) and (k, n) has 2·m·k·n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["conv", "linear", "attention", "pointwise"]

TEXT_LENGTH = 77
"""Tokens of a CLIP prompt."""

TOKEN_TABLE = "token_embedding"
"""Name of the layer that holds a vector for every token."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One operation. ``positions`` = pixels or tokens it is computed at; ``kernel`` = side of the filter.

    ``kept`` are numbers saved for the gradient of the input whatever is trained, ``kept_for_weights`` those saved
    only where the layer's own weights (or an adapter beside them) move. ``leaf`` says that the input comes from
    outside the part, so that nobody wants its gradient; ``block`` numbers the unit of gradient checkpointing.
    """

    name: str
    kind: Kind
    inputs: int
    outputs: int
    positions: int
    kernel: int = 1
    parameters: int = 0
    flops: int = 0
    kept: int = 0
    kept_for_weights: int = 0
    leaf: bool = False
    block: int | None = None


@dataclass(slots=True)
class Walk:
    """Collects layers in the order of the forward pass."""

    layers: list[Layer] = field(default_factory=list)
    block: int | None = None
    blocks: int = 0

    def open_block(self) -> None:
        """Begin a unit that gradient checkpointing computes again as a whole."""
        self.blocks += 1
        self.block = self.blocks

    def close_block(self) -> None:
        """End it."""
        self.block = None

    def add(self, name: str, kind: Kind, inputs: int, outputs: int, positions: int, **more: Any) -> None:
        """One more layer."""
        self.layers.append(Layer(name, kind, inputs, outputs, positions, block=self.block, **more))

    def conv(self, name: str, inputs: int, outputs: int, side: int, kernel: int = 3, **more: Any) -> None:
        """A convolution with bias at ``side`` × ``side`` outputs; keeps its input."""
        weights = inputs * outputs * kernel**2
        more.setdefault("kept_for_weights", inputs * side**2)
        flops = 2 * weights * side**2
        self.add(
            name, "conv", inputs, outputs, side**2, kernel=kernel, parameters=weights + outputs, flops=flops, **more
        )

    def linear(self, name: str, inputs: int, outputs: int, positions: int, bias: bool = True, **more: Any) -> None:
        """A linear layer. Its input is kept by who says so: several layers share one."""
        parameters = inputs * outputs + (outputs if bias else 0)
        flops = 2 * inputs * outputs * positions
        self.add(name, "linear", inputs, outputs, positions, parameters=parameters, flops=flops, **more)

    def norm(self, name: str, channels: int, positions: int) -> None:
        """A normalisation with weight and bias; keeps its input."""
        self.add(name, "pointwise", channels, channels, positions, parameters=2 * channels, kept=channels * positions)

    def activation(self, name: str, channels: int, positions: int, kept: int | None = None) -> None:
        """A function of each number; keeps its input."""
        self.add(
            name, "pointwise", channels, channels, positions, kept=channels * positions if kept is None else kept
        )

    def attention(self, channels: int, queries: int, keys: int) -> None:
        """Scaled dot products of all heads; keeps queries, keys, values and result, never the score matrix."""
        self.add(
            "attention",
            "attention",
            channels,
            channels,
            queries,
            flops=4 * channels * queries * keys,
            kept=2 * channels * (queries + keys),
        )


def _each(value: Any, count: int) -> list[Any]:
    """A setting that configs give once or per level."""
    return list(value) if isinstance(value, list | tuple) else [value] * count


def _resnet(walk: Walk, inputs: int, outputs: int, side: int, time: int | None) -> None:
    walk.open_block()
    walk.norm("norm1", inputs, side**2)
    walk.activation("silu", inputs, side**2)
    walk.conv("conv1", inputs, outputs, side)
    if time is not None:
        walk.linear("time_emb_proj", time, outputs, 1, kept=time, kept_for_weights=time)
    walk.norm("norm2", outputs, side**2)
    walk.activation("silu", outputs, side**2)
    walk.conv("conv2", outputs, outputs, side)
    if inputs != outputs:
        walk.conv("conv_shortcut", inputs, outputs, side, kernel=1, kept_for_weights=0)  # norm1 keeps its input
    walk.close_block()


def _transformer(walk: Walk, channels: int, side: int, context: int, depth: int) -> None:
    tokens = side**2
    size = channels * tokens
    walk.norm("norm", channels, tokens)
    walk.linear("proj_in", channels, channels, tokens, kept_for_weights=size)
    for _ in range(depth):
        walk.open_block()
        walk.norm("norm1", channels, tokens)
        _attention(walk, channels, tokens, None)
        walk.norm("norm2", channels, tokens)
        _attention(walk, channels, tokens, context)
        walk.norm("norm3", channels, tokens)
        walk.linear("ff.net.0.proj", channels, 8 * channels, tokens, kept_for_weights=size)
        walk.activation("geglu", 4 * channels, tokens, kept=12 * size)  # both halves, and gelu of one
        walk.linear("ff.net.2", 4 * channels, channels, tokens, kept_for_weights=4 * size)
        walk.close_block()
    walk.linear("proj_out", channels, channels, tokens, kept_for_weights=size)


def _attention(walk: Walk, channels: int, tokens: int, context: int | None) -> None:
    """Self-attention, or attention to ``context`` numbers per word of the prompt."""
    keys = tokens if context is None else TEXT_LENGTH
    more = {"leaf": context is not None}
    walk.linear("to_q", channels, channels, tokens, bias=False, kept_for_weights=channels * tokens)
    walk.linear("to_k", context or channels, channels, keys, bias=False, **more)
    walk.linear("to_v", context or channels, channels, keys, bias=False, **more)
    walk.attention(channels, tokens, keys)
    walk.linear("to_out.0", channels, channels, tokens)


def unet_layers(config: Mapping[str, Any], side: int) -> list[Layer]:
    """The layers of a ``UNet2DConditionModel`` for latents of ``side`` × ``side``."""
    walk = Walk()
    channels = list(config["block_out_channels"])
    levels = len(channels)
    depths = _each(config.get("layers_per_block", 2), levels)
    transformers = _each(config.get("transformer_layers_per_block", 1), levels)
    context = int(config.get("cross_attention_dim") or 0)
    down, up = config["down_block_types"], config["up_block_types"]
    time = 4 * channels[0]
    walk.linear("time_embedding.linear_1", channels[0], time, 1, leaf=True)
    walk.linear("time_embedding.linear_2", time, time, 1, kept=2 * time)
    walk.conv("conv_in", int(config.get("in_channels", 4)), channels[0], side, leaf=True)
    inputs, skips = channels[0], [channels[0]]
    for level in range(levels):
        for _ in range(depths[level]):
            _resnet(walk, inputs, channels[level], side, time)
            inputs = channels[level]
            if "CrossAttn" in down[level]:
                _transformer(walk, inputs, side, context, transformers[level])
            skips.append(inputs)
        if level < levels - 1:
            side = -(-side // 2)
            walk.conv("conv", inputs, inputs, side, kept_for_weights=inputs * (2 * side) ** 2)
            skips.append(inputs)
    _resnet(walk, inputs, inputs, side, time)
    if config.get("mid_block_type", "UNetMidBlock2DCrossAttn") == "UNetMidBlock2DCrossAttn":
        _transformer(walk, inputs, side, context, transformers[-1])
    _resnet(walk, inputs, inputs, side, time)
    for level in reversed(range(levels)):
        for _ in range(depths[level] + 1):
            _resnet(walk, inputs + skips.pop(), channels[level], side, time)
            inputs = channels[level]
            if "CrossAttn" in up[levels - 1 - level]:
                _transformer(walk, inputs, side, context, transformers[level])
        if level > 0:
            side *= 2
            walk.conv("conv", inputs, inputs, side)
    _head(walk, inputs, int(config.get("out_channels", 4)), side)
    return walk.layers


def _head(walk: Walk, inputs: int, outputs: int, side: int) -> None:
    walk.norm("conv_norm_out", inputs, side**2)
    walk.activation("silu", inputs, side**2)
    walk.conv("conv_out", inputs, outputs, side)


def _vae_middle(walk: Walk, channels: int, side: int, attends: bool) -> None:
    _resnet(walk, channels, channels, side, None)
    if attends:
        walk.norm("group_norm", channels, side**2)
        for name in ("to_q", "to_k", "to_v"):
            walk.linear(name, channels, channels, side**2)
        walk.attention(channels, side**2, side**2)
        walk.linear("to_out.0", channels, channels, side**2)
    _resnet(walk, channels, channels, side, None)


def encoder_layers(config: Mapping[str, Any], side: int) -> list[Layer]:
    """The encoding half of an ``AutoencoderKL`` for pictures of ``side`` × ``side`` pixels."""
    walk = Walk()
    channels, latents = list(config["block_out_channels"]), int(config.get("latent_channels", 4))
    walk.conv("conv_in", int(config.get("in_channels", 3)), channels[0], side, leaf=True)
    inputs = channels[0]
    for level, outputs in enumerate(channels):
        for _ in range(int(config.get("layers_per_block", 1))):
            _resnet(walk, inputs, outputs, side, None)
            inputs = outputs
        if level < len(channels) - 1:
            side //= 2
            walk.conv("conv", inputs, inputs, side)
    _vae_middle(walk, inputs, side, bool(config.get("mid_block_add_attention", True)))
    _head(walk, inputs, 2 * latents, side)
    if config.get("use_quant_conv", True):
        walk.conv("quant_conv", 2 * latents, 2 * latents, side, kernel=1)
    return walk.layers


def decoder_layers(config: Mapping[str, Any], side: int) -> list[Layer]:
    """The decoding half, for latents of ``side`` × ``side``."""
    walk = Walk()
    channels, latents = list(reversed(config["block_out_channels"])), int(config.get("latent_channels", 4))
    if config.get("use_post_quant_conv", True):
        walk.conv("post_quant_conv", latents, latents, side, kernel=1, leaf=True)
    walk.conv("conv_in", latents, channels[0], side)
    inputs = channels[0]
    _vae_middle(walk, inputs, side, bool(config.get("mid_block_add_attention", True)))
    for level, outputs in enumerate(channels):
        for _ in range(int(config.get("layers_per_block", 1)) + 1):
            _resnet(walk, inputs, outputs, side, None)
            inputs = outputs
        if level < len(channels) - 1:
            side *= 2
            walk.conv("conv", inputs, inputs, side)
    _head(walk, inputs, int(config.get("out_channels", 3)), side)
    return walk.layers


def text_layers(config: Mapping[str, Any], length: int = TEXT_LENGTH) -> list[Layer]:
    """The layers of a ``CLIPTextModel`` for a prompt of ``length`` tokens."""
    walk = Walk()
    width, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    tables = {
        TOKEN_TABLE: config["vocab_size"],
        "position_embedding": config.get("max_position_embeddings", TEXT_LENGTH),
    }
    for name, rows in tables.items():
        walk.add(name, "pointwise", int(rows), width, length, parameters=int(rows) * width, leaf=True)
    for _ in range(int(config["num_hidden_layers"])):
        walk.open_block()
        walk.norm("layer_norm1", width, length)
        walk.linear("q_proj", width, width, length, kept_for_weights=width * length)
        walk.linear("k_proj", width, width, length)
        walk.linear("v_proj", width, width, length)
        walk.attention(width, length, length)
        walk.linear("out_proj", width, width, length)
        walk.norm("layer_norm2", width, length)
        walk.linear("fc1", width, inner, length, kept_for_weights=width * length)
        walk.activation("act", inner, length, kept=2 * inner * length)
        walk.linear("fc2", inner, width, length, kept_for_weights=inner * length)
        walk.close_block()
    walk.norm("final_layer_norm", width, length)
    return walk.layers


def total(layers: Sequence[Layer], what: Literal["parameters", "flops"]) -> int:
    """Sum over the layers."""
    return sum(getattr(layer, what) for layer in layers)
