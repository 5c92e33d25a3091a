"""``boothlab report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, evaluated; or a study file (TOML).")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="Of a study: as it was given to `boothlab study`. May be repeated."
        ),
    ] = None,
    studies: Annotated[Path, typer.Option(help="Of a study: folder for study folders.")] = Path("studies"),
) -> None:
    """Write the HTML page of a run or study.

    Photos, pictures, curves, scores, plan; one file that opens offline.

    Of a study: the page of what has been done so far; nothing is trained.

    Example: boothlab report runs/ada-1a2b3c4d
    """
    from boothlab import api
    from boothlab.cli.screen import progress_screen, say

    with progress_screen() as progress:
        if run.is_file():
            path = api.report_study(run, studies, set_ or [], progress).report
        else:
            path = api.report(run, progress)
    say(str(path))
