"""From what a plan calls a base model to its parts in memory; safetensors only, no downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from boothlab.assets import asset
from boothlab.errors import NoMemory, NoWeights, is_gpu_out_of_memory
from boothlab.files import read_table
from boothlab.models.allocator import keep_freed_memory
from boothlab.models.config import Base
from boothlab.models.families.sd import StableDiffusion, schedule_from
from boothlab.models.locate import device_kind, locate, part_configs, variant_of
from boothlab.models.model import Model, freeze


def choose_device(wanted: str) -> torch.device:
    """The device a plan asks for. Raises PlanError when it is not there."""
    return torch.device(device_kind(wanted))


def load(base: Base, size: int | None = None) -> Model:
    """The base model, frozen, in float32, on its device, for pictures of ``size`` pixels (left out, its own size).

    Raises PlanError, NoWeights, NoMemory.
    """
    part_configs(base)
    path = locate(base)
    device = choose_device(base.device)
    _hush()
    keep_freed_memory()
    try:
        model = _load_file(path, base) if path.is_file() else _load_folder(path, base)
        model.device = device
        model.size = size or model.size
        for module in model.parts().values():
            module.to(device)
    except (MemoryError, OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        if isinstance(error, MemoryError) or is_gpu_out_of_memory(error):
            raise NoMemory(f"The base model {base.model} does not fit into memory.") from error
        raise NoWeights(f"Cannot load the base model from {path}: {error}") from error
    freeze(model)
    return model


def _hush() -> None:
    """Keep the libraries' own progress bars out of ours."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()


def _load_folder(path: Path, base: Base) -> StableDiffusion:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    options: dict[str, Any] = {"use_safetensors": True, "local_files_only": True}
    scheduler = read_table(path / "scheduler" / "scheduler_config.json")

    def part(kind: Any, name: str, **number: torch.dtype) -> Any:
        return kind.from_pretrained(path, subfolder=name, variant=variant_of(path / name), **number, **options)

    unet = part(UNet2DConditionModel, "unet", torch_dtype=torch.float32)
    vae = part(AutoencoderKL, "vae", torch_dtype=torch.float32)
    text_encoder = part(CLIPTextModel, "text_encoder", dtype=torch.float32)
    tokenizer = CLIPTokenizer.from_pretrained(path, subfolder="tokenizer", local_files_only=True)
    # A folder without tokenizer_config.json does not say how long prompts may be, and transformers then takes any.
    tokenizer.model_max_length = min(tokenizer.model_max_length, text_encoder.config.max_position_embeddings)
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    return StableDiffusion(
        name=base.model,
        size=int(unet.config.sample_size) * factor,
        schedule=schedule_from(scheduler),
        device=torch.device("cpu"),
        tokenizer=tokenizer,
        text_encoder=text_encoder,
        autoencoder=vae,
        unet=unet,
        scheduler=scheduler,
    )


def _load_file(path: Path, base: Base) -> StableDiffusion:
    """Stable Diffusion 1.x in the naming of its authors. What is in no such file, the configs, comes with boothlab:
    diffusers would look for it on the hub, and fetch it unasked."""
    from diffusers import StableDiffusionPipeline
    from transformers import CLIPTokenizer

    pipeline = StableDiffusionPipeline.from_single_file(
        str(path),
        config=str(asset("sd15")),
        tokenizer=CLIPTokenizer.from_pretrained(asset("tokenizer"), local_files_only=True),
        torch_dtype=torch.float32,
        local_files_only=True,
        safety_checker=None,
    )
    factor = 2 ** (len(pipeline.vae.config.block_out_channels) - 1)
    return StableDiffusion(
        name=base.model,
        size=int(pipeline.unet.config.sample_size) * factor,
        schedule=schedule_from(dict(pipeline.scheduler.config)),
        device=torch.device("cpu"),
        tokenizer=pipeline.tokenizer,
        text_encoder=pipeline.text_encoder,
        autoencoder=pipeline.vae,
        unet=pipeline.unet,
        scheduler=dict(pipeline.scheduler.config),
    )
