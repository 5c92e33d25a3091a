"""What one step frees the next asks for again: the C library is told to keep it.

glibc gives memory back to the system as soon as a good deal of it is free, and the kernel clears every page that
comes again: with the built-in model 20,000 page faults in each training step (docs/benchmarks.md). (Torch-free.)
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys

KEPT = 512 << 20
"""Bytes that may stay free at the top of a heap: so much more may a process that had its peak go on holding."""

LARGEST = 32 << 20
"""Blocks up to so many bytes come from the heap, the most that glibc allows; larger ones are given back as before."""

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Their numbers in glibc's ``malloc.h``."""

SWITCHES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")
"""Variables by which a user sets the same; where one is there, whatever it says, nothing is changed."""


@functools.cache
def keep_freed_memory() -> bool:
    """Let glibc keep what this process frees; returns whether it took that. Other C libraries have no such switch."""
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in SWITCHES):
        return False
    library = ctypes.CDLL(None)
    return all(library.mallopt(which, size) for which, size in ((MMAP_THRESHOLD, LARGEST), (TRIM_THRESHOLD, KEPT)))
