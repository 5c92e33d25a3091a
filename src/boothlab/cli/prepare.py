"""``boothlab prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def prepare(
    photos: Annotated[Path, typer.Argument(help="Folder of photos as they come from the camera.")],
    out: Annotated[Path, typer.Option(help="Folder for the photo set.")],
    base: Annotated[str, typer.Option(help="Base model that the photos are sized for.")] = "toon",
) -> None:
    """Turn a folder of photos into a photo set, and say what became of every file.

    Example: boothlab prepare photos/ada --out sets/ada
    """
    from boothlab import api
    from boothlab.cli.screen import progress_screen, say
    from boothlab.models.config import Base

    with progress_screen() as progress:
        made = api.prepare(photos, out, base=Base(model=base), progress=progress)
    say(f"{len(made.photos)} photos kept ({len(made.held_out)} held out), {len(made.rejected)} set aside → {out}")
    for item in made.rejected:
        say(f"  {item.name} {item.reason}")
