"""LPIPS v0.1 with the AlexNet trunk as a feature: squared distance between two vectors is the LPIPS distance.

LPIPS(x, y) = Σ_l 1/(H_l·W_l) Σ_hw Σ_c w_lc (ŷ_x − ŷ_y)² is a squared Euclidean distance between
φ(x) = concat_l sqrt(w_l / (H_l·W_l))·ŷ_l(x), because all w ≥ 0. So a set of n pictures costs n forward passes, and
all pairs of two sets one matrix product.

Source: Zhang et al. 2018 (arXiv:1801.03924). Parity: package ``lpips`` 0.1.4 (net="alex"), |Δ| ≤ 1e-5.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from boothlab.assets import asset
from boothlab.features.feature import Feature, Pictures, Vectors

if TYPE_CHECKING:
    from torch import Tensor

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
"""Input normalisation of LPIPS v0.1, for pixels in [−1, 1]."""

# (kernel, stride, padding, max-pooling before it) of AlexNet's five convolutions.
LAYERS = ((11, 4, 2, False), (5, 1, 2, True), (3, 1, 1, True), (3, 1, 1, False), (3, 1, 1, False))

SMALLEST = 32
"""Pictures with a shorter side have no fifth layer left."""


def weights_path() -> Path:
    """The shipped weights (see NOTICE for their provenance)."""
    return asset("lpips", "alexnet.safetensors")


@cache
def _weights() -> dict[str, Tensor]:
    from boothlab.models.weights import load_tensors

    return load_tensors(weights_path())


def embed(pixels_B3HW: Tensor) -> Tensor:
    """(B, 3, H, W) in [−1, 1] → (B, D) float32. D depends on H and W: compare pictures of one size only.

    Raises ValueError when the values leave [−1, 1] (a wrong range would still give plausible numbers) or when a
    side is shorter than 32 pixels.
    """
    import torch
    from torch.nn import functional

    low, high = float(pixels_B3HW.min()), float(pixels_B3HW.max())
    if low < -1.0 or high > 1.0:
        raise ValueError(f"LPIPS wants pixels in [-1, 1]; these run from {low:.3f} to {high:.3f}")
    if min(pixels_B3HW.shape[-2:]) < SMALLEST:
        raise ValueError(f"LPIPS wants pictures of at least {SMALLEST} px, not {tuple(pixels_B3HW.shape[-2:])}")
    weights = _weights()
    x = (pixels_B3HW - torch.tensor(SHIFT).reshape(1, 3, 1, 1)) / torch.tensor(SCALE).reshape(1, 3, 1, 1)
    parts = []
    with torch.no_grad():
        for index, (_, stride, padding, pooled) in enumerate(LAYERS):
            if pooled:
                x = functional.max_pool2d(x, kernel_size=3, stride=2)
            kernel, bias = weights[f"trunk.{index}.weight"], weights[f"trunk.{index}.bias"]
            x = functional.relu(functional.conv2d(x, kernel, bias, stride, padding))
            unit = x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
            area = x.shape[-1] * x.shape[-2]
            parts.append((unit * (weights[f"head.{index}"].reshape(1, -1, 1, 1) / area).sqrt()).flatten(1))
    return torch.cat(parts, dim=1)


def extract(pictures: Pictures) -> Vectors:
    """(N, D) float32, one picture at a time (memory: 600 kB a picture at 128 px, 10 MB at 512 px)."""
    import torch

    rows = []
    for pixels in pictures:
        tensor = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 127.5 - 1.0
        rows.append(embed(tensor)[0].numpy())
    return np.stack(rows)


def missing() -> str | None:
    """None: the weights ship with the package, unless somebody removed them."""
    if weights_path().is_file():
        return None
    return f"the LPIPS weights {weights_path().name} are not in this installation; install boothlab again"


LPIPS_ALEX = Feature(
    name="lpips-alex",
    version="0.1",
    extract=extract,
    missing=missing,
    source="Zhang et al. 2018; weights: torchvision AlexNet and LPIPS v0.1 linear heads",
)
