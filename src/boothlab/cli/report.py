"""``boothlab report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Run folder, evaluated.")],
) -> None:
    """Write the HTML page of a run: photos, pictures, curves, scores, plan; one file that opens offline.

    Example: boothlab report runs/ada-1a2b3c4d
    """
    from boothlab import api
    from boothlab.cli.screen import progress_screen, say

    with progress_screen() as progress:
        path = api.report(run, progress)
    say(str(path))
