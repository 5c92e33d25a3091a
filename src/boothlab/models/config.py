"""Which base model is tuned, and what its pictures can be sampled with. (Torch-free.)"""

from __future__ import annotations

from typing import Any, Literal

from boothlab.config.base import Config

Sampler = Literal["dpm++", "dpm++sde", "ddim"]
"""Names of the samplers that plans and models speak of."""

SAMPLERS: dict[Sampler, tuple[str, dict[str, Any]]] = {
    "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "dpm++sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}),
    "ddim": ("DDIMScheduler", {"clip_sample": False}),
}
"""Sampler -> diffusers' class, and what is set in it whatever the base model's own scheduler says."""

Spacing = Literal["leading", "linspace", "trailing"]
"""How sampling steps are laid over the training timesteps, by diffusers' names (Lin et al. 2024, table 2)."""


def scheduler_settings(sampler: Sampler, spacing: Spacing | None = None) -> tuple[str, dict[str, Any]]:
    """diffusers' class, and what is set in it; a ``spacing`` of None is the base model's own."""
    kind, settings = SAMPLERS[sampler]
    return kind, settings if spacing is None else {**settings, "timestep_spacing": spacing}


class Base(Config):
    """The base model."""

    model: str = "toon"
    """`toon` (built in), a folder in diffusers format, a `.safetensors` file, or a hub id already on this disk."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute; auto takes a GPU when there is one."""
