"""Memory that is freed and asked for again does not come anew from the kernel."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from boothlab.models import load
from boothlab.models.allocator import SWITCHES
from boothlab.models.config import Base

FAULTS = """
import ctypes, resource, sys
from boothlab.models.allocator import keep_freed_memory
print(keep_freed_memory() if sys.argv[1] == "keep" else None)
libc = ctypes.CDLL(None)
libc.prctl(41, 1, 0, 0, 0)  # no transparent huge pages, which take 512 pages at one fault
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes, libc.memset.argtypes = [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
size = 16 << 20
def once():
    blocks = [libc.malloc(size) for _ in range(6)]
    for block in blocks:
        libc.memset(block, 1, size)
    for block in blocks:
        libc.free(block)
once(), once()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    once()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults * resource.getpagesize() >> 20)
"""

glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such switch")


def measured(how: str, **extra: str) -> tuple[str, int]:
    """(what the function returned, MiB of pages that came anew in five rounds of 96 MiB) in a fresh process."""
    others = (*SWITCHES, "LD_PRELOAD")
    env = {name: value for name, value in os.environ.items() if name not in others} | extra
    ran = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True, env=env)
    said, mib = ran.stdout.split()
    return said, int(mib)


@glibc_only
def test_what_is_freed_is_used_again_without_page_faults() -> None:
    said, as_it_is = measured("as it is")
    assert said == "None"
    assert as_it_is > 5 * 96 // 2, "half of it is beyond doubt"
    assert measured("keep") == ("True", pytest.approx(0, abs=5))


@glibc_only
@pytest.mark.parametrize("name", SWITCHES)
def test_what_the_user_has_set_stands(name: str) -> None:
    value = "glibc.malloc.trim_threshold=134217728" if name == "GLIBC_TUNABLES" else "134217728"
    assert measured("keep", **{name: value})[0] == "False"


def test_whoever_loads_a_model_keeps_what_it_frees(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(load, "keep_freed_memory", lambda: asked.append(True))
    load.load(Base(model="toon"))
    assert asked == [True]
