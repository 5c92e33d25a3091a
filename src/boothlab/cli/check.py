"""``boothlab check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    plan: Annotated[Path, typer.Argument(help="Plan file (TOML).")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting of the plan: path=value. May be repeated.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("runs"),
) -> None:
    """Find everything that is wrong with a plan, and what it amounts to, without loading a model.

    Example: boothlab check ada.toml
    """
    from boothlab import api, load_plan
    from boothlab.cli.screen import progress_screen, say

    with progress_screen() as progress:
        found = api.check(load_plan(plan, set_ or []), runs, progress)
    for subject in found.plan.subjects:
        say(f"subject   {subject.name}: {subject.identifier} {subject.class_noun}")
    say(
        f"photos    {found.training_photos} to train on, {found.held_out_photos} held out, "
        f"{found.rejected_photos} set aside"
    )
    say(f"training  {found.steps} steps, snapshots at {', '.join(map(str, found.snapshots))}")
    say(f"pictures  {found.pictures} for the evaluation")
    say(f"folder    {found.folder}")
    for text in found.warnings:
        say(f"warning   {text}")
