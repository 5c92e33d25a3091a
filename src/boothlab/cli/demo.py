"""``boothlab demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("demo"),
    photos: Annotated[
        Path | None, typer.Option(help="Your own photos of one person, pet or thing; the sample photos if left out.")
    ] = None,
    class_: Annotated[str, typer.Option("--class", help="What is in your photos: person, woman, dog …")] = "person",
    base: Annotated[
        str, typer.Option(help="toon (built in), a folder, a .safetensors file, or a hub id that is on this disk.")
    ] = "toon",
    description: Annotated[
        str | None,
        typer.Option(help="Your subject in words the model knows; what these alone reach is then in the report."),
    ] = None,
) -> None:
    """Turn a few photos into a report.

    Prepared photos, tuned snapshots, pictures, scores, a verdict.
    On the built-in model, without GPU or download, it takes a few minutes. Stopped or killed, it goes on where it
    was; done once, it only looks up its results.

    Example: boothlab demo, then boothlab demo --photos photos/ada --class woman
    """
    from boothlab import api
    from boothlab.cli.screen import progress_screen, say
    from boothlab.models.config import Base

    with progress_screen() as progress:
        path = api.demo(out, photos, class_, Base(model=base), progress, description=description)
    say(f"The report is {path.resolve()}. Open it in a browser.")
