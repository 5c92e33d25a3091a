"""Which optimizers come from packages of their own, and whether these are installed. (Torch-free.)"""

from __future__ import annotations

from importlib.util import find_spec

from boothlab.errors import PlanError

PACKAGES = {"adamw8bit": "bitsandbytes", "prodigy": "prodigyopt"}
"""Kind of optimizer → package, which is imported by the same name."""


def require_optimizer_library(kind: str) -> None:
    """Raises PlanError with the install line where an optimizer's package is not installed."""
    if kind in PACKAGES and find_spec(PACKAGES[kind]) is None:
        raise missing_library(kind)


def missing_library(kind: str) -> PlanError:
    """The error for an optimizer without its package."""
    return PlanError(
        f"training.optimizer.kind is {kind!r}, and the package {PACKAGES[kind]} is not installed.",
        f"Install it with `pip install {PACKAGES[kind]}`, or use adamw.",
    )
