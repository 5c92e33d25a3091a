"""``boothlab rate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def rate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the page and its key; rating/RUN if left out.")] = None,
    answers: Annotated[
        list[Path] | None, typer.Option("--read", help="A file of answers; may be given several times.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses comparisons, order and sides.", min=0)] = 0,
) -> None:
    """Let people choose blindly between snapshots.

    Writes a page that opens from disk, and reads their answers. The page shows two pictures of one
    prompt at a time and saves a small file of answers; nothing leaves the machine.

    Example: boothlab rate runs/ada-1a2b3c4d, then boothlab rate runs/ada-1a2b3c4d --read answers.json
    """
    from boothlab import api
    from boothlab.cli.screen import say

    if answers:
        for line in api.read_ratings(run, answers, out):
            say(line.sentence)
        return
    page = api.rate(run, out, seed)
    say(f"Open {page.resolve()} in a browser. Keep rating-key.json beside it for yourself.")
