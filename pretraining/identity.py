"""Stage `identity`: the identity encoder, told apart by identities in many contexts and by their twins.

Separate from the shipped network (`boothlab.features.toon_identity`), which knows no drawing's truth.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from boothlab.features.toon_identity import IdentityEncoder, crop, to_input
from pretraining import atomic, draw, identities, scenes
from pretraining.identities import SEED, Identity
from pretraining.loop import Losses, Schedule, Training, ema_weights
from pretraining.randomness import stream
from pretraining.sizes import Size

VIEWS = 4
"""Pictures of one identity in a batch."""
PAIRS = 16
"""Pairs of twins in a batch: 2 * PAIRS identities."""
BATCH = 2 * PAIRS * VIEWS
TEMPERATURE = 0.1


def view(identity: Identity, take: int, purpose: str, size: int, background_of: int | None = None) -> np.ndarray:
    """The head crop of one drawing, (80, 80, 3) uint8, with the box moved a little as a detector would.

    ``background_of``: number of a stream whose background replaces the scene's own (for the blindness test).
    """
    rng = stream(SEED, f"{purpose}/{identity.stream}/{identity.number}", take)
    scene = scenes.of(identity, rng)
    if background_of is not None:
        pattern, colors, _ = scenes.background(stream(SEED, f"{purpose}/shared-background", background_of))
        scene = scenes.Scene(**{**vars(scene), "pattern": pattern, "colors": colors})
    drawing = draw.draw(identity, scene, size, rng)
    x0, y0, x1, y1 = drawing.heads[0].box
    shift = rng.uniform(-0.06, 0.06, 4) * (x1 - x0)
    return crop(drawing.pixels, (x0 + shift[0], y0 + shift[1], x1 + shift[2], y1 + shift[3]))


def prepare(size: Size, work: Path) -> None:
    """Draw the stage's crops once: (people, 2 twins, VIEWS + 2, 80, 80, 3) uint8 in blocks of 100 people."""
    folder = work / "identity-crops"
    for block in range(size.identity_people // size.identity_block):
        path = folder / f"block-{block:03d}.npy"
        if path.exists():
            continue
        first = block * size.identity_block
        rows = []
        for number in range(first, first + size.identity_block):
            person = identities.of("identity-train", number)
            both = (person, identities.twin(person, 0))
            rows.append(
                [[view(one, take, "identity/train", size.picture) for take in range(VIEWS + 2)] for one in both]
            )
        packed = np.array(rows, np.uint8)
        atomic.write(path, lambda target, array=packed: np.save(target, array))


def training(size: Size, work: Path) -> Training:
    """Supervised contrastive loss (Khosla et al. 2020) over twins' pairs: the only clue is what words cannot say."""
    crops = np.concatenate([np.load(path) for path in sorted((work / "identity-crops").glob("block-*.npy"))])
    torch.manual_seed(SEED + 4)
    encoder = IdentityEncoder(size.identity_width).to(memory_format=torch.channels_last)

    def loss_at(step: int) -> Losses:
        encoder.train()
        rng = stream(SEED, "identity/batch", step)
        people = rng.choice(len(crops), min(PAIRS, len(crops)), replace=False)
        takes = rng.permuted(np.tile(np.arange(VIEWS + 2), (2 * len(people), 1)), axis=1)[:, :VIEWS]
        both = crops[people].reshape(2 * len(people), VIEWS + 2, *crops.shape[3:])
        picked = both[np.arange(len(both))[:, None], takes].reshape(-1, *crops.shape[3:])
        inputs = to_input(_recolored(picked, rng)).contiguous(memory_format=torch.channels_last)
        names = torch.arange(len(both)).repeat_interleave(VIEWS)
        loss, hit = contrast(encoder(inputs), names)
        return {"loss": loss, "hit": hit}

    return Training(work / "identity", {"identity": encoder}, loss_at,
                    Schedule(size.identity_steps, 3e-3, warmup=50, decay=0.8), BATCH,
                    ema_decay=0.99, log_every=25)  # fmt: skip


def _recolored(crops: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other cameras: gain 0.93 to 1.07 per crop."""
    gain = rng.uniform(0.93, 1.07, (len(crops), 1, 1, 1)).astype(np.float32)
    return np.clip(crops * gain, 0, 255).astype(np.uint8)


def contrast(embedded: Tensor, names: Tensor) -> tuple[Tensor, Tensor]:
    """Supervised contrastive loss and the share of crops whose nearest other crop is the same identity."""
    similarity = embedded @ embedded.T / TEMPERATURE
    itself = torch.eye(len(names), dtype=torch.bool)
    same = (names[:, None] == names[None, :]) & ~itself
    log_share = similarity.masked_fill(itself, float("-inf")).log_softmax(1)
    loss = -(log_share.masked_fill(~same, 0).sum(1) / same.sum(1)).mean()
    nearest = similarity.masked_fill(itself, float("-inf")).argmax(1)
    return loss, (names[nearest] == names).float().mean()


def load(size: Size, work: Path) -> IdentityEncoder:
    """The trained encoder (EMA)."""
    encoder = IdentityEncoder(size.identity_width)
    encoder.load_state_dict(ema_weights(work / "identity", "identity"))
    return encoder.eval()
