"""How timesteps are drawn."""

from __future__ import annotations

from typing import Literal

import torch


def draw_timestep(how: Literal["uniform", "logit_normal"], count: int, generator: torch.Generator) -> int:
    """One timestep in [0, ``count``).

    ``uniform``: every timestep equally likely, both ends included. ``logit_normal``: the logistic function of a
    standard normal draw, times ``count``, which prefers the middle (Esser et al. 2024, arXiv:2403.03206).
    """
    if how == "uniform":
        return int(torch.randint(0, count, (1,), generator=generator))
    position = torch.sigmoid(torch.randn((), generator=generator, dtype=torch.float64))
    return min(int(position * count), count - 1)
