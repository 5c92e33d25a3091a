"""``boothlab rate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def rate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the page and its key; rating/RUN if left out, of several subjects rating/RUN-SUBJECT."
        ),
    ] = None,
    answers: Annotated[
        list[Path] | None, typer.Option("--read", help="A file of answers; may be given several times.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses comparisons, order and sides.", min=0)] = 0,
    subject: Annotated[
        str | None, typer.Option(help="Whom people are asked about; the plan's first if left out.")
    ] = None,
) -> None:
    """Let people choose blindly between snapshots.

    Writes a page that opens from disk, and reads their answers. The page shows two pictures of one
    prompt at a time and saves a small file of answers; nothing leaves the machine.

    Example: boothlab rate runs/ada-1a2b3c4d, then boothlab rate runs/ada-1a2b3c4d --read answers.json
    """
    from boothlab import api
    from boothlab.cli.screen import say

    if answers:
        for line in api.read_ratings(run, answers, out, subject):
            say(line.sentence)
        return
    page = api.rate(run, out, seed, subject=subject)
    say(f"Open {page.path.resolve()} in a browser. Keep rating-key.json beside it for yourself.")
    if subject is None and page.others:
        say(f"It asks about {page.subject} alone. For {' or '.join(page.others)}, add --subject.")
