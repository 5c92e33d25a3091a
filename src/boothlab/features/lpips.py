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
from boothlab.features.supplied import demand
from boothlab.features.transforms import resized, same_size

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

    if min(pixels_B3HW.shape[-2:]) < SMALLEST:
        raise ValueError(f"LPIPS wants pictures of at least {SMALLEST} px, not {tuple(pixels_B3HW.shape[-2:])}")
    weights = _weights()
    with torch.no_grad():
        layers = _trunk(pixels_B3HW)
        return torch.cat([weighed(x, weights[f"head.{index}"]) for index, x in enumerate(layers)], dim=1)


def weighed(layer_BCHW: Tensor, head_C: Tensor) -> Tensor:
    """One layer's part of φ: sqrt(w / HW) · ŷ, flattened to (B, C·H·W). The home of the formula, for every trunk."""
    unit = layer_BCHW / (layer_BCHW.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
    area = layer_BCHW.shape[-1] * layer_BCHW.shape[-2]
    return (unit * (head_C.reshape(1, -1, 1, 1) / area).sqrt()).flatten(1)


def centred(pixels_B3HW: Tensor) -> Tensor:
    """Pixels in [−1, 1] as the networks of LPIPS v0.1 (and torchvision's) want them. Raises ValueError outside it."""
    import torch

    low, high = float(pixels_B3HW.min()), float(pixels_B3HW.max())
    if low < -1.0 or high > 1.0:
        raise ValueError(f"LPIPS wants pixels in [-1, 1]; these run from {low:.3f} to {high:.3f}")

    return (pixels_B3HW - torch.tensor(SHIFT).reshape(1, 3, 1, 1)) / torch.tensor(SCALE).reshape(1, 3, 1, 1)


def _trunk(pixels_B3HW: Tensor) -> list[Tensor]:
    """The five layers of AlexNet after their ReLUs."""
    from torch.nn import functional

    weights = _weights()
    x = centred(pixels_B3HW)
    layers = []
    for index, (_, stride, padding, pooled) in enumerate(LAYERS):
        if pooled:
            x = functional.max_pool2d(x, kernel_size=3, stride=2)
        kernel, bias = weights[f"trunk.{index}.weight"], weights[f"trunk.{index}.bias"]
        x = functional.relu(functional.conv2d(x, kernel, bias, stride, padding))
        layers.append(x)
    return layers


def extract(pictures: Pictures) -> Vectors:
    """(N, D) float32, one picture at a time (memory: 600 kB a picture at 128 px, 10 MB at 512 px)."""
    import torch

    demand(missing())
    same_size(pictures)
    rows = []
    for pixels in pictures:
        tensor = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 127.5 - 1.0
        rows.append(embed(tensor)[0].numpy())
    return np.stack(rows)


POOLED_SIDE = 224
"""Pixels per side that AlexNet was trained at; pooled features of other sizes would not be comparable."""


def extract_pooled(pictures: Pictures) -> Vectors:
    """(N, 256) float32: AlexNet's fifth layer, averaged over the picture."""
    import torch

    demand(missing())
    rows = []
    with torch.no_grad():
        for pixels in pictures:
            small = torch.from_numpy(resized(pixels, POOLED_SIDE)).permute(2, 0, 1)[None] / 127.5 - 1.0
            rows.append(_trunk(small)[-1].mean(dim=(2, 3))[0].numpy())
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

ALEXNET_POOLED = Feature(
    name="alexnet-conv5",
    version="1",
    extract=extract_pooled,
    missing=missing,
    source="Krizhevsky 2014 (arXiv:1404.5997); weights: torchvision AlexNet, as shipped for LPIPS",
)
