"""``boothlab evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from boothlab.api.scoring import Evaluated

DECIDING = (
    ("identity_normalised", "context", "held_out"),
    ("prompt_following", "context", "prompt"),
    ("face_found", "context", "none"),
    ("copied", "bare", "train"),
    ("face_pres", "class", "held_out"),
    ("context_glue", "bare", "train"),
)
"""(metric, pictures, reference) of the rows that are printed: what people ask first. All others wait for --all."""


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    all_: Annotated[bool, typer.Option("--all", help="Print every score, with its interval.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print summaries and verdicts as JSON.")] = False,
) -> None:
    """Draw pictures, score them, say which snapshot to take.

    The pictures are those of the evaluation plan, from the same seeds with every snapshot and the base model.
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
    """What a person reads: the answer first, then the few numbers that decide, or all of them."""
    lines = [*found.remarks, *([""] if found.remarks else [])]
    for ruling in found.rulings:
        lines += [*_answer(ruling, len(found.rulings) > 1), "", *_table(found, ruling), ""]
    if everything:
        return [*lines, *_scores(found)]
    lines += [f"Not measured: {text}" for text in _unmeasured(found)]
    run = found.run.path
    return [*lines, f"With --all: every score with its interval. `boothlab report {run}` writes the page."]


def _answer(ruling: Mapping[str, Any], several: bool) -> list[str]:
    """Which snapshot to take, and what to expect of it."""
    from boothlab.reports.rulings import on_fresh_pictures

    said = [f"{ruling['subject']}: " * several + ruling["verdict"]["reason"]]
    again, compared_with = on_fresh_pictures(ruling["verdict"], ruling["fresh"])
    if again:
        said.append(f"{again} {compared_with}")
    return said


def _table(found: Evaluated, ruling: Mapping[str, Any]) -> list[str]:
    """One subject's deciding numbers, a column for each snapshot and for the base model."""
    from boothlab.evaluation.lots import COPIES, PHOTOS
    from boothlab.reports.rulings import HEADLINE, columns, source_title

    own = "" if len(found.rulings) == 1 else f"/{ruling['subject']}"
    chosen = ruling["verdict"]["recommended"]
    drawn = {line.snapshot for line in found.summaries} - {PHOTOS, COPIES}
    sources = columns(drawn, [chosen])
    words = {judged["name"]: judged["word"] for judged in ruling["verdict"]["judgements"]}
    rows = [["", *(source_title(name, [chosen]) for name in sources)]]
    rows.append(["verdict", *(words.get(name, "") for name in sources)])
    means = {(line.metric, line.pictures, line.reference, line.snapshot): line.mean for line in found.summaries}
    for metric, pictures, reference in DECIDING:
        cells = [means.get((metric, pictures, reference + own, name)) for name in sources]
        title = " ".join(HEADLINE[metric, pictures, reference])
        rows.append([title, *("–" if mean is None else f"{mean:.2f}" for mean in cells)])
    first, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        "  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], widths, strict=True))])
        for row in rows
    ]


def _unmeasured(found: Evaluated) -> list[str]:
    """A sentence per reason for which numbers of the small table are missing."""
    from dataclasses import asdict

    from boothlab.metrics import METRICS
    from boothlab.reports.info import places
    from boothlab.reports.lacking import lacking
    from boothlab.reports.rulings import HEADLINE

    # Likeness is made of identity, which is what could not be measured.
    wanted = {place: HEADLINE[place][0] for place in DECIDING} | {("identity", "context", "held_out"): "Likeness"}
    why: dict[str, list[str]] = {}
    for row in lacking([asdict(line) for line in found.unavailable], METRICS, places(found.summaries)):
        names = [wanted[place] for place in row.places if place in wanted]
        if names:
            why.setdefault(row.reason, []).extend(names)
    order = list(dict.fromkeys(wanted.values()))
    return [f"{', '.join(sorted(set(names), key=order.index))}: {reason}" for reason, names in why.items()]


def _scores(found: Evaluated) -> list[str]:
    """Every number, and why the others are missing."""
    from dataclasses import asdict

    from boothlab.evaluation.summaries import KINDS
    from boothlab.metrics import METRICS
    from boothlab.reports.info import places
    from boothlab.reports.lacking import lacking
    from boothlab.reports.rulings import source_title

    lines = []
    for summary in found.summaries:
        interval = "" if summary.low is None else f"  [{summary.low:.3f}, {summary.high:.3f}] {summary.kind}"
        value = "–" if summary.mean is None else f"{summary.mean:.3f}"
        where = f"{summary.pictures} / {summary.reference}"
        name = source_title(summary.snapshot, [])
        lines.append(f"{name:>17}  {summary.metric:<19} {where:<22} n={summary.n:<3} {value:>7}{interval}")
    for row in lacking([asdict(line) for line in found.unavailable], METRICS, places(found.summaries)):
        lines.append(f"{'–':>17}  {row.metric.name:<19} {row.where:<22} {row.said}")
    shown = dict.fromkeys(summary.kind for summary in found.summaries if summary.kind != "none")
    if shown:
        lines.append(f"Intervals are 95 %. {'; '.join(f'{kind}: {KINDS[kind]}' for kind in shown)}.")
    return lines
