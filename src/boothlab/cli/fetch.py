"""``boothlab fetch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    what: Annotated[str, typer.Argument(help="lpips-vgg, inception, clip or dino.")],
    source: Annotated[
        Path | None, typer.Argument(help="The file or folder you have; lpips-vgg needs none.", show_default=False)
    ] = None,
) -> None:
    """Put the weights of a metric where boothlab looks for them. Nothing is downloaded.

    Checkpoints are checked by their hash, read without running anything in them, and kept as safetensors.

    Example: boothlab fetch inception pt_inception-2015-12-05-6726825d.pth
    """
    from boothlab import api
    from boothlab.cli.screen import say

    say(f"Kept in {api.fetch(what, source)}.")
