"""Stage `autoencoder`: AutoencoderKL (factor 8, 4 latent channels) trained on crops, then latents of all drawings.

Separate because the diffusion model sees pictures only through it.
Shapes: pictures (B, 3, H, W) in -1..1; latents (B, 4, H/8, W/8).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from pretraining import atomic, devices
from pretraining.dataset import Pictures
from pretraining.identities import SEED
from pretraining.loop import Losses, Schedule, Training, ema_weights
from pretraining.randomness import batch_indices, stream, torch_stream
from pretraining.sizes import Size

KL_WEIGHT = 1e-5
EDGE_WEIGHT = 1.0
ANCHOR_SCALE = 2.0
"""Three latent channels are first led to the picture's own colours at 1/8 size (and held there loosely):
colours are learned in hundreds of steps instead of thousands, and latents stay smooth for the UNet."""
GROUPS = 2
"""Few, wide normalisation groups: with two channels per group a plain colour loses its shade in every norm."""


def build(size: Size) -> AutoencoderKL:
    """A fresh autoencoder; one ResNet layer per block keeps decoding cheap on a CPU.

    The posterior starts narrow (standard deviation 0.08): from 1.0, learning spends its first thousands of
    steps on shouting over its own noise.
    """
    torch.manual_seed(SEED)
    model = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=size.ae_channels,
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=GROUPS,
        sample_size=size.picture,
    )
    with torch.no_grad():
        model.quant_conv.bias[4:] = -5.0
    return model


def to_model(pixels: np.ndarray, device: torch.device = devices.CPU) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in -1..1 on ``device``."""
    return devices.moved(pixels, device).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def to_pixels(pictures: Tensor) -> np.ndarray:
    """(B, 3, H, W) in -1..1 (clipped) -> (B, H, W, 3) uint8."""
    scaled = pictures.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def crops(
    pictures: Pictures, size: Size, step: int, purpose: str = "autoencoder", device: torch.device = devices.CPU
) -> Tensor:
    """One batch of random crops, (B, 3, crop, crop)."""
    whole = pictures.at(batch_indices(len(pictures), size.ae_batch, SEED, purpose, step))
    rng = stream(SEED, f"{purpose}/crop", step)
    room = pictures.size - size.ae_crop
    corners = rng.integers(0, room + 1, (len(whole), 2))
    cut = [
        picture[y : y + size.ae_crop, x : x + size.ae_crop] for picture, (y, x) in zip(whole, corners, strict=True)
    ]
    return to_model(np.stack(cut), device).contiguous(memory_format=torch.channels_last)


