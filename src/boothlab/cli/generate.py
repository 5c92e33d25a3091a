"""``boothlab generate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def generate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    prompt: Annotated[
        list[str] | None, typer.Option(help="What to draw; {it} is the subject. May be repeated.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="Pictures per prompt.")] = 4,
    snapshot: Annotated[str | None, typer.Option(help='A step, or "base"; the last snapshot if left out.')] = None,
) -> None:
    """Make pictures with a trained run.

    Example: boothlab generate runs/ada-1a2b3c4d --prompt "a photo of {it} with a red background"
    """
    from boothlab import api
    from boothlab.cli.screen import progress_screen, say

    with progress_screen() as progress:
        pictures = api.generate(run, prompt or ["a photo of {it}"], seeds, snapshot, progress)
    for picture in pictures:
        say(str(picture.path))
