"""A tiny Stable Diffusion in one file, in the naming of its authors, which is another than diffusers'."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}

ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}

ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def write_single_file(folder: Path, file: Path) -> Path:
    """The model of ``folder`` (four levels, one resnet or more in each) as one file."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in weights(folder / "unet").items():
        tensors[f"model.diffusion_model.{unet_name(name, layers(folder))}"] = tensor
    for name, tensor in weights(folder / "vae").items():
        flat = tensor.ndim == 2 and "attentions" in name
        tensors[f"first_stage_model.{vae_name(name)}"] = tensor[..., None, None].contiguous() if flat else tensor
    for name, tensor in weights(folder / "text_encoder").items():
        tensors[f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}"] = tensor
    save_file(tensors, file)
    return file


def weights(folder: Path) -> dict[str, Tensor]:
    (file,) = folder.glob("*.safetensors")
    return dict(load_file(file))


def layers(folder: Path) -> int:
    """Resnets of a level on the way down."""
    return len({name.split(".")[3] for name in weights(folder / "unet") if name.startswith("down_blocks.0.resnets")})


def unet_name(name: str, resnets: int) -> str:
    for ours, theirs in ENDS.items():
        if name.startswith(f"{ours}."):
            return name.replace(ours, theirs, 1)
    parts = name.split(".")
    if parts[0] == "mid_block":
        place = "middle_block.1" if parts[1] == "attentions" else f"middle_block.{2 * int(parts[2])}"
        rest = parts[3:]
    else:
        level, kind, index = int(parts[1]), parts[2], int(parts[3])
        down = parts[0] == "down_blocks"
        step = (resnets + 1) * level + index + 1 if down else (resnets + 1) * level + index
        block = "input_blocks" if down else "output_blocks"
        rest = parts[4:]
        if kind == "downsamplers":
            return f"input_blocks.{(resnets + 1) * (level + 1)}.0.op.{'.'.join(parts[5:])}"
        if kind == "upsamplers":
            has_attention = level > 0
            return f"output_blocks.{(resnets + 1) * level + resnets}.{1 + has_attention}.{'.'.join(rest)}"
        place = f"{block}.{step}.{0 if kind == 'resnets' else 1}"
        if kind == "resnets":
            rest = renamed(rest)
        return f"{place}.{'.'.join(rest)}"
    return f"{place}.{'.'.join(renamed(rest) if 'resnets' in name else rest)}"


def renamed(rest: list[str]) -> list[str]:
    return [RESNET[rest[0]], *rest[1:]]


def vae_name(name: str) -> str:
    parts = name.split(".")
    if "attentions" in parts:
        side, rest = parts[0], ".".join(parts[4:])
        for ours, theirs in ATTENTION.items():
            rest = rest.replace(f"{ours}.", f"{theirs}.", 1) if rest.startswith(f"{ours}.") else rest
        return f"{side}.mid.attn_1.{rest}"
    text = name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
    parts = text.split(".")
    if len(parts) > 1 and parts[1] == "mid_block":
        return f"{parts[0]}.mid.block_{int(parts[3]) + 1}.{'.'.join(parts[4:])}"
    if len(parts) > 1 and parts[1] in ("down_blocks", "up_blocks"):
        way = "down" if parts[1] == "down_blocks" else "up"
        level = int(parts[2]) if way == "down" else 3 - int(parts[2])
        if parts[3] == "resnets":
            return f"{parts[0]}.{way}.{level}.block.{'.'.join(parts[4:])}"
        return f"{parts[0]}.{way}.{level}.{'downsample' if way == 'down' else 'upsample'}.{'.'.join(parts[5:])}"
    return text
