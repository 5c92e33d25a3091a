"""Learning-rate schedules as pure functions of the step."""

from __future__ import annotations

import math

from boothlab.training.config import Rate


def factor(rate: Rate, step: int, total: int) -> float:
    """What the learning rate is multiplied with in the step that starts from ``step`` (0-based).

    Warm-up rises linearly from 1/warmup at step 0 to 1 at step warmup − 1. After it, ``linear`` and ``cosine``
    fall so that they would reach 0 at ``total``; so no step is wasted at rate 0.
    """
    if step < rate.warmup:
        return (step + 1) / rate.warmup
    if rate.kind == "constant":
        return 1.0
    progress = (step - rate.warmup) / max(total - rate.warmup, 1)
    if rate.kind == "linear":
        return 1.0 - progress
    return 0.5 * (1.0 + math.cos(math.pi * progress))
