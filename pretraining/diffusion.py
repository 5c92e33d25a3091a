"""Stage `diffusion`: the text-to-image UNet in SD v1's layout, trained on cached latents with a frozen text tower.

Shapes: latents (B, 4, h, w), already scaled; text (B, 77, D).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from torch import Tensor
from transformers import CLIPModel, CLIPTextConfig, CLIPTextModel

from pretraining import atomic, autoencoder, caption_tokens, clip, devices, vocabulary
from pretraining.identities import SEED
from pretraining.loop import Losses, Schedule, Training, ema_weights
from pretraining.randomness import batch_indices, torch_stream
from pretraining.rows import Rows
from pretraining.sizes import Size

DROPOUT = 0.10
"""Share of captions replaced by the empty text, for classifier-free guidance."""
SNR_GAMMA = 5.0
GUIDANCE = 5.0
SAMPLING_STEPS = 25
"""With the sampler below, what the gates and the card's sheets are drawn with (docs/decisions/044)."""
SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "prediction_type": "epsilon",
    "steps_offset": 1,
}
SHEET_PROMPTS = (
    "a photo of a person",
    "a photo of a monster",
    "a photo of a plant",
    "a portrait of a person in sketch style",
    "a portrait of a person in flat style",
    "a portrait of a person in comic style",
    "a photo of a person on a red background",
    "a photo of a person with blue hair, on a yellow background",
    "a photo of a person with glasses and long hair",
    "a photo of a person with a red mohawk, on a navy background",
    "a photo of a green monster with horns, on a pink background",
    "a photo of a cactus plant in a red pot",
    "a portrait of a person wearing a blue shirt, with a beard",
    "a photo of a person who is bald, in flat style",
    "a portrait of a person wearing a white turban, on a green background",
    "a photo of a qzpt person smiling",
)


def build(size: Size) -> UNet2DConditionModel:
    """SD v1's blocks and names, fewer channels."""
    torch.manual_seed(SEED + 3)
    return UNet2DConditionModel(
        sample_size=size.picture // 8,
        in_channels=4,
        out_channels=4,
        layers_per_block=2,
        block_out_channels=size.unet_channels,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=size.text_width,
        attention_head_dim=size.unet_heads,
        norm_num_groups=size.norm_groups,
    )


def text_encoder(model: CLIPModel) -> CLIPTextModel:
    """The frozen text tower alone, as the pipeline stores it."""
    tower = CLIPTextModel(CLIPTextConfig(**model.config.text_config.to_dict()))
    tower.load_state_dict(model.text_model.state_dict())
    return tower.eval().requires_grad_(False)


class Latents:
    """All cached latents as one sequence; sampled from the posterior and scaled on reading."""

    def __init__(self, folder: Path, device: torch.device = devices.CPU) -> None:
        self.factor = float((folder / "scaling.txt").read_text("utf-8"))
        self._rows = Rows(folder, device)

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, picked: np.ndarray, generator: torch.Generator) -> Tensor:
        """(B,) int64 -> (B, 4, h, w) scaled posterior samples."""
        mean, std = self._rows.at(picked).float().chunk(2, 1)
        return (mean + std * torch.randn(mean.shape, generator=generator, device=mean.device)) * self.factor


def snr(alphas_cumprod: Tensor) -> Tensor:
    """Signal-to-noise ratio of every time step. Shapes: (T,) -> (T,)."""
    return alphas_cumprod / (1 - alphas_cumprod)


def rate(batch: int) -> float:
    """Peak learning rate: 2e-3 for 48 pictures, growing with the root of their number up to 3e-3."""
    return min(3e-3, 2e-3 * (batch / 48) ** 0.5)


