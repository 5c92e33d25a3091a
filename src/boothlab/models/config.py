"""Which base model is tuned, and what its pictures can be sampled with. (Torch-free.)"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np

from boothlab.config.base import Config
from boothlab.files import expanded

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


def lays_out(steps: int, spacing: Spacing | None, timesteps: int = 1000) -> bool:
    """Whether diffusers' samplers find a timestep for each of so many steps.

    They begin next to the noise schedule's end and end next to its beginning, so two are kept: with more steps two of
    them are at one timestep, or one beyond the schedule. With trailing they walk down from the end in steps of
    timesteps / steps, and rounding adds one, at timestep -1, for a few counts.
    """
    walked = len(np.arange(timesteps, 0, -timesteps / steps)) if spacing == "trailing" else steps
    return steps <= timesteps - 2 and walked == steps


def most_steps(steps: int, spacing: Spacing | None, timesteps: int = 1000) -> int:
    """The most that are laid out, of no more than ``steps``."""
    return next((fewer for fewer in range(steps, 0, -1) if lays_out(fewer, spacing, timesteps)), 1)


class Base(Config):
    """The base model."""

    model: str = "toon"
    """`toon` (built in), a folder in diffusers format, a `.safetensors` file, or a hub id already on this disk."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute; auto takes a GPU when there is one."""


HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+")


def is_place(model: str) -> bool:
    """Whether a base model's name can only be a place on some disk: neither the built-in one's, nor a hub id, nor a
    single word, which may be a slip."""
    single = not re.search(r"[/\\]", model) and not model.startswith(("~", "."))
    return not (single or HUB_ID.fullmatch(model)) or model.lower().endswith(".safetensors")


def placed(model: str, folder: Path) -> str:
    """A base model's name that means the same from everywhere: a local one's place, taken from ``folder``.

    "owner/name" is a hub id where there is no such folder. Raises PlanError for the home folder of nobody.
    """
    whole = folder.absolute() / expanded(Path(model))
    return str(whole) if model != "toon" and (is_place(model) or whole.exists()) else model


def placed_base(base: Base, folder: Path) -> Base:
    """``base`` with the model's place taken from ``folder``."""
    return base.model_copy(update={"model": placed(base.model, folder)})
