"""boothlab: personalise text-to-image models on a few photos, and find out with numbers what works."""

from __future__ import annotations

import importlib
from typing import Any

from boothlab.privacy import keep_to_this_machine

keep_to_this_machine()

__version__ = "0.1.0"

_HOMES = {
    "BoothlabError": "boothlab.errors",
    "RunPlan": "boothlab.plan",
    "Run": "boothlab.runs.run",
    "load_plan": "boothlab.plan",
    "open_run": "boothlab.runs.run",
}
"""Public name → module it lives in; looked up on first use, so that importing boothlab stays cheap."""

__all__ = ["BoothlabError", "Run", "RunPlan", "api", "load_plan", "open_run"]


def __getattr__(name: str) -> Any:
    if name == "api":
        return importlib.import_module("boothlab.api")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'boothlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
