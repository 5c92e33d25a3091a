"""A Stable Diffusion v1 model of about a hundred thousand numbers (besides its token table), random but seeded.

The very classes and folder layout of the real thing: CLIP tokenizer with 49,408 words, ``CLIPTextModel``,
``AutoencoderKL`` (factor 8, 4 channels), ``UNet2DConditionModel`` with four levels; 64-pixel pictures.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from boothlab.assets import asset

SIZE = 64


def write_configs(folder: Path, prediction: str, scheduler: str = "PNDMScheduler") -> None:
    """The scheduler of Stable Diffusion v1 and the pipeline's index, beside the parts in ``folder``."""
    settings = {
        "_class_name": scheduler,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "num_train_timesteps": 1000,
        "prediction_type": prediction,
        "clip_sample": False,
    }
    if scheduler == "PNDMScheduler":
        settings |= {"set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1}
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(settings))
    index = {
        "_class_name": "StableDiffusionPipeline",
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", scheduler],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))


def build_tiny_sd(folder: Path, prediction: str = "epsilon", seed: int = 0) -> Path:
    """Write the model to ``folder`` in diffusers format; returns ``folder``."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=49408,
                hidden_size=16,
                intermediate_size=32,
                projection_dim=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=77,
                bos_token_id=49406,
                eos_token_id=49407,
                pad_token_id=49407,
            )
        )
        vae = AutoencoderKL(
            block_out_channels=(8, 8, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=4,
            layers_per_block=1,
            norm_num_groups=4,
            sample_size=SIZE,
        )
        unet = UNet2DConditionModel(
            sample_size=SIZE // 8,
            block_out_channels=(8, 8, 16, 16),
            layers_per_block=1,
            cross_attention_dim=16,
            attention_head_dim=2,
            norm_num_groups=4,
        )
    text.save_pretrained(folder / "text_encoder")
    vae.save_pretrained(folder / "vae")
    unet.save_pretrained(folder / "unet")
    shutil.copytree(asset("tokenizer"), folder / "tokenizer")
    write_configs(folder, prediction)
    return folder
