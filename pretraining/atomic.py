"""Write files so that a kill at any moment leaves the old or the new one, never half of one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write(path: Path, writer: Callable[[Path], None]) -> None:
    """Let ``writer`` fill a temporary neighbour (same suffix), then rename it over ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        writer(temporary)
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write(path, lambda target: _fill(target, text))


def _fill(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
