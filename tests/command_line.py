"""The real command line in a process of its own.

Where the system can, the process is forked from a server that has imported the heavy libraries already: the same
command, without the seconds that imports take. Cold, it begins at its first import.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HEAVY = [
    "boothlab.api.trainer",
    "boothlab.models.adapters",
    "boothlab.models.families.sd",
    "diffusers.models.autoencoders.autoencoder_kl",
    "diffusers.models.unets.unet_2d_condition",
    "diffusers.schedulers.scheduling_dpmsolver_multistep",
    "transformers.models.clip.modeling_clip",
]


def environment(home: Path) -> dict[str, str]:
    """The environment for a child: one thread, a home of its own."""
    return {
        **os.environ,
        "BOOTHLAB_HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }


def command(*arguments: str | Path) -> list[str]:
    """The argument list that starts the command line with this very interpreter."""
    return [sys.executable, "-m", "boothlab", *map(str, arguments)]


def boothlab(*arguments: str | Path, home: Path, cwd: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run ``boothlab ARGUMENTS`` to its end."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = start(*arguments, home=home, cwd=cwd, out=out, err=err, cold="--help" in arguments)
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(command(*arguments), timeout)
        return subprocess.CompletedProcess(
            command(*arguments), process.exitcode, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")
        )


def start(*arguments: str | Path, home: Path, cwd: Path, out: Path, err: Path, cold: bool = False) -> BaseProcess:
    """Start ``boothlab ARGUMENTS``; what it says goes to the files ``out`` and ``err``."""
    words = command(*arguments)
    context = multiprocessing.get_context() if cold else _warm()
    process: BaseProcess = context.Process(target=_become, args=(words, environment(home), cwd, out, err, cold))
    process.start()
    return process


@cache
def _warm() -> Any:
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    context.set_forkserver_preload(HEAVY)
    return context


def _become(words: list[str], names: dict[str, str], cwd: Path, out: Path, err: Path, cold: bool) -> None:
    """Become the command: its environment, folder, arguments, and files for what it says."""
    os.environ.clear()
    os.environ.update(names)
    os.chdir(cwd)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    if cold:
        os.execv(words[0], words)
    from boothlab.cli.main import run

    sys.argv = ["boothlab", *words[3:]]
    run()
