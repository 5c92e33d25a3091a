"""Learning-rate schedules as pure functions of the step."""

from __future__ import annotations

import math
from typing import Literal

from boothlab.training.config import Rate


def factor(rate: Rate, step: int, total: int, compat: Literal["none", "diffusers"] = "none") -> float:
    """What the learning rate is multiplied with in the step that starts from ``step`` (0-based).

    Warm-up rises linearly from 1/warmup at step 0 to 1 at step warmup − 1, so no step is wasted at rate 0. With
    ``compat="diffusers"`` it rises from 0 at step 0 to 1 at step warmup. After it both are the same: the falling
    schedules would reach ``rate.floor`` at ``total``.

    Parity: diffusers ``optimization`` (constant_with_warmup, linear, cosine, polynomial with lr_end = floor·lr) and
    transformers ``get_wsd_schedule`` with a linear decay (after the warm-up), up to float64 rounding.
    """
    if step < rate.warmup:
        return (step + (compat == "none")) / rate.warmup
    if rate.kind == "constant":
        return 1.0
    return rate.floor + (1.0 - rate.floor) * _height(rate, step, total)


def _height(rate: Rate, step: int, total: int) -> float:
    """How much of the fall is still ahead, 1 … 0."""
    falls = total - rate.warmup
    if rate.kind == "stable_decay":
        falls = min(falls, rate.decay or math.ceil(total / 5))
    progress = min(max((step - (total - falls)) / max(falls, 1), 0.0), 1.0)
    if rate.kind == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * progress))
    return float((1.0 - progress) ** (rate.power if rate.kind == "polynomial" else 1.0))
