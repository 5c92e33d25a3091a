"""How fast this machine computes the kinds of layers that models are made of: measured once, then remembered.

It exists so that a plan's time is told from FLOPs that were counted and a rate that was measured, on this machine and
with this many threads, instead of from a table of other people's machines. Only :func:`measure` needs torch.
"""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from boothlab.errors import BoothlabError
from boothlab.files import read_json, sha256_json, write_json
from boothlab.home import cache
from boothlab.models.layers import Kind, Layer

WIDTHS = (8, 32, 128, 320)
"""Channels at which convolutions and matrix products are timed; between them the rate is interpolated."""

CHAIN = 20

CALLS_PER_LAYER = 11
"""What a layer costs besides its arithmetic, in bare calls forward and backward: measured on a model so small that
nothing else counts (docs/benchmarks.md). It is diffusers' Python around each layer."""

WEIGHT_FETCHES = 25
"""What bringing a layer's weights into its kernel's order costs per pass, in plain copies of them. Fitted to one
case, SD v1.5's UNet at 256 px on one CPU thread (docs/benchmarks.md), where wide layers see few pixels. GPUs, which
keep no such order, are told without."""

LOOKED_FOR = 0.3
"""Seconds for which the machine is watched before it is measured."""

ROOM = 0.1
"""Share of the cores that other programs may take of those wanted: a desktop is never quite idle."""

SECONDS_EACH = 0.06
"""How long one kind of layer is timed at one width; all of it stays near a second."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Rates of a training pass (forward and backward). ``conv``, ``linear``, ``attention``: FLOP/s by width.

    ``pointwise`` = numbers per second through a normalisation or activation; ``layer`` = seconds that any layer costs
    besides its arithmetic; ``copied`` = bytes per second of plain sums over large tensors. ``busy``: measured while
    other programs took cores that the threads were to have; true now, and no other day. ``device`` is what they were
    measured on, in fp32.
    """

    conv: Mapping[int, float]
    linear: Mapping[int, float]
    attention: Mapping[int, float]
    pointwise: float
    layer: float
    copied: float
    busy: bool = False
    device: str = "cpu"

    def rate(self, kind: Kind, width: int) -> float:
        """FLOP/s of ``kind`` at ``width`` channels: straight lines between the measured points, in logarithms."""
        return interpolate(getattr(self, kind), width)

    def seconds(self, layers: Sequence[Layer], samples: float) -> float:
        """Seconds of one forward pass of ``samples`` samples together; a training pass is taken as three of them."""
        found, fetches = 0.0, WEIGHT_FETCHES if self.device == "cpu" else 0
        for layer in layers:
            if layer.kind == "pointwise":
                found += layer.kept * samples / self.pointwise / 3
            else:
                found += layer.flops * samples / self.rate(layer.kind, min(layer.inputs, layer.outputs))
            found += self.layer / 3 + fetches * 4 * layer.parameters / self.copied * (layer.kind == "conv")
        return found


def interpolate(points: Mapping[int, float], width: int) -> float:
    """The value at ``width`` on straight lines through ``points`` in log-log; flat beyond the ends."""
    known = sorted(points)
    if width <= known[0]:
        return points[known[0]]
    if width >= known[-1]:
        return points[known[-1]]
    right = next(k for k in known if k >= width)
    left = known[known.index(right) - 1]
    share = math.log(width / left) / math.log(right / left)
    return math.exp((1 - share) * math.log(points[left]) + share * math.log(points[right]))


def machine_key(device: str, threads: int) -> str:
    """What the rates depend on: processor, cores, device and which GPU it is, threads, torch's version."""
    described = [_processor(), os.cpu_count(), device, threads, version("torch"), *_gpu(device)]
    return sha256_json(["speed-3", *described])[:16]


