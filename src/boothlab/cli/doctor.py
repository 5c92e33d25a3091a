"""``boothlab doctor``."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what works on this machine.

    Example: boothlab doctor
    """
    from dataclasses import asdict

    from boothlab import api
    from boothlab.cli.screen import say, say_json

    found = api.doctor()
    if json:
        say_json([asdict(finding) for finding in found])
        return
    for finding in found:
        say(f"{'ok ' if finding.works else 'no '} {finding.name}: {finding.detail}")