def training(size: Size, work: Path, device: torch.device = devices.CPU) -> Training:
    """Min-SNR weighted epsilon prediction; epoch by epoch another of the cached captions."""
    unet = build(size).to(device, memory_format=torch.channels_last)
    forward = devices.forward_of(unet, device)
    latents = Latents(work / "latents", device)
    tokens = caption_tokens.Tokens(work / "captions", len(latents), device)
    tower = text_encoder(clip.load(size, work)).to(device)
    scheduler = DDPMScheduler(**SCHEDULE)
    ratio = snr(scheduler.alphas_cumprod).to(device)
    batch = size.unet_batch

    def loss_at(step: int) -> Losses:
        picked = batch_indices(len(latents), batch, SEED, "diffusion", step)
        generator = torch_stream(SEED, "diffusion/noise", step, device)
        clean = latents.at(picked, generator)
        noise = torch.randn(clean.shape, generator=generator, device=device)
        times = torch.randint(0, 1000, (batch,), generator=generator, device=device)
        dropped = torch.rand(batch, generator=generator, device=device) < DROPOUT
        ids = tokens.at(picked, step * batch // len(latents), dropped)
        noisy = scheduler.add_noise(clean, noise, times).contiguous(memory_format=torch.channels_last)
        with devices.autocast(device):
            with torch.no_grad():
                context = tower(ids)[0]
            predicted = forward(noisy, times, context, return_dict=False)[0]
        error = (predicted.float() - noise).square().mean((1, 2, 3))
        weight = ratio[times].clamp(max=SNR_GAMMA) / ratio[times]
        return {"loss": (error * weight).mean(), "mse": error.mean()}

    def sample(step: int) -> None:
        made = pipeline(size, work, unet, ema=trainer.ema).to(device)
        write_sheet(made, SHEET_PROMPTS, work / "sheets" / f"diffusion-{step:06d}.png")

    trainer = Training(
        work / "diffusion",
        {"unet": unet},
        loss_at,
        Schedule(size.unet_steps, rate(batch), warmup=200, decay=0.0, weight_decay=0.01),
        batch,
        ema_decay=0.999,
        sample=sample,
        sample_every=2000,
        device=device,
    )
    return trainer


def pipeline(
    size: Size, work: Path, unet: UNet2DConditionModel | None = None, ema: dict[str, Tensor] | None = None
) -> StableDiffusionPipeline:
    """The stock pipeline from the trained parts; the UNet's EMA from ``ema`` or the stage's checkpoint."""
    if ema is None:
        weights = ema_weights(work / "diffusion", "unet")
    else:
        weights = {key.removeprefix("unet/"): value for key, value in ema.items()}
    shown = build(size)
    shown.load_state_dict(weights if weights else unet.state_dict())  # type: ignore[union-attr]
    made = StableDiffusionPipeline(
        vae=autoencoder.load(size, work),
        text_encoder=text_encoder(clip.load(size, work)),
        tokenizer=vocabulary.tokenizer(),
        unet=shown.eval(),
        scheduler=sampler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made


def sampler() -> DPMSolverMultistepScheduler:
    """DPM-Solver++ of second order over the model's schedule, with fresh noise at every step."""
    shared = {key: value for key, value in SCHEDULE.items() if key not in ("clip_sample", "steps_offset")}
    return DPMSolverMultistepScheduler(
        **shared, algorithm_type="sde-dpmsolver++", solver_order=2, timestep_spacing="leading", steps_offset=1
    )


def sampling() -> str:
    """How the gates draw, in words."""
    return f"{sampler().config['algorithm_type']}, {SAMPLING_STEPS} steps, guidance {GUIDANCE:g}"


@torch.no_grad()
def generate(
    made: StableDiffusionPipeline,
    prompts: Sequence[str],
    seed: int,
    batch: int = 16,
) -> np.ndarray:
    """(N,) prompts -> (N, H, W, 3) uint8; picture i depends on (seed, i) only."""
    parts = []
    for start in range(0, len(prompts), batch):
        chunk = list(prompts[start : start + batch])
        generators = [torch_stream(seed, "generate", start + i) for i in range(len(chunk))]
        output = made(
            chunk, guidance_scale=GUIDANCE, num_inference_steps=SAMPLING_STEPS, generator=generators, output_type="np"
        ).images
        parts.append(np.rint(np.asarray(output) * 255).astype(np.uint8))
    return np.concatenate(parts)


def write_sheet(
    made: StableDiffusionPipeline, prompts: Sequence[str], path: Path, columns: int = 8, seed: int = SEED + 7
) -> None:
    """One picture per prompt in a grid."""
    pictures = generate(made, prompts, seed)
    rows = [np.concatenate(list(pictures[i : i + columns]), 1) for i in range(0, len(pictures), columns)]
    grid = np.concatenate([row for row in rows if row.shape == rows[0].shape], 0)
    atomic.write(path, lambda target: Image.fromarray(grid).save(target))
