"""Which base model is tuned, and what its pictures can be sampled with. (Torch-free.)"""

from __future__ import annotations

from typing import Literal

from boothlab.config.base import Config

Sampler = Literal["dpm++", "dpm++sde", "ddim"]
"""Names of the samplers that plans and models speak of."""


class Base(Config):
    """The base model."""

    model: str = "toon"
    """`toon` (built in), a folder in diffusers format, a `.safetensors` file, or a hub id already on this disk."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute; auto takes a GPU when there is one."""
