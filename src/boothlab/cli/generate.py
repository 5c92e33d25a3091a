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
    snapshot: Annotated[
        list[str] | None,
        typer.Option(
            help='A step, "base", or "all" of them; the last if left out. May be repeated; each has the same noise.'
        ),
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Whom {it} names; the plan's first if left out.")] = None,
    negative: Annotated[str, typer.Option(help="What pictures are steered away from.")] = "",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Change how it is drawn, such as generation.guidance=5, generation.steps=40 or "
            "generation.sampler=ddim. May be repeated.",
        ),
    ] = None,
) -> None:
    """Make pictures with a trained run, and a page of them.

    The same prompt has the same noise with every snapshot and setting. Pictures that are there are not drawn again.

    Example: boothlab generate runs/ada-1a2b3c4d --prompt "a photo of {it} with a red background" --snapshot all
    """
    from boothlab import api
    from boothlab.cli.screen import progress_screen, say, warn

    prompts = prompt or ["a photo of {it}"]
    with progress_screen() as progress:
        drawn = api.generate(
            run, prompts, seeds, snapshot or (), progress, subject=subject, negative=negative, overrides=set_ or ()
        )
    for warning in drawn.warnings:
        warn(warning)
    for picture in drawn.pictures:
        say(str(picture.path))
    say(f"Look at {drawn.page}")
