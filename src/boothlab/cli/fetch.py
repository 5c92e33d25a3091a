"""``boothlab fetch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    what: Annotated[str, typer.Argument(metavar="METRIC", help="lpips-vgg, inception, clip or dino.")],
    source: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The file or folder you have; lpips-vgg needs none.", show_default=False),
    ] = None,
) -> None:
    """Import weights that you downloaded, for a metric.

    They are put where boothlab looks for them; nothing is downloaded.

    Checkpoints are checked by their hash, read without running anything in them, and kept as safetensors.

    Example: boothlab fetch inception pt_inception-2015-12-05-6726825d.pth
    """
    from boothlab import api
    from boothlab.cli.screen import say

    say(f"Kept in {api.fetch(what, source)}.")
