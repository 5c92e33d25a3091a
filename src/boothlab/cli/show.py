"""``boothlab show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    diff: Annotated[bool, typer.Option("--diff", help="Only what differs from the defaults.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show a run: its state, its snapshots, its plan.

    Example: boothlab show runs/ada-1a2b3c4d --diff
    """
    from boothlab import api
    from boothlab.cli.screen import say, say_json

    found = api.show(run)
    if json and diff:
        say_json([{"setting": path, "value": new, "default": old} for path, old, new in found.differences])
        return
    if json:
        status = {"state": found.status.state, "step": found.status.step, "reason": found.status.reason}
        say_json({"status": status, "snapshots": found.snapshots, "plan": found.tree(), "summary": found.summary})
        return
    reason = f" ({found.status.reason})" if found.status.reason else ""
    say(f"{found.run.name}: {found.status.state} at step {found.status.step}{reason}")
    if found.mean_of:
        say(f"not trained: its weights are the mean of {found.mean_of}")
    say(f"snapshots: {', '.join(map(str, found.snapshots)) or 'none'}")
    if diff:
        for path, old, new in found.differences:
            say(f"{path}: {new!r} (default {old!r})")
    else:
        say("\n" + found.toml())
