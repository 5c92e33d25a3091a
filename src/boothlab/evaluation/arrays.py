"""Arrays in a file of our own: written whole, and read as nothing where they are damaged."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as BadData

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from boothlab.files import write_bytes

DAMAGES = (OSError, ValueError, KeyError, EOFError, BadZipFile, BadData, NotImplementedError, RuntimeError)
"""All that reading an archive has been seen to raise where single bits of it were turned."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write them under their names, atomically."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Name → array; nothing where the file is not there, damaged or foreign. What is pickled is never loaded."""
    try:
        # Read whole first: of a damaged archive np.load leaves the file open.
        stored = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        return {name: stored[name] for name in stored.files} if isinstance(stored, NpzFile) else {}
    except DAMAGES:
        return {}
