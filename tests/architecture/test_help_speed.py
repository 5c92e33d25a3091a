"""``boothlab --help`` is there at once and loads nothing heavy."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

SECONDS = 0.3
ALLOWANCE = 3.0
"""How many times longer than a bare ``import typer`` the help may take, where the machine is slow or loaded."""

SPY = "import sys; sys.argv = ['boothlab', '--help']\ntry:\n  from boothlab.cli.main import main; main()\n"
SPY += "finally:\n  print(sorted({m.split('.')[0] for m in sys.modules}), file=sys.stderr)"


def seconds(code: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *code], capture_output=True, check=True, timeout=60)
    return time.perf_counter() - started


def test_help_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", SPY], capture_output=True, text=True, check=True, timeout=60)
    assert "train" in done.stdout
    loaded = done.stderr
    assert "'typer'" in loaded
    for heavy in ("torch", "diffusers", "transformers", "peft", "scipy", "numpy", "matplotlib", "PIL"):
        assert f"'{heavy}'" not in loaded, f"--help loads {heavy}"


def test_help_is_quick() -> None:
    """0.3 s; where even the command-line library alone takes long, a fixed multiple of that."""
    codes = (["-m", "boothlab", "--help"], ["-c", "import typer"])
    for code in codes:
        seconds(code)  # the first run fills the disk cache and writes byte code
    taken = [[seconds(code) for code in codes] for _ in range(5)]
    ours, theirs = (statistics.median(column) for column in zip(*taken, strict=True))
    assert ours <= max(SECONDS, ALLOWANCE * theirs), f"{ours:.2f} s; importing typer alone takes {theirs:.2f} s"
