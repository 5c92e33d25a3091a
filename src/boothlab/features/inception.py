"""Inception-v3 features, the ones that FID is defined on. The weights (95 MB) do not ship.

Source: Heusel et al. 2017 (arXiv:1706.08500). Parity: torch-fidelity 0.4.0 with the same state dict and the legacy
resize, features rel. 1e-4. The default resize is clean-fid's (arXiv:2104.11222).
"""

from __future__ import annotations

import pickle
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from boothlab.errors import NoWeights
from boothlab.features.feature import Feature, Pictures, Vectors
from boothlab.features.supplied import demand, weights_folder
from boothlab.features.transforms import resized
from boothlab.files import sha256_file, write_bytes

if TYPE_CHECKING:
    from torch import Tensor

    from boothlab.features.inception_network import Inception

SIDE = 299
"""Pixels per side that the network sees."""

DIGEST = "6726825d"
"""First digits of the SHA-256 of the published checkpoint; its file name carries them."""

Resize = Literal["clean", "legacy"]


def weights_path() -> Path:
    """Where :func:`fetch_inception` puts the weights."""
    return weights_folder() / "inception-2015-12-05.safetensors"


def fetch_inception(checkpoint: Path, digest: str = DIGEST) -> Path:
    """Convert ``pt_inception-2015-12-05-6726825d.pth`` to safetensors below boothlab's home; returns its path.

    The file is read by torch's unpickler for weights only. Raises NoWeights when it is not there, its SHA-256 does
    not begin with ``digest``, or it holds another network; NoSpace, NoAccess.
    """
    import torch
    from safetensors.torch import save

    from boothlab.features.inception_network import load_state

    if not checkpoint.is_file():
        what = "is a folder, and these weights are one file" if checkpoint.is_dir() else "is not there"
        raise NoWeights(f"{checkpoint} {what}.", "It is published with torch-fidelity and with pytorch-fid.")
    found = sha256_file(checkpoint)
    if not found.startswith(digest):
        raise NoWeights(
            f"{checkpoint.name} has SHA-256 {found}; that of FID's Inception begins with {digest}.",
            "FID is defined on that file alone; another network would give numbers that only look like FID.",
        )
    try:
        tensors: dict[str, Tensor] = torch.load(checkpoint, map_location="cpu", weights_only=True)
        load_state(tensors)
    except (RuntimeError, pickle.UnpicklingError, TypeError) as error:
        raise NoWeights(f"{checkpoint.name} is not FID's Inception: {error}") from error
    write_bytes(weights_path(), save({name: tensor.contiguous() for name, tensor in tensors.items()}))
    _network.cache_clear()
    return weights_path()


@lru_cache(maxsize=1)
def _network(path: Path) -> Inception:
    from boothlab.features.inception_network import load_state
    from boothlab.models.weights import load_tensors

    return load_state(load_tensors(path))


def embed(pictures: Pictures, resize: Resize) -> Vectors:
    """(N, 2048) float32, one picture at a time. ``clean``: Pillow's bicubic; ``legacy``: TensorFlow 1's bilinear."""
    import torch

    from boothlab.features.inception_network import legacy_resize

    demand(missing())
    rows = []
    for pixels in pictures:
        if resize == "clean":
            small = torch.from_numpy(resized(pixels, SIDE)).permute(2, 0, 1)[None]
        else:
            small = legacy_resize(torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None], SIDE)
        rows.append(_network(weights_path())((small - 128) / 128)[0].numpy())
    return np.stack(rows)


def extract(pictures: Pictures) -> Vectors:
    """(N, 2048) float32 with the clean resize."""
    return embed(pictures, "clean")


def missing() -> str | None:
    """One sentence until :func:`fetch_inception` was called."""
    if weights_path().is_file():
        return None
    return (
        "FID's Inception weights are not here: get pt_inception-2015-12-05-6726825d.pth (torch-fidelity's or "
        "pytorch-fid's releases), then `boothlab fetch inception FILE`."
    )


INCEPTION = Feature(
    name="inception-2015",
    version="2-clean",
    extract=extract,
    missing=missing,
    source="Szegedy et al. 2016 (arXiv:1512.00567), TensorFlow weights of 2015-12-05",
    weights=weights_path,
)
