"""Where a run's numbers come from: versions, machine, inputs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

from boothlab.errors import RunDamaged
from boothlab.files import read_table

PROVENANCE = "provenance.json"

OTHERS = "versions"
"""Code of the warning that a run went on with other versions than it was begun with."""

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


def changed(folder: Path) -> list[str]:
    """What is other here than where the run in ``folder`` was begun, as "torch 2.12 → 2.13"; empty if nothing is.

    With the same packages and processor the same training is the same bit for bit. What cannot be read may be other.
    """
    try:
        tree = read_table(folder / PROVENANCE)
        then = {**tree["versions"], "processor": tree["machine"]["processor"]}
    except (RunDamaged, OSError, KeyError, TypeError):
        return [f"{PROVENANCE} cannot be read"]
    now = {**versions(), "processor": machine()["processor"]}
    return [
        f"{name} {then.get(name, 'unknown')} → {now.get(name, 'unknown')}"
        for name in dict.fromkeys((*then, *now))
        if then.get(name) != now.get(name)
    ]


def provenance(inputs: dict[str, str], device: str) -> dict[str, Any]:
    """The content of ``provenance.json``. ``inputs`` maps a name to the hash of that input."""
    return {
        "format": 1,
        "versions": versions(),
        "machine": machine(),
        "device": device,
        "inputs": dict(sorted(inputs.items())),
    }
