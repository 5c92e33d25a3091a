"""``boothlab export``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """Forms of an export."""

    diffusers = "diffusers"
    adapter = "adapter"


class Precision(StrEnum):
    """Number formats of the weights."""

    fp32 = "fp32"
    fp16 = "fp16"


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    to: Annotated[Path, typer.Option(help="Folder to write; it must be new, empty, or an older export.")],
    snapshot: Annotated[str | None, typer.Option(help="A step; the last snapshot if left out.")] = None,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="The whole model, or the adapter alone; what was trained if left out."),
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Number format of a whole model; that of the snapshots if left out.")
    ] = None,
) -> None:
    """Write a run's weights as other programs load them.

    Says how to load them.

    Example: boothlab export runs/ada-1a2b3c4d --to exports/ada
    """
    from boothlab import api
    from boothlab.cli.screen import progress_screen, say

    with progress_screen() as progress:
        made = api.export(
            run, to, snapshot, format_.value if format_ else None, precision.value if precision else None, progress
        )
    say(f"{made.snapshot} as {made.format}: {made.size / 1e6:.1f} MB in {made.path}. It loads with\n")
    say(made.snippet)
