"""The small world in which diffusers' own script is recorded and replayed: model, pictures, cases.

Both sides must start from the same bits, so nothing here depends on a library's initialisation or on its random
streams: weights and pixels come from ``numpy.random.RandomState``, whose streams are frozen for good.
"""

from __future__ import annotations

import hashlib
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from boothlab.assets import asset
from tiny import write_configs

SIZE = 32
"""Side of the pictures in pixels; latents are 4 × 4, so the recorded noise stays small."""

STEPS = 20
LEARNING_RATE = 1e-4
INSTANCE_PROMPT = "a photo of rinn person"
CLASS_PROMPT = "a photo of a person"
CLASS_NUMBERS = 1000
"""Class images are numbered from here, photos from 0."""

TOKEN_TABLE = "embeddings.token_embedding.weight"
"""The end of the name of the one tensor that is too large to be recorded whole."""

EVERY_ROW = 512
"""Of the token table every so many-th row is recorded besides those of the prompts."""


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded run: what it is given, in the words of this project."""

    name: str
    photos: int = 5
    class_images: int = 0
    prior_weight: float = 1.0
    batch_size: int = 1
    accumulate: int = 1
    text_encoder: bool = False
    prediction: str = "epsilon"
    offset_noise: bool = False
    snr_gamma: float | None = None
    rate: str = "constant"
    warmup: int = 0


CASES = (
    Case("plain"),
    Case("prior-batch-1", photos=4, class_images=6, prior_weight=0.7),
    Case("prior-batch-2", photos=5, class_images=7, prior_weight=0.7, batch_size=2),
    Case("short-window", photos=7, accumulate=3),
    Case("text-encoder", photos=4, class_images=4, text_encoder=True),
    Case("v-prediction", prediction="v_prediction"),
    Case("offset-noise", photos=4, class_images=4, offset_noise=True),
    Case("snr-epsilon", batch_size=2, snr_gamma=5.0),
    Case("snr-velocity", batch_size=2, snr_gamma=5.0, prediction="v_prediction"),
    Case("warm-up", rate="constant_with_warmup", warmup=5),
    Case("cosine", rate="cosine", warmup=4, batch_size=2),
)


def made_picture(number: int) -> NDArray[np.uint8]:
    """(SIZE, SIZE, 3) pixels: a coloured ground with a disc, different for every number."""
    random = np.random.RandomState(number)
    ground, disc = random.randint(0, 256, (2, 3))
    x, y, radius = random.uniform(SIZE * 0.3, SIZE * 0.7, 3)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    inside = (columns - x) ** 2 + (rows - y) ** 2 < (radius / 2) ** 2
    noise = random.randint(-20, 21, (SIZE, SIZE, 3))
    return np.clip(np.where(inside[..., None], disc, ground) + noise, 0, 255).astype(np.uint8)


def pictures(folder: Path, first: int, count: int) -> list[Path]:
    """``count`` PNG pictures in ``folder``; already square and of the right size, so no trainer changes them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{k:02d}.png" for k in range(count)]
    for k, path in enumerate(paths):
        Image.fromarray(made_picture(first + k)).save(path)
    return paths


def photo_paths(case: Case, folder: Path) -> list[Path]:
    """The photos of ``case``, written below ``folder``."""
    return pictures(folder / "photos", 0, case.photos)


def class_paths(case: Case, folder: Path) -> list[Path]:
    """The class images of ``case``, written below ``folder``."""
    return pictures(folder / "class", CLASS_NUMBERS, case.class_images)


def fill_with_numbers(module: nn.Module, role: str) -> None:
    """Give every parameter numbers that depend on its name and shape alone; norms stay near one and zero."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            random = np.random.RandomState(zlib.crc32(f"{role}.{name}".encode()))
            values = random.standard_normal(tuple(parameter.shape))
            if parameter.ndim == 1:
                is_scale = "norm" in name and name.endswith("weight")
                values = 0.1 * values + (1.0 if is_scale else 0.0)
            else:
                values = values * (0.8 / np.sqrt(np.prod(parameter.shape[1:])))
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))


def build_reference_model(folder: Path, prediction: str = "epsilon") -> Path:
    """A Stable Diffusion v1 model of some thirty thousand numbers (besides its token table) in diffusers format."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    sizes = {"vocab_size": 49408, "hidden_size": 8, "intermediate_size": 16, "projection_dim": 8}
    shape = {"num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 77}
    words = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
    text = CLIPTextModel(CLIPTextConfig(**sizes, **shape, **words))
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=SIZE,
        scaling_factor=0.25,  # a power of two, so that it does not matter for rounding where it is multiplied in
    )
    unet = UNet2DConditionModel(
        sample_size=SIZE // 8,
        block_out_channels=(8, 8),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=8,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    for role, module in {"text_encoder": text, "vae": vae, "unet": unet}.items():
        fill_with_numbers(module, role)
        module.save_pretrained(folder / role)
    shutil.copytree(asset("tokenizer"), folder / "tokenizer")
    write_configs(folder, prediction, "DDPMScheduler")
    return folder


def weights_of(folder: Path, part: str) -> dict[str, Tensor]:
    """Every tensor of one part of a model folder."""
    (file,) = (folder / part).glob("*.safetensors")
    return load_file(file)


def model_digest(folder: Path) -> str:
    """Hex SHA-256 of all weights, independent of the file's layout."""
    digest = hashlib.sha256()
    for part in ("text_encoder", "unet", "vae"):
        for name, tensor in sorted(weights_of(folder, part).items()):
            digest.update(f"{part}.{name}{tuple(tensor.shape)}".encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def rounding_here(folder: Path) -> str:
    """Hex SHA-256 of what the reference model, built in ``folder``, computes on this machine from fixed numbers.

    It covers latents, text states, predictions and gradients for the batch sizes of the cases. The name of an
    instruction set does not say how sums are rounded: libraries choose their kernels by the maker of the processor,
    by the environment and by their own version too. Only diffusers, transformers and torch are asked, so nothing
    that boothlab does wrong can make two machines look different.
    """
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel

    build_reference_model(folder)
    text, vae, unet = (
        kind.from_pretrained(folder, subfolder=role)
        for kind, role in ((CLIPTextModel, "text_encoder"), (AutoencoderKL, "vae"), (UNet2DConditionModel, "unet"))
    )
    digest = hashlib.sha256()
    for batch in (1, 2, 4):
        random = np.random.RandomState(batch)
        pixels = torch.from_numpy(random.uniform(-1, 1, (batch, 3, SIZE, SIZE)).astype(np.float32))
        latents = vae.encode(pixels).latent_dist.mean.detach()
        states = text(torch.from_numpy(random.randint(0, 49408, (batch, 77))))[0]
        predicted = unet(latents, torch.from_numpy(random.randint(0, 1000, batch)), states)[0]
        predicted.square().mean().backward()
        moved = [p.grad for module in (unet, text) for p in module.parameters() if p.grad is not None]
        for tensor in (latents, states, predicted, *moved):
            digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def recorded_rows(prompt_ids: Tensor, vocabulary: int) -> Tensor:
    """Which rows of the token table are recorded: those of the prompts, and every so many-th of the others."""
    return torch.cat([prompt_ids.flatten(), torch.arange(0, vocabulary, EVERY_ROW)]).unique()
