"""The Inception-v3 of FID (TensorFlow's of 2015-12-05), up to its 2048 pooled numbers.

It differs from torchvision's in three places that move FID: average pools leave the padding out, the last block
pools by maximum, and the last layer has 1,008 classes. Names are those of ``pt_inception-2015-12-05``, so that
its state dict loads as it is. Source: Szegedy et al. 2016 (arXiv:1512.00567); Heusel et al. 2017 (arXiv:1706.08500).
Shapes: (B, 3, 299, 299) with (pixel − 128) / 128 → (B, 2048).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Pool = Literal["average", "maximum", "none"]
Size = tuple[int, int]

Link = tuple[str, int, Size, int, Size]
"""One convolution of a branch: name, channels out, kernel, stride, padding."""

Chain = tuple[tuple[Link, ...], ...]
"""A branch: convolutions one after the other; those in one inner tuple see the same input and are joined."""


class Convolution(nn.Module):
    """Convolution, batch normalisation (ε = 0.001 as in TensorFlow), ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: Size, stride: int = 1, padding: Size = (0, 0)) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, H', W')."""
        normal: Tensor = self.bn(self.conv(x))
        return torch.relu(normal)


class Mixed(nn.Module):
    """Branches side by side. The last joins a pooled input: through ``branch_pool``, or as it is where that is 0."""

    def __init__(self, inputs: int, chains: tuple[Chain, ...], pool: Pool, pooled: int) -> None:
        super().__init__()
        self.chains, self.pool = chains, pool
        self.outputs = inputs if pooled == 0 else pooled
        for chain in chains:
            width = inputs
            for step in chain:
                for name, outputs, kernel, stride, padding in step:
                    self.add_module(name, Convolution(width, outputs, kernel, stride, padding))
                width = sum(link[1] for link in step)
            self.outputs += width
        if pooled:
            self.branch_pool = Convolution(inputs, pooled, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, H', W'); blocks without ``branch_pool`` halve the size."""
        parts = []
        for chain in self.chains:
            y = x
            for step in chain:
                y = torch.cat([self.get_submodule(link[0])(y) for link in step], dim=1)
            parts.append(y)
        if not hasattr(self, "branch_pool"):
            parts.append(functional.max_pool2d(x, kernel_size=3, stride=2))
        elif self.pool == "average":
            parts.append(self.branch_pool(functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)))
        else:
            parts.append(self.branch_pool(functional.max_pool2d(x, kernel_size=3, stride=1, padding=1)))
        return torch.cat(parts, dim=1)


