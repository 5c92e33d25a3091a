"""Stage `judge`: an attribute classifier of real drawings, which marks the generator's pictures in the gates.

Separate because a judge must share no weights with what it judges. It is trained by the recipe and not shipped.
Shapes: pictures (B, 3, H, W) in -1..1; logits (B, labels.total()); features (B, F).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor, nn

from boothlab.features.toon_identity import Residual, to_input
from pretraining import labels
from pretraining.dataset import Pictures
from pretraining.identities import SEED
from pretraining.loop import Losses, Schedule, Training, ema_weights
from pretraining.randomness import batch_indices, stream
from pretraining.sizes import Size

BATCH = 32


class Judge(nn.Module):
    """A residual network over the whole picture; average and maximum pooling, one linear layer of all heads."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 5, 2, 2)
        self.blocks = nn.Sequential(
            Residual(width, 2 * width, 2),
            Residual(2 * width, 4 * width, 2),
            Residual(4 * width, 6 * width, 2),
            Residual(6 * width, 6 * width, 1),
        )
        self.out = nn.Linear(12 * width, labels.total())

    def features(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 12 width)."""
        maps = self.blocks(torch.relu(self.stem(pictures)))
        return torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, labels.total())."""
        logits: Tensor = self.out(self.features(pictures))
        return logits


def softened(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the pictures a little blurred: the judge must not live on pixel-sharp edges."""
    shown = pictures.copy()
    for i in np.flatnonzero(rng.random(len(pictures)) < 0.5):
        soften = ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.2)))
        shown[i] = np.asarray(Image.fromarray(pictures[i]).filter(soften))
    return shown


def training(size: Size, work: Path, pictures: Pictures) -> Training:
    """Cross entropy over all attributes that a drawing has."""
    torch.manual_seed(SEED + 6)
    model = Judge(size.heads_width).to(memory_format=torch.channels_last)

    def loss_at(step: int) -> Losses:
        model.train()
        picked = batch_indices(len(pictures), BATCH, SEED, "judge", step)
        shown = softened(pictures.at(picked), stream(SEED, "judge/blur", step))
        truth = labels.labels([pictures.records[int(i)] for i in picked])
        return {"loss": labels.cross_entropy(model(to_input(shown)), truth)}

    return Training(work / "judge", {"judge": model}, loss_at,
                    Schedule(size.judge_steps, 3e-3, warmup=50, decay=0.8), BATCH,
                    ema_decay=0.99, log_every=25)  # fmt: skip


def load(size: Size, work: Path) -> Judge:
    """The trained judge (EMA)."""
    model = Judge(size.heads_width)
    model.load_state_dict(ema_weights(work / "judge", "judge"))
    return model.eval()


@torch.no_grad()
def verdicts(model: Judge, pictures: np.ndarray, batch: int = 64) -> dict[str, np.ndarray]:
    """attribute -> (N,) predicted numbers. Shapes: pictures (N, H, W, 3) uint8."""
    logits = [model(to_input(pictures[i : i + batch])) for i in range(0, len(pictures), batch)]
    return {name: value.numpy() for name, value in labels.predictions(torch.cat(logits)).items()}


@torch.no_grad()
def features(model: Judge, pictures: np.ndarray, batch: int = 64) -> np.ndarray:
    """(N, H, W, 3) uint8 -> (N, F) float32."""
    parts = [model.features(to_input(pictures[i : i + batch])) for i in range(0, len(pictures), batch)]
    return torch.cat(parts).numpy()
