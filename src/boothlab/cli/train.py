"""``boothlab train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="Plan file (TOML).")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="Change a setting of the plan: path=value. May be repeated."
        ),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("runs"),
    track: Annotated[
        list[str] | None, typer.Option(help="A dashboard that hears it: tensorboard, mlflow, wandb. May be repeated.")
    ] = None,
) -> None:
    """Train what a plan says. The same command finds the same run and goes on where it stopped.

    Pictures on the way, in RUN/previews: --set training.validation.preview.every=50

    Example: boothlab train ada.toml --set training.steps_per_photo=60
    """
    from boothlab import api, load_plan
    from boothlab.cli.screen import progress_screen, say

    loaded = load_plan(plan, set_ or [])
    with progress_screen() as progress:
        run = api.train(loaded, runs, progress, track=track or [])
    say(str(run.path))