def _gpu(device: str) -> list[str]:
    """The GPU's name, because cards are changed, and a home folder is shared by machines; nothing of a processor."""
    if device == "cpu":
        return []
    import torch

    return [torch.cuda.get_device_name() if device == "cuda" else torch.backends.mps.get_name()]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def known(device: str, threads: int) -> Speed | None:
    """The rates measured before on such a machine; None if there are none."""
    try:
        tree = read_json(cache("speed") / f"{machine_key(device, threads)}.json")["speed"]
        return _speed(tree, device)
    except (BoothlabError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _speed(tree: dict[str, Any], device: str) -> Speed:
    def table(name: str) -> dict[int, float]:
        return {int(width): float(rate) for width, rate in tree[name].items()}

    pointwise, layer, copied = (float(tree[name]) for name in ("pointwise", "layer", "copied"))
    tables = [table(name) for name in ("conv", "linear", "attention")]
    numbers = [pointwise, layer, copied, *(number for one in tables for pair in one.items() for number in pair)]
    if not all(tables) or not all(0 < number < math.inf for number in numbers):
        raise ValueError("rates must be there, and greater than 0")
    conv, linear, attention = tables
    return Speed(conv, linear, attention, pointwise, layer, copied, device=device)


def speed(device: str, threads: int) -> Speed:
    """The rates of this machine: remembered, or measured now, which takes a second besides the import of torch.

    What a busy machine gives is kept for this process alone. Two threads beside one other program on two cores have
    been seen to compute 300 times slower than alone, because each waits for the other.
    """
    key = machine_key(device, threads)
    found = _NOW.get(key) or known(device, threads)
    if found is None:
        busy = is_busy(threads)
        found = replace(measure(device, threads), busy=busy)
        if not busy:
            rates = {name: value for name, value in asdict(found).items() if name not in ("busy", "device")}
            write_json(
                cache("speed") / f"{key}.json", {"format": 1, "device": device, "threads": threads, "speed": rates}
            )
        _NOW[key] = found
    return found


_NOW: dict[str, Speed] = {}
"""What this process has measured: a study asks once for every training."""


def is_busy(threads: int) -> bool:
    """Whether other programs leave fewer cores than ``threads``, but for :data:`ROOM`."""
    cores = os.cpu_count() or 1
    free = cores * (1 - psutil.cpu_percent(interval=LOOKED_FOR) / 100)
    return bool(free < min(threads, cores) - ROOM * cores)


def measure(device: str, threads: int) -> Speed:
    """Time one layer of each kind, forward and backward."""
    import torch
    from torch.nn import functional

    before = torch.get_num_threads()
    torch.set_num_threads(threads)

    def numbers(*shape: int) -> Any:
        return torch.randn(shape, device=device, requires_grad=True)

    def timed(layer: Callable[..., Any], *inputs: Any) -> float:
        return _fastest(lambda: torch.autograd.grad(layer(*inputs).sum(), inputs), device)

    try:
        conv, linear, attention = {}, {}, {}
        for width in WIDTHS:
            side = 16 if width >= 128 else 32
            picture, filters = numbers(2, width, side, side), numbers(width, width, 3, 3)
            taken = timed(lambda x, w: functional.conv2d(x, w, padding=1), picture, filters)
            conv[width] = 3 * 2 * 2 * (side * width) ** 2 * 9 / taken
            tokens, weights = numbers(2048, width), numbers(4 * width, width)
            linear[width] = 3 * 2 * 2048 * 4 * width**2 / timed(functional.linear, tokens, weights)
            heads = [numbers(2, 4, 256, max(width // 4, 8)) for _ in range(3)]
            done = 3.5 * 4 * 2 * 256**2 * 4 * max(width // 4, 8)
            attention[width] = done / timed(functional.scaled_dot_product_attention, *heads)
        picture = numbers(2, 64, 64, 64)
        pointwise = 2 * picture.numel() / timed(lambda x: functional.silu(functional.group_norm(x, 8)), picture)
        layer = timed(_chain, numbers(1, 8, 4, 4), numbers(8, 8, 1, 1)) * CALLS_PER_LAYER / CHAIN
        large = torch.ones(16_000_000, device=device)
        copied = 3 * 4 * large.numel() / _fastest(lambda: large.add_(large), device)
    finally:
        torch.set_num_threads(before)
    return Speed(conv, linear, attention, pointwise, layer, copied, device=device)


def _chain(picture: Any, filters: Any) -> Any:
    """So many convolutions of almost nothing, so that what is timed is the calling."""
    from torch.nn import functional

    for _ in range(CHAIN):
        picture = functional.conv2d(picture, filters)
    return picture


def _wait(device: str) -> None:
    """Until the device has done what it was given: a call to a GPU returns when the work is queued."""
    if device == "cpu":
        return
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def _fastest(work: Callable[[], object], device: str) -> float:
    """Seconds of the fastest of several calls, after one that is not counted."""
    work()
    _wait(device)
    best, end = math.inf, time.perf_counter() + SECONDS_EACH
    while best == math.inf or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return best