def edge_loss(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and vertical differences: keeps ink lines and eyes crisp."""
    error = output - target
    return error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()


def training(size: Size, work: Path, pictures: Pictures, device: torch.device = devices.CPU) -> Training:
    """The stage's training: L1 + squared error + edges + a little KL."""
    model = build(size).to(device, memory_format=torch.channels_last)

    def loss_at(step: int) -> Losses:
        batch = crops(pictures, size, step, device=device)
        posterior = model.encode(batch).latent_dist
        output = model.decode(posterior.sample(torch_stream(SEED, "autoencoder/noise", step, device))).sample
        squared = F.mse_loss(output, batch)
        kl = posterior.kl().mean() / batch[0].numel()
        small = F.avg_pool2d(batch, 8)
        anchor = F.mse_loss(posterior.mean[:, :3], ANCHOR_SCALE * small)
        shade = F.mse_loss(F.avg_pool2d(output, 8), small)
        loss = (
            F.l1_loss(output, batch)
            + squared
            + EDGE_WEIGHT * edge_loss(output, batch)
            + KL_WEIGHT * kl
            + 2 * shade
            + max(0.02, 1 - step / 1000) * anchor
        )
        return {
            "loss": loss,
            "mse": squared,
            "kl": kl,
            "anchor": anchor,
            "shade": shade,
            "psnr": 10 * torch.log10(4 / squared),
        }

    def sample(step: int) -> None:
        sheet(model, pictures, work / "sheets" / f"autoencoder-{step:06d}.png")

    return Training(
        work / "autoencoder",
        {"vae": model},
        loss_at,
        Schedule(size.ae_steps, 3e-3, warmup=100, decay=0.75, weight_decay=0.0),
        size.ae_batch,
        ema_decay=0.995,
        sample=sample,
        sample_every=1000,
        device=device,
    )


def decoder_training(size: Size, work: Path, pictures: Pictures, device: torch.device = devices.CPU) -> Training:
    """Stage `decoder`: better pictures from the same latents, so that a trained UNet stays valid.

    Encoder and ``quant_conv`` are held still; crops are encoded to the posterior's mean.
    """
    model = build(size).to(device, memory_format=torch.channels_last)
    model.load_state_dict(ema_weights(work / "autoencoder", "vae"))
    model.encoder.requires_grad_(False)
    model.quant_conv.requires_grad_(False)

    def loss_at(step: int) -> Losses:
        batch = crops(pictures, size, step, "decoder", device)
        with torch.no_grad():
            latents = model.encode(batch).latent_dist.mode()
        output = model.decode(latents).sample
        squared = F.mse_loss(output, batch)
        loss = F.l1_loss(output, batch) + squared + EDGE_WEIGHT * edge_loss(output, batch)
        return {"loss": loss, "mse": squared, "psnr": 10 * torch.log10(4 / squared)}

    return Training(
        work / "decoder",
        {"vae": model},
        loss_at,
        Schedule(size.decoder_steps, 1.5e-3, warmup=100, decay=0.9, weight_decay=0.0),
        size.ae_batch,
        ema_decay=0.995,
        device=device,
    )


@torch.no_grad()
def sheet(model: AutoencoderKL, pictures: Pictures, path: Path, count: int = 8) -> None:
    """Originals above, reconstructions below."""
    originals = pictures.at(np.arange(count))
    output = to_pixels(model.decode(model.encode(to_model(originals, model.device)).latent_dist.mode()).sample)
    rows = np.concatenate([np.concatenate(list(originals), 1), np.concatenate(list(output), 1)], 0)
    atomic.write(path, lambda target: Image.fromarray(rows).save(target))


def load(size: Size, work: Path) -> AutoencoderKL:
    """The trained autoencoder (EMA), its decoder refined if that stage ran, with its measured scaling factor."""
    model = build(size)
    refined = (work / "decoder" / "checkpoint.pt").exists()
    model.load_state_dict(ema_weights(work / ("decoder" if refined else "autoencoder"), "vae"))
    scale = work / "latents" / "scaling.txt"
    if scale.exists():
        model.register_to_config(scaling_factor=float(scale.read_text("utf-8")))
    return model.eval()


@torch.no_grad()
def cache_latents(
    size: Size,
    work: Path,
    pictures: Pictures,
    worker: tuple[int, int] = (0, 1),
    device: torch.device = devices.CPU,
) -> None:
    """Posterior mean and standard deviation of every drawing, a float16 file per shard: (N, 8, h, w).

    The first shard also fixes ``scaling.txt``: 1 / standard deviation of its sampled latents.
    ``worker`` = (number, count) splits the shards among processes. Small batches in the plain memory layout stay
    in a processor's cache: 66 pictures/s on one core, 35 in batches of 64, channels last.
    """
    model, batch = load(size, work).to(device), 16 if device.type == "cpu" else 512
    folder = work / "latents"
    for shard in range(len(pictures) // pictures.length):
        path = folder / f"shard-{shard:04d}.npy"
        if path.exists() or shard % worker[1] != worker[0]:
            continue
        parts = []
        for start in range(shard * pictures.length, (shard + 1) * pictures.length, batch):
            stop = min(start + batch, (shard + 1) * pictures.length)
            images = to_model(pictures.at(np.arange(start, stop)), device).contiguous()
            posterior = model.encode(images).latent_dist
            parts.append(torch.cat([posterior.mean, posterior.std], 1).half().cpu().numpy())
        packed = np.concatenate(parts)
        if shard == 0:
            variance = packed[:, :4].astype(np.float64).var() + (packed[:, 4:].astype(np.float64) ** 2).mean()
            atomic.write_text(folder / "scaling.txt", f"{1 / variance**0.5:.6f}\n")
        atomic.write(path, lambda target, array=packed: np.save(target, array))
