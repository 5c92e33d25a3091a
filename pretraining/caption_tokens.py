"""Stage `captions`: a few captions of every drawing as token ids on disk, so that training only looks them up.

Separate because making one takes Python half a millisecond, more than a card takes for the picture.
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
from pretraining.rows import Rows
from pretraining.sizes import Size


def write_shard(size: Size, work: Path, shard: int) -> None:
    """``size.captions`` captions of every drawing of a shard, unless they are there already."""
    path = work / "captions" / f"shard-{shard:04d}.npy"
    if path.exists():
        return
    truth = work / "drawings" / f"shard-{shard:04d}.jsonl"
    if not truth.exists():
        raise FileNotFoundError(f"no drawings {truth}; run the stage 'draw' first")
    records = dataset.records_of(truth)
    texts = [
        captions.caption(record, stream(SEED, "diffusion/caption", record.number * size.captions + turn))
        for record in records
        for turn in range(size.captions)
    ]
    ids = clip.token_ids(vocabulary.tokenizer(), texts).numpy().astype(np.uint16)
    shaped = ids.reshape(len(records), size.captions, vocabulary.LENGTH)
    atomic.write(path, lambda target: np.save(target, shaped))


class Tokens:
    """The captions of all drawings, at least of the first ``count``, on ``device``."""

    def __init__(self, folder: Path, count: int, device: torch.device) -> None:
        self._rows = Rows(folder, device)
        if len(self._rows) < count:
            raise FileNotFoundError(
                f"captions of {len(self._rows):,} drawings in {folder}, not {count:,}; run the stage 'captions' first"
            )
        self._empty = clip.token_ids(vocabulary.tokenizer(), [""]).to(device, torch.int32)

    def at(self, picked: np.ndarray, turn: int, dropped: Tensor) -> Tensor:
        """Caption number ``turn`` (counted on from 0 again after the last); the empty text where ``dropped``.

        Shapes: picked (B,) int64, dropped (B,) bool -> (B, 77) int32.
        """
        captions_of = self._rows.at(picked)
        ids = captions_of[:, turn % captions_of.shape[1]].int() & 0xFFFF
        return torch.where(dropped[:, None], self._empty, ids)
