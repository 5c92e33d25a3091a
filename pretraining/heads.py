"""Stage `heads`: the head detector, trained on the drawings' true boxes, points and yaws.

Separate from the shipped network (`boothlab.features.toon_heads`), which knows no drawing's truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from boothlab.features.toon_heads import CHANNELS, SIDE, STRIDE, UNIT, YAW_UNIT, HeadDetector
from boothlab.features.toon_identity import to_input
from pretraining.dataset import Pictures
from pretraining.draw import Head
from pretraining.identities import SEED
from pretraining.loop import Losses, Schedule, Training, ema_weights
from pretraining.randomness import batch_indices, stream
from pretraining.sizes import Size

BATCH = 32
CELLS = SIDE // STRIDE


def targets(heads: Sequence[Head]) -> tuple[np.ndarray, np.ndarray]:
    """Heads in pixels of the 128 px input -> values (16, 16, 16) and weights (16, 16).

    Cells within a fifth of the box of its centre are positive (weight 1 in the regression); channel 0 holds 1
    there. Larger heads are written last, so they win where two meet.
    """
    values = np.zeros((CHANNELS, CELLS, CELLS), np.float32)
    weights = np.zeros((CELLS, CELLS), np.float32)
    centres = (np.arange(CELLS) + 0.5) * STRIDE
    for head in sorted(heads, key=lambda one: one.box[2] - one.box[0]):
        x0, y0, x1, y1 = head.box
        reach_x, reach_y = max(0.2 * (x1 - x0), STRIDE / 2), max(0.2 * (y1 - y0), STRIDE / 2)
        columns = np.flatnonzero(np.abs(centres - (x0 + x1) / 2) <= reach_x)
        rows = np.flatnonzero(np.abs(centres - (y0 + y1) / 2) <= reach_y)
        for row in rows:
            for column in columns:
                x, y = centres[column], centres[row]
                lengths = [x - x0, y - y0, x1 - x, y1 - y]
                lengths += [offset for px, py in head.points for offset in (px - x, py - y)]
                values[0, row, column] = 1.0
                values[1:15, row, column] = np.array(lengths) / UNIT
                values[15, row, column] = head.yaw / YAW_UNIT
                weights[row, column] = 1.0
    return values, weights


def placed(picture: np.ndarray, heads: Sequence[Head], rng: np.random.Generator) -> tuple[np.ndarray, list[Head]]:
    """The drawing in 128 px, in half of the cases smaller and somewhere in a plain frame, so sizes vary."""
    scale = 1.0 if rng.random() < 0.5 else rng.uniform(0.45, 1.0)
    side = round(SIDE * scale)
    small = np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR))
    x, y = (int(rng.integers(SIDE - side + 1)) for _ in range(2))
    frame = np.empty((SIDE, SIDE, 3), np.uint8)
    frame[:] = rng.integers(0, 256, 3)
    frame[y : y + side, x : x + side] = small
    factor = side / picture.shape[0]
    moved = []
    for head in heads:
        box = (head.box[0] * factor + x, head.box[1] * factor + y, head.box[2] * factor + x, head.box[3] * factor + y)
        points = tuple((px * factor + x, py * factor + y) for px, py in head.points)
        moved.append(Head(box, points, head.yaw))
    return frame, moved


def training(size: Size, work: Path, pictures: Pictures) -> Training:
    """Focal cross entropy for the score, L1 for everything else at positive cells."""
    torch.manual_seed(SEED + 5)
    detector = HeadDetector(size.heads_width).to(memory_format=torch.channels_last)

    def loss_at(step: int) -> Losses:
        detector.train()
        picked = batch_indices(len(pictures), BATCH, SEED, "heads", step)
        rng = stream(SEED, "heads/place", step)
        frames, values, weights = [], [], []
        for picture, index in zip(pictures.at(picked), picked, strict=True):
            frame, heads = placed(picture, pictures.records[int(index)].heads, rng)
            value, weight = targets(heads)
            frames.append(frame)
            values.append(value)
            weights.append(weight)
        inputs = to_input(np.stack(frames)).contiguous(memory_format=torch.channels_last)
        return losses(detector(inputs), torch.from_numpy(np.stack(values)), torch.from_numpy(np.stack(weights)))

    return Training(work / "heads", {"heads": detector}, loss_at,
                    Schedule(size.heads_steps, 3e-3, warmup=50, decay=0.8), BATCH,
                    ema_decay=0.99, log_every=25)  # fmt: skip


def losses(maps: Tensor, values: Tensor, weights: Tensor) -> Losses:
    """Shapes: maps, values (B, 16, h, w); weights (B, h, w)."""
    plain = F.binary_cross_entropy_with_logits(maps[:, 0], values[:, 0], reduction="none")
    probability = maps[:, 0].sigmoid()
    miss = (probability - values[:, 0]).abs().square()
    score = (plain * miss).sum() / weights.sum().clamp(min=1)
    error = ((maps[:, 1:] - values[:, 1:]).abs() * weights[:, None]).sum((0, 2, 3)) / weights.sum().clamp(min=1)
    return {"loss": score + error.mean() * 4, "score": score, "pixels": error[:14].mean() * UNIT,
            "degrees": error[14] * YAW_UNIT}  # fmt: skip


def load(size: Size, work: Path) -> HeadDetector:
    """The trained detector (EMA)."""
    detector = HeadDetector(size.heads_width)
    detector.load_state_dict(ema_weights(work / "heads", "heads"))
    return detector.eval()
