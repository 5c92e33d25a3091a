"""``boothlab demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("demo"),
) -> None:
    """From a few photos to a report, on the built-in model: no GPU, no download, a few minutes.

    Stopped or killed, it goes on where it was; done once, it only looks up its results.
    """
    from boothlab import api
    from boothlab.cli.screen import progress_screen, say

    with progress_screen() as progress:
        path = api.demo(out, progress)
    say(f"The report is {path.resolve()}. Open it in a browser.")
