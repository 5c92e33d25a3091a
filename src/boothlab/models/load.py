"""From what a plan calls a base model to its parts in memory; safetensors only, no downloads."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch

from boothlab.assets import asset
from boothlab.errors import NoMemory, NoWeights, PlanError
from boothlab.files import folder_listing, sha256_file, sha256_json
from boothlab.models.config import Base
from boothlab.models.families.sd import StableDiffusion, schedule_from
from boothlab.models.model import Model, freeze

PICKLES = frozenset({".ckpt", ".bin", ".pt", ".pth", ".pkl", ".pickle"})

PARTS = ("tokenizer", "text_encoder", "vae", "unet", "scheduler")


def toon_folder() -> Path:
    """Where the built-in model lives. Raises NoWeights when this installation has none."""
    folder = asset("toon", "sd")
    if not (folder / "model_index.json").is_file():
        raise NoWeights(
            "The built-in model toon is not part of this installation.",
            "Name another base model: --set base.model=FOLDER",
        )
    return folder


def choose_device(wanted: str) -> torch.device:
    """The device a plan asks for. Raises NoWeights' sibling PlanError when it is not there."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device("cuda" if available["cuda"] else "mps" if available["mps"] else "cpu")
    if not available[wanted]:
        raise PlanError(f"base.device is {wanted!r}, but this machine has none.", "Use auto or cpu.")
    return torch.device(wanted)


def locate(base: Base) -> Path:
    """The folder or file that holds the base model. Raises PlanError or NoWeights with the remedy."""
    if base.model == "toon":
        return toon_folder()
    path = Path(base.model).expanduser()
    if path.suffix.lower() in PICKLES:
        raise PlanError(
            f"base.model is {base.model}: a pickle can run any code when it is opened, so only safetensors is read.",
            "Use the .safetensors edition of the model, or convert it on a machine you can afford to lose.",
        )
    if path.is_dir():
        _require_parts(path)
        return path
    if path.is_file():
        if path.suffix.lower() != ".safetensors":
            raise PlanError(f"base.model is {base.model}: a file must be .safetensors.")
        return path
    if base.model.count("/") == 1 and not base.model.startswith((".", "/", "~")):
        return _locate_in_hub_cache(base)
    raise PlanError(
        f"base.model is {base.model!r}: there is no such folder or file.",
        "Give toon, a folder in diffusers format, a .safetensors file, or a hub id like owner/name.",
    )


def _require_parts(folder: Path) -> None:
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if missing:
        raise PlanError(
            f"base.model is {folder}: not a Stable Diffusion model in diffusers format; "
            f"it lacks {', '.join(missing)}/.",
        )
    for part in ("text_encoder", "vae", "unet"):
        if not list((folder / part).glob("*.safetensors")):
            pickles = [p.name for p in sorted((folder / part).iterdir()) if p.suffix in PICKLES]
            found = f"only a pickle ({pickles[0]})" if pickles else "no weights"
            raise PlanError(
                f"{folder / part} holds {found}; only .safetensors is read, because a pickle can run any code.",
                "Get the safetensors edition of the model.",
            )


def _locate_in_hub_cache(base: Base) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    patterns = ["*.json", "*.txt"] + [f"{part}/*" for part in PARTS]
    try:
        path = Path(
            snapshot_download(base.model, revision=base.revision, local_files_only=True, allow_patterns=patterns)
        )
    except (LocalEntryNotFoundError, OSError, ValueError) as error:
        raise NoWeights(
            f"The base model {base.model} is not on this machine, and boothlab downloads nothing by itself.",
            f"Fetch it once with `hf download {base.model}`, or name a folder.",
        ) from error
    _require_parts(path)
    return path


def load(base: Base) -> Model:
    """The base model, frozen, in float32, on its device. Raises PlanError, NoWeights, NoMemory."""
    path = locate(base)
    device = choose_device(base.device)
    _hush()
    try:
        model = _load_file(path, base) if path.is_file() else _load_folder(path, base)
        model.device = device
        for module in model.parts().values():
            module.to(device)
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise NoMemory(f"The base model {base.model} does not fit into memory.") from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
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
    scheduler = json.loads((path / "scheduler" / "scheduler_config.json").read_text())
    unet = UNet2DConditionModel.from_pretrained(path, subfolder="unet", torch_dtype=torch.float32, **options)
    vae = AutoencoderKL.from_pretrained(path, subfolder="vae", torch_dtype=torch.float32, **options)
    text_encoder = CLIPTextModel.from_pretrained(path, subfolder="text_encoder", dtype=torch.float32, **options)
    tokenizer = CLIPTokenizer.from_pretrained(path, subfolder="tokenizer", local_files_only=True)
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
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_single_file(
        str(path), torch_dtype=torch.float32, local_files_only=True, safety_checker=None
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


@cache
def _fingerprint(path: Path, stamp: tuple[tuple[str, int, int], ...]) -> str:
    return sha256_file(path) if path.is_file() else sha256_json(folder_listing(path))


def fingerprint(base: Base) -> str:
    """Hash of every file of the base model: what two runs must share to have started from the same weights."""
    path = locate(base)
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    stamp = tuple((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files)
    return _fingerprint(path, stamp)


def base_size(base: Base) -> int:
    """Side of the model's pictures in pixels, read from its configs without loading weights."""
    path = locate(base)
    if path.is_file():
        return 512
    unet = json.loads((path / "unet" / "config.json").read_text())
    vae = json.loads((path / "vae" / "config.json").read_text())
    factor: int = 2 ** (len(vae["block_out_channels"]) - 1)
    return int(unet["sample_size"]) * factor
