"""Rows of an array that lies on disk in shards: memory-mapped for a CPU, held whole on a card.

Separate because latents and captions are looked up alike, and processes that share a training share mapped pages.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pretraining import devices


class Rows:
    """All consecutive shards of a stage's folder, equally long, as one sequence.

    Raises: FileNotFoundError where there is none.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self._arrays: list[np.ndarray] = []
        while (path := folder / f"shard-{len(self._arrays):04d}.npy").exists():
            self._arrays.append(np.load(path, mmap_mode="r"))
        if not self._arrays:
            raise FileNotFoundError(f"nothing in {folder}; run the stage '{folder.name}' first")
        self.length, self.device = len(self._arrays[0]), device
        self._held = None
        if device.type != "cpu":
            self._held = torch.from_numpy(np.concatenate([_signed(array) for array in self._arrays])).to(device)

    def __len__(self) -> int:
        return self.length * len(self._arrays)

    def at(self, picked: np.ndarray) -> Tensor:
        """(B,) int64 -> the rows (B, ...) on the device; uint16 comes as int16 of the same bits."""
        if self._held is not None:
            return self._held[devices.moved(picked, self.device)]
        rows = [_signed(self._arrays[int(i) // self.length][int(i) % self.length]) for i in picked]
        return torch.from_numpy(np.stack(rows))


def _signed(array: np.ndarray) -> np.ndarray:
    """torch looks up int16 on every device, uint16 on few."""
    return array.view(np.int16) if array.dtype == np.uint16 else array
