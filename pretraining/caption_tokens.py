"""Stage `captions`: a few captions of every drawing as token ids on disk, so that training only looks them up.

Separate because making one takes Python half a millisecond, and a card draws ten thousand pictures a second.
Shapes: ids (N, K, 77) uint16 per shard, padded as the stock pipeline pads.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pretraining import atomic, captions, clip, dataset, vocabulary
from pretraining.identities import SEED
from pretraining.randomness import stream
from pretraining.sizes import Size


def write_shard(size: Size, work: Path, shard: int) -> None:
    """``size.captions`` captions of every drawing of a shard, unless they are there already."""
    path = work / "captions" / f"shard-{shard:04d}.npy"
    if path.exists():
        return
    records = dataset.records_of(work / "drawings" / f"shard-{shard:04d}.jsonl")
    texts = [
        captions.caption(record, stream(SEED, "diffusion/caption", record.number * size.captions + turn))
        for record in records
        for turn in range(size.captions)
    ]
    ids = clip.token_ids(vocabulary.tokenizer(), texts).numpy().astype(np.uint16)
    shaped = ids.reshape(len(records), size.captions, vocabulary.LENGTH)
    atomic.write(path, lambda target: np.save(target, shaped))


class Tokens:
    """The captions of the first ``count`` drawings, held on ``device``."""

    def __init__(self, folder: Path, count: int, device: torch.device) -> None:
        parts, held = [], 0
        while held < count:
            path = folder / f"shard-{len(parts):04d}.npy"
            if not path.exists():
                raise FileNotFoundError(f"no captions {path}; run the stage 'captions' first")
            parts.append(np.load(path))
            held += len(parts[-1])
        self._ids = torch.from_numpy(np.concatenate(parts)[:count].astype(np.int32)).to(device)
        empty = clip.token_ids(vocabulary.tokenizer(), [""])
        self._empty = empty.to(device, torch.int32)

    def at(self, indices: Tensor, turn: int, dropped: Tensor) -> Tensor:
        """Caption number ``turn`` (counted on from 0 again after the last); the empty text where ``dropped``.

        Shapes: indices (B,) int64, dropped (B,) bool -> (B, 77) int32.
        """
        ids = self._ids[indices, turn % self._ids.shape[1]]
        return torch.where(dropped[:, None], self._empty, ids)
