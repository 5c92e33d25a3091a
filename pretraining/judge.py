"""Stage `judge`: an attribute classifier of real drawings, which marks the generator's pictures in the gates.

Separate because a judge must share no weights with what it judges. It is trained by the recipe and is no part of
the package; the weights that measured the card's figures lie beside this file, so that anyone can measure again.
Shapes: pictures (B, 3, H, W) in -1..1; logits (B, labels.total()); features (B, F).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from boothlab.features.toon_identity import Residual, to_input
from pretraining import autoencoder, devices, labels, package
from pretraining.dataset import Pictures
from pretraining.identities import SEED
from pretraining.loop import Losses, Schedule, Training, ema_weights
from pretraining.randomness import batch_indices, torch_stream
from pretraining.sizes import Size

KEPT = Path(__file__).with_name("judge.safetensors")
BLUR = (0.3, 1.2)
"""Range of the blur's standard deviation in pixels."""
REACH = 4
"""Pixels to each side that the blur looks at."""


class Judge(nn.Module):
    """A residual network over the whole picture. Each attribute looks where it likes: its own map of places weighs
    votes of the last map, on top of one linear layer over average and maximum.

    Pooling alone mixes the hair's colour with the shirt's and the wall's.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(5, width, 5, 2, 2)
        self.blocks = nn.Sequential(
            Residual(width, 2 * width, 2),
            Residual(2 * width, 4 * width, 2),
            Residual(4 * width, 6 * width, 2),
            Residual(6 * width, 6 * width, 1),
        )
        self.out = nn.Linear(12 * width, labels.total())
        self.votes = nn.Conv2d(6 * width, labels.total(), 1)
        self.places = nn.Conv2d(6 * width, len(labels.VALUES), 1)
        sizes = torch.tensor([len(values) for values in labels.VALUES.values()])
        self.register_buffer("owner", torch.arange(len(sizes)).repeat_interleave(sizes), persistent=False)

    def maps(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 6 width, H / 16, W / 16); the stem also sees where in the picture it is."""
        batch, _, height, width = pictures.shape
        y = torch.linspace(-1, 1, height, device=pictures.device)[:, None].expand(height, width)
        x = torch.linspace(-1, 1, width, device=pictures.device)[None, :].expand(height, width)
        place = torch.stack([y, x]).expand(batch, 2, height, width)
        found: Tensor = self.blocks(torch.relu(self.stem(torch.cat([pictures, place], 1))))
        return found

    def features(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 12 width)."""
        return pooled(self.maps(pictures))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, labels.total())."""
        maps = self.maps(pictures)
        weights = self.places(maps).flatten(2).softmax(2)[:, self.owner]
        logits: Tensor = self.out(pooled(maps)) + (self.votes(maps).flatten(2) * weights).sum(2)
        return logits


def pooled(maps: Tensor) -> Tensor:
    """Average and maximum over places. Shapes: (B, C, h, w) -> (B, 2 C)."""
    return torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)


def softened(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the pictures a little blurred (a Gaussian): the judge must not live on pixel-sharp edges.

    Shapes: (B, 3, H, W) -> (B, 3, H, W).
    """
    count, device = len(pictures), pictures.device
    sigma = torch.empty(count, device=device).uniform_(*BLUR, generator=generator)
    places = torch.arange(-REACH, REACH + 1, device=device)
    kernels = torch.softmax(-places.square() / (2 * sigma.square()[:, None]), 1)
    padded = nn.functional.pad(pictures, (REACH,) * 4, mode="replicate").transpose(0, 1)
    rows = nn.functional.conv2d(padded, kernels[:, None, :, None], groups=count)
    blurred = nn.functional.conv2d(rows, kernels[:, None, None, :], groups=count).transpose(0, 1)
    chosen = torch.rand(count, device=device, generator=generator) < 0.5
    return torch.where(chosen[:, None, None, None], blurred, pictures)


def training(size: Size, work: Path, pictures: Pictures, device: torch.device = devices.CPU) -> Training:
    """Cross entropy over all attributes that a drawing has."""
    torch.manual_seed(SEED + 6)
    model = Judge(size.judge_width).to(device, memory_format=torch.channels_last)
    truth = {name: value.to(device) for name, value in labels.labels(pictures.records).items()}

    def loss_at(step: int) -> Losses:
        model.train()
        picked = batch_indices(len(pictures), size.judge_batch, SEED, "judge", step)
        index = devices.moved(picked, device)
        seen = autoencoder.to_model(pictures.at(picked), device)
        shown = softened(seen, torch_stream(SEED, "judge/blur", step, device))
        asked = {name: value[index] for name, value in truth.items()}
        return {"loss": labels.cross_entropy(model(shown), asked)}

    return Training(work / "judge", {"judge": model}, loss_at,
                    Schedule(size.judge_steps, 3e-3, warmup=50, decay=0.8), size.judge_batch,
                    ema_decay=0.99, log_every=25, device=device)  # fmt: skip


def load(size: Size, work: Path) -> Judge:
    """The judge trained in ``work`` (EMA), or where none was, the one that lies beside this file.

    Raises: FileNotFoundError where there is neither (only size `small` has one beside this file).
    """
    model = Judge(size.judge_width)
    if (work / "judge" / "checkpoint.pt").exists():
        model.load_state_dict(ema_weights(work / "judge", "judge"))
    elif size.name == "small":
        model.load_state_dict(load_file(KEPT))
    else:
        raise FileNotFoundError(f"no judge in {work}; run the stage 'judge' first")
    return model.eval()


def keep(size: Size, work: Path, path: Path) -> None:
    """Write the judge trained in ``work`` as float16 safetensors."""
    package.save_half(load(size, work).state_dict(), path)


@torch.no_grad()
def verdicts(model: Judge, pictures: np.ndarray, batch: int = 64) -> dict[str, np.ndarray]:
    """attribute -> (N,) predicted numbers. Shapes: pictures (N, H, W, 3) uint8.

    Each picture is read beside its mirror image and the logits are added: half of the drawings are mirrored, so that
    nothing that is asked depends on it.
    """
    logits = []
    for start in range(0, len(pictures), batch):
        shown = to_input(pictures[start : start + batch])
        logits.append(model(shown) + model(shown.flip(3)))
    return {name: value.numpy() for name, value in labels.predictions(torch.cat(logits)).items()}


@torch.no_grad()
def features(model: Judge, pictures: np.ndarray, batch: int = 64) -> np.ndarray:
    """(N, H, W, 3) uint8 -> (N, F) float32."""
    parts = [model.features(to_input(pictures[i : i + batch])) for i in range(0, len(pictures), batch)]
    return torch.cat(parts).numpy()