def _one(name: str, outputs: int, kernel: Size = (1, 1), stride: int = 1) -> tuple[Link, ...]:
    """A convolution that keeps the size, or halves it without padding."""
    padding = (kernel[0] // 2, kernel[1] // 2) if stride == 1 else (0, 0)
    return ((name, outputs, kernel, stride, padding),)


def _fine(inputs: int, pooled: int) -> Mixed:
    """35 × 35: factors of 5 × 5 and two 3 × 3."""
    double = (
        _one("branch3x3dbl_1", 64),
        _one("branch3x3dbl_2", 96, (3, 3)),
        _one("branch3x3dbl_3", 96, (3, 3)),
    )
    five = (_one("branch5x5_1", 48), _one("branch5x5_2", 64, (5, 5)))
    return Mixed(inputs, ((_one("branch1x1", 64),), five, double), "average", pooled)


def _to_middle(inputs: int) -> Mixed:
    """35 × 35 → 17 × 17."""
    double = (
        _one("branch3x3dbl_1", 64),
        _one("branch3x3dbl_2", 96, (3, 3)),
        _one("branch3x3dbl_3", 96, (3, 3), 2),
    )
    return Mixed(inputs, ((_one("branch3x3", 384, (3, 3), 2),), double), "none", 0)


def _middle(width: int) -> Mixed:
    """17 × 17: factors of 7 × 7 as rows and columns."""
    single = (
        _one("branch7x7_1", width),
        _one("branch7x7_2", width, (1, 7)),
        _one("branch7x7_3", 192, (7, 1)),
    )
    double = (
        _one("branch7x7dbl_1", width),
        _one("branch7x7dbl_2", width, (7, 1)),
        _one("branch7x7dbl_3", width, (1, 7)),
        _one("branch7x7dbl_4", width, (7, 1)),
        _one("branch7x7dbl_5", 192, (1, 7)),
    )
    return Mixed(768, ((_one("branch1x1", 192),), single, double), "average", 192)


def _to_coarse(inputs: int) -> Mixed:
    """17 × 17 → 8 × 8."""
    three = (_one("branch3x3_1", 192), _one("branch3x3_2", 320, (3, 3), 2))
    seven = (
        _one("branch7x7x3_1", 192),
        _one("branch7x7x3_2", 192, (1, 7)),
        _one("branch7x7x3_3", 192, (7, 1)),
        _one("branch7x7x3_4", 192, (3, 3), 2),
    )
    return Mixed(inputs, (three, seven), "none", 0)


def _coarse(inputs: int, pool: Pool) -> Mixed:
    """8 × 8: branches that end in a fork of a row and a column."""
    three = (
        _one("branch3x3_1", 384),
        _one("branch3x3_2a", 384, (1, 3)) + _one("branch3x3_2b", 384, (3, 1)),
    )
    double = (
        _one("branch3x3dbl_1", 448),
        _one("branch3x3dbl_2", 384, (3, 3)),
        _one("branch3x3dbl_3a", 384, (1, 3)) + _one("branch3x3dbl_3b", 384, (3, 1)),
    )
    return Mixed(inputs, ((_one("branch1x1", 320),), three, double), pool, 192)


class Inception(nn.Module):
    """The network up to its last average pool; ``fc`` is kept so that the state dict is complete."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, (3, 3), 2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, (3, 3))
        self.Conv2d_2b_3x3 = Convolution(32, 64, (3, 3), padding=(1, 1))
        self.Conv2d_3b_1x1 = Convolution(64, 80, (1, 1))
        self.Conv2d_4a_3x3 = Convolution(80, 192, (3, 3))
        self.Mixed_5b = _fine(192, 32)
        self.Mixed_5c = _fine(256, 64)
        self.Mixed_5d = _fine(288, 64)
        self.Mixed_6a = _to_middle(288)
        self.Mixed_6b = _middle(128)
        self.Mixed_6c = _middle(160)
        self.Mixed_6d = _middle(160)
        self.Mixed_6e = _middle(192)
        self.Mixed_7a = _to_coarse(768)
        self.Mixed_7b = _coarse(1280, "average")
        self.Mixed_7c = _coarse(2048, "maximum")
        self.fc = nn.Linear(2048, 1008)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 299, 299) → (B, 2048)."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = functional.max_pool2d(x, kernel_size=3, stride=2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = functional.max_pool2d(x, kernel_size=3, stride=2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean(dim=(2, 3))


def legacy_resize(pixels_B3HW: Tensor, side: int) -> Tensor:
    """(B, 3, H, W) → (B, 3, side, side) as TensorFlow 1 did for the published FIDs: bilinear, corners at the upper
    left, no antialiasing. Only for comparison with such numbers.
    """
    rows, row_share = _positions(pixels_B3HW.shape[-2], side)
    columns, column_share = _positions(pixels_B3HW.shape[-1], side)
    upper, lower = pixels_B3HW[..., rows[0], :], pixels_B3HW[..., rows[1], :]
    upper, lower = (half[..., columns[0]].lerp(half[..., columns[1]], column_share) for half in (upper, lower))
    return upper.lerp(lower, row_share[:, None])


def _positions(length: int, side: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """The two neighbours of every new pixel, and the share of the second."""
    place = torch.arange(side, dtype=torch.float32) * (length / side)
    first = place.floor().long()
    return (first, (first + 1).clamp(max=length - 1)), place - first


def load_state(tensors: dict[str, Tensor]) -> Inception:
    """The network with these weights, in evaluation mode. Raises RuntimeError when a name or a shape is wrong."""
    network = Inception()
    counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    network.load_state_dict(counters | tensors)
    return network.eval()
