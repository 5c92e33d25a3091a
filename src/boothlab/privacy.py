"""Photos of people stay on this machine: the libraries' telemetry and their silent downloads are switched off."""

from __future__ import annotations

import os

SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "DISABLE_TELEMETRY": "1",
    "WANDB_MODE": "offline",
    "WANDB_ERROR_REPORTING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "TOKENIZERS_PARALLELISM": "false",
}


def keep_to_this_machine() -> None:
    """Set every switch that the user has not set. Must run before the libraries are imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
