"""Random streams as pure functions of (seed, purpose, index), so that every resume draws the same.

Separate from the stages because all of them share it and none may keep generator state.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
import torch


def derived_integer(seed: int, purpose: str, index: int = 0) -> int:
    """A 63-bit integer that depends on all three arguments; stable across machines and versions."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """A fresh NumPy generator for one draw, batch or step."""
    return np.random.Generator(np.random.PCG64(derived_integer(seed, purpose, index)))


def torch_stream(seed: int, purpose: str, index: int = 0, device: torch.device | None = None) -> torch.Generator:
    """A fresh torch generator (default: of the CPU) for one batch or step."""
    return torch.Generator(device or "cpu").manual_seed(derived_integer(seed, purpose, index))


@lru_cache(maxsize=4)
def _order(count: int, seed: int, purpose: str, epoch: int) -> np.ndarray:
    return stream(seed, f"{purpose}/order", epoch).permutation(count)


def batch_indices(count: int, batch: int, seed: int, purpose: str, step: int) -> np.ndarray:
    """Indices of one batch: epoch by epoch a fresh permutation of ``count``, cut at ``step * batch``.

    Shapes: -> (batch,) int64. A step's batch may straddle two epochs; every picture is seen once per epoch.
    """
    first = step * batch
    picked: list[np.ndarray] = []
    while sum(len(part) for part in picked) < batch:
        position = first + sum(len(part) for part in picked)
        epoch, offset = divmod(position, count)
        order = _order(count, seed, purpose, epoch)
        picked.append(order[offset : offset + batch - sum(len(part) for part in picked)])
    return np.concatenate(picked)
