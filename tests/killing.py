"""Ends of real processes by a signal, at moments that a test chooses."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

from boothlab.files import is_temporary

Due = Callable[[], bool]

POLL_SECONDS = 0.002


def ended_when(
    process: BaseProcess, due: Due, how: signal.Signals = signal.SIGKILL, seen: Callable[[], None] = lambda: None
) -> bool:
    """Send ``how`` as soon as ``due``, and wait for the end; False when it came to a good end before.

    The process is held still the instant it is due, and hit only if it still is then; before that ``seen`` may look.
    """
    pid = process.pid
    assert pid is not None
    while process.is_alive():  # join(seconds) would wait for the end of a child that has become another program
        if due():
            os.kill(pid, signal.SIGSTOP)
            hit = due()
            if hit:
                seen()
                os.kill(pid, how)
            os.kill(pid, signal.SIGCONT)
            if hit:
                process.join()
                return process.exitcode != 0  # 0: it was already over when the signal came
        time.sleep(POLL_SECONDS)
    return False


def never() -> bool:
    """Not due, ever."""
    return False


def after(seconds: float) -> Due:
    """So long from now on."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def temporaries(folder: Path) -> Iterator[Path]:
    """Everything unfinished below ``folder``, that a writer may be working on right now."""
    for root, folders, files in os.walk(folder):
        yield from (Path(root) / name for name in [*folders, *files] if is_temporary(Path(name)))


def inside_writes(find: Callable[[], Iterable[Path]]) -> Due:
    """While something unfinished lies directly in one of the folders found."""

    def due() -> bool:
        folders = list(find())
        if not folders:
            time.sleep(10 * POLL_SECONDS)  # long before the moment: leave the processor to the victim
        for folder in folders:
            try:
                if any(is_temporary(Path(entry)) for entry in os.listdir(folder)):
                    return True
            except (FileNotFoundError, NotADirectoryError):
                continue
        return False

    return due
