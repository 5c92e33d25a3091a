"""Convert the three networks inside the PyPI package ``facenet-pytorch`` to the safetensors file that boothlab ships.

    pip download --no-deps facenet-pytorch==2.6.0
    python scripts/convert_mtcnn.py facenet_pytorch-2.6.0-py3-none-any.whl src/boothlab/assets/faces/mtcnn.safetensors

The checkpoints are read with torch's weights-only unpickler, after their hashes were checked. Convolutions are
stored as (height, width, in, out) and the dense layers behind them reordered to read (height, width, channel), so
that numpy runs the networks on pictures as they lie in memory.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

SHA256 = {
    "pnet": "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
    "rnet": "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
    "onet": "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
}
FIRST_DENSE = {"rnet": ("dense4.weight", 64), "onet": ("dense5.weight", 128)}
"""The dense layer that reads a 3x3 map of so many channels, which the source flattens as (width, height, channel)."""


def read_checkpoint(wheel: Path, net: str) -> dict[str, np.ndarray]:
    """The arrays of one network."""
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(f"facenet_pytorch/data/{net}.pt")
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256[net]:
        raise SystemExit(f"{net}.pt has SHA-256 {digest}, expected {SHA256[net]}")
    state = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    return {name: value.numpy() for name, value in state.items()}


def convert(net: str, state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Torch layout -> (H, W, in, out) and (in, out)."""
    tensors = {}
    for name, value in state.items():
        if value.ndim == 4:
            value = value.transpose(2, 3, 1, 0)
        elif value.ndim == 2:
            if net in FIRST_DENSE and name == FIRST_DENSE[net][0]:
                channels = FIRST_DENSE[net][1]
                value = value.reshape(-1, 3, 3, channels).transpose(0, 2, 1, 3).reshape(len(value), -1)
            value = value.T
        tensors[f"{net}.{name}"] = np.ascontiguousarray(value, dtype=np.float32)
    return tensors


def main(wheel: str, out: str) -> None:
    """Read, convert, write."""
    tensors: dict[str, np.ndarray] = {}
    for net in SHA256:
        tensors |= convert(net, read_checkpoint(Path(wheel), net))
    metadata = {
        "networks": "MTCNN (Zhang et al. 2016, arXiv:1604.02878), P-Net, R-Net, O-Net",
        "source": "pnet.pt, rnet.pt, onet.pt of PyPI facenet-pytorch 2.6.0 (MIT, Timothy Esler)",
        "source_sha256": " ".join(SHA256.values()),
    }
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out, metadata)


if __name__ == "__main__":
    main(*sys.argv[1:])
