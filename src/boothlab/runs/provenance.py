"""Where a run's numbers come from: versions, machine, inputs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from typing import Any

PACKAGES = (
    "boothlab",
    "torch",
    "diffusers",
    "transformers",
    "peft",
    "safetensors",
    "pillow",
    "numpy",
    "scipy",
)


def versions() -> dict[str, str]:
    """Installed version of every package that can change a result ("absent" where it is not installed)."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def machine() -> dict[str, Any]:
    """What of the machine can change a result. No host or user name: a report may be shown to others."""
    return {
        "python": sys.version.split()[0],
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
    }


def provenance(inputs: dict[str, str], device: str) -> dict[str, Any]:
    """The content of ``provenance.json``. ``inputs`` maps a name to the hash of that input."""
    return {
        "format": 1,
        "versions": versions(),
        "machine": machine(),
        "device": device,
        "inputs": dict(sorted(inputs.items())),
    }
