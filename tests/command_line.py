"""The real command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def environment(home: Path) -> dict[str, str]:
    """The environment for a child: one thread, a home of its own."""
    return {
        **os.environ,
        "BOOTHLAB_HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }


def boothlab(*arguments: str | Path, home: Path, cwd: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run ``boothlab ARGUMENTS`` to its end."""
    return subprocess.run(
        command(*arguments),
        env=environment(home),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def command(*arguments: str | Path) -> list[str]:
    """The argument list that starts the command line with this very interpreter."""
    return [sys.executable, "-m", "boothlab", *map(str, arguments)]
