"""``boothlab evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Draw the evaluation plan with every snapshot and the base model, and score it.

    Example: boothlab evaluate runs/ada-1a2b3c4d
    """
    from dataclasses import asdict

    from boothlab import api
    from boothlab.cli.screen import progress_screen, say, say_json

    with progress_screen() as progress:
        found = api.evaluate(run, progress)
    if json:
        say_json([asdict(line) for line in found.summaries])
        return
    for line in found.summaries:
        interval = "" if line.low is None else f"  [{line.low:.4f}, {line.high:.4f}]"
        say(f"{line.snapshot:>12}  {line.metric:<14} {line.reference:<10} n={line.n:<3} {line.mean:.4f}{interval}")
    for item in found.unavailable:
        say(f"{item.metric} ({item.reference}): not available, {item.reason}")
