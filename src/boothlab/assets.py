"""Files that ship with the package."""

from __future__ import annotations

from pathlib import Path


def asset(*parts: str) -> Path:
    """The path of a shipped file or folder; it need not exist in every installation."""
    return Path(__file__).parent.joinpath("assets", *parts)
