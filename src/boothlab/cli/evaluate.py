"""``boothlab evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from boothlab.api.scoring import Evaluated


def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    all_: Annotated[bool, typer.Option("--all", help="Print every score, not only those that matter most.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print summaries and verdicts as JSON.")] = False,
) -> None:
    """Draw the evaluation plan with every snapshot and the base model, score it, and say which snapshot to take.

    Per-picture values are written to scores.csv in the run folder.

    Example: boothlab evaluate runs/ada-1a2b3c4d
    """
    from boothlab import api
    from boothlab.cli.screen import progress_screen, say, say_json

    with progress_screen() as progress:
        found = api.evaluate(run, progress)
    if json:
        from dataclasses import asdict

        unavailable = [asdict(line) for line in found.unavailable]
        summaries = [asdict(line) for line in found.summaries]
        say_json({"summaries": summaries, "unavailable": unavailable, "rulings": found.rulings})
        return
    for line in _lines(found, all_):
        say(line)


def _lines(found: Evaluated, everything: bool) -> list[str]:
    """What a person reads: the scores that matter most, what is missing, the verdict."""
    from boothlab.evaluation.summaries import KINDS
    from boothlab.reports.rulings import HEADLINE, source_title

    lines = []
    rows = [
        s
        for s in found.summaries
        if everything or (s.metric, s.pictures, s.reference.split("/")[0]) in HEADLINE or s.pictures == "photos"
    ]
    wanted = {metric for metric, _, _ in HEADLINE}
    for summary in rows:
        if not everything and summary.metric not in wanted:
            continue
        interval = "" if summary.low is None else f"  [{summary.low:.3f}, {summary.high:.3f}] {summary.kind}"
        value = "–" if summary.mean is None else f"{summary.mean:.3f}"
        where = f"{summary.pictures} / {summary.reference}"
        name = source_title(summary.snapshot, [])
        lines.append(f"{name:>17}  {summary.metric:<19} {where:<22} n={summary.n:<3} {value:>7}{interval}")
    lines += _lacking_lines(found, everything)
    shown = dict.fromkeys(summary.kind for summary in rows if summary.kind != "none")
    if shown:
        lines.append(f"Intervals are 95 %. {'; '.join(f'{kind}: {KINDS[kind]}' for kind in shown)}.")
    lines += found.remarks
    for ruling in found.rulings:
        lines.append("")
        for judged in ruling["verdict"]["judgements"]:
            failed = [gate["name"] for gate in judged["gates"] if gate["state"] == "failed"]
            because = f" ({', '.join(failed)} failed)" if failed else ""
            lines.append(f"{source_title(judged['name'], []):>17}  {judged['word']}{because}")
        lines.append(ruling["verdict"]["reason"])
    return lines


def _lacking_lines(found: Evaluated, everything: bool) -> list[str]:
    """A row for every metric without a number; else one for each that matters most, and the names of the others."""
    from dataclasses import asdict

    from boothlab.metrics import METRICS
    from boothlab.reports.info import places
    from boothlab.reports.lacking import lacking, parted
    from boothlab.reports.rulings import FIRST

    rows = lacking([asdict(line) for line in found.unavailable], METRICS, places(found.summaries))
    named, others = (rows, ()) if everything else parted(rows, FIRST)
    lines = [f"{'–':>17}  {row.metric.name:<19} {row.where:<22} {row.said}" for row in named]
    measured = {summary.metric for summary in found.summaries}
    names = dict.fromkeys(row.metric.name for row in others if row.metric.name not in measured)
    if names:
        lines.append(f"{'–':>17}  not measured either: {', '.join(names)}; --all says why.")
    return lines
