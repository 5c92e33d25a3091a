"""Random streams as pure functions of (seed, purpose, index), so that every resume draws the same.

Separate from the stages because all of them share it and none may keep generator state.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def derived_integer(seed: int, purpose: str, index: int = 0) -> int:
    """A 63-bit integer that depends on all three arguments; stable across machines and versions."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """A fresh NumPy generator for one draw, batch or step."""
    return np.random.Generator(np.random.PCG64(derived_integer(seed, purpose, index)))


def torch_stream(seed: int, purpose: str, index: int = 0) -> torch.Generator:
    """A fresh CPU torch generator for one batch or step."""
    return torch.Generator().manual_seed(derived_integer(seed, purpose, index))


def batch_indices(count: int, batch: int, seed: int, purpose: str, step: int) -> np.ndarray:
    """Indices of one batch: epoch by epoch a fresh permutation of ``count``, cut at ``step * batch``.

    Shapes: -> (batch,) int64. A step's batch may straddle two epochs; every picture is seen once per epoch.
    """
    first = step * batch
    picked: list[np.ndarray] = []
    while sum(len(part) for part in picked) < batch:
        position = first + sum(len(part) for part in picked)
        epoch, offset = divmod(position, count)
        order = stream(seed, f"{purpose}/order", epoch).permutation(count)
        picked.append(order[offset : offset + batch - sum(len(part) for part in picked)])
    return np.concatenate(picked)
