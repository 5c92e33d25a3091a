"""The HTML page of a run: one file that opens from disk and needs nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import escape
from numpy.typing import NDArray
from PIL import Image

from boothlab.evaluation.summaries import KINDS, Summary
from boothlab.files import spelled
from boothlab.reports.figures import line_plot
from boothlab.reports.filling import filled
from boothlab.reports.info import LinePlot, RunInfo
from boothlab.reports.lacking import parted
from boothlab.reports.rulings import (
    FAMILIAR,
    FIRST,
    compared,
    headline,
    lacking_title,
    on_fresh_pictures,
    row_title,
    source_title,
    verdict_title,
    without_title,
)
from boothlab.statistics.digits import number, seconds

WIDEST = 384
"""Pictures are embedded at no more than so many pixels a side: a page of hundreds must stay light."""


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """The picture as a WebP data URI, for ``<img src>``."""
    image = Image.fromarray(pixels)
    image.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=88, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def file_uri(path: Path) -> str:
    """The picture file as a data URI; of one that cannot be read, a picture that says so."""
    try:
        with Image.open(path) as image:
            return data_uri(np.array(image.convert("RGB")))
    except (OSError, ValueError, SyntaxError):  # what Pillow raises on cut and altered files
        # The numbers beside it come from the scores: one bad file of hundreds must not cost the page.
        return _damaged(path)


def _damaged(path: Path) -> str:
    """A grey square with the name of the file, as an SVG data URI."""
    name = escape(spelled(f"{path.parent.name}/{path.name}"))
    half = WIDEST // 2
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDEST} {WIDEST}" width="{WIDEST}" height="{WIDEST}">'
        f'<rect width="{WIDEST}" height="{WIDEST}" fill="#ddd"/><g text-anchor="middle" font-family="sans-serif">'
        f'<text x="{half}" y="{half}" font-size="24">cannot be read</text>'
        f'<text x="{half}" y="{half + 32}" font-size="14">{name}</text></g></svg>'
    )
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def mean(summary: Summary | None) -> str:
    """The mean over pictures, or the value of the whole set."""
    return "–" if summary is None or summary.mean is None else number(summary.mean)


def interval(summary: Summary | None) -> str:
    """``[low, high]``; empty where there is no interval."""
    if summary is None or summary.low is None or summary.high is None:
        return ""
    return f"[{number(summary.low)}, {number(summary.high)}]"


def interval_kind(summary: Summary | None) -> str:
    """What the interval is, in words; empty where there is none."""
    return "" if summary is None or summary.kind == "none" else f"95 % interval: {KINDS[summary.kind]}"


def _plots(info: RunInfo) -> list[LinePlot]:
    """What is drawn over the steps: what each subject's verdict looks at, then the losses."""
    plots = [
        replace(plot, title=f"{ruling.subject}: {plot.title}" if len(info.rulings) > 1 else plot.title)
        for ruling in info.rulings
        for plot in ruling.plots
    ]
    # Of several subjects each may have another snapshot recommended: the losses are of all of them.
    star = plots[0].star if len(info.rulings) == 1 and plots else None
    if info.validation:
        said = (
            "At fixed noise, so that steps compare. A gap that opens is one sign of overfitting among others; the "
            "base model may have one too."
        )
        title = "Loss on training and held-out photos (the gap alone decides nothing)"
        plots.append(LinePlot(title, "mean squared error", info.validation, said, star=star))
    if info.loss:
        said = "Running mean: each step draws other noise, so one step's loss says little."
        plots.append(LinePlot("Training loss", "mean squared error", info.loss, said, star=star))
    return plots


def render(info: RunInfo) -> str:
    """The page as text."""
    filters: dict[str, Callable[..., Any]] = {
        "data_uri": data_uri,
        "file_uri": file_uri,
        "mean": mean,
        "interval": interval,
        "interval_kind": interval_kind,
        "source_title": source_title,
        "row_title": row_title,
        "lacking_title": lacking_title,
        "verdict_title": verdict_title,
        "without_title": without_title,
        "on_fresh_pictures": on_fresh_pictures,
        "compared": compared,
        "number": number,
        "seconds": seconds,
    }
    first, others = headline(info.table)
    lacking, others_lacking = parted(info.lacking, FIRST)
    plots = _plots(info)
    return filled(
        "run.html",
        filters,
        info=info,
        plots=[line_plot(plot) for plot in plots],
        starred=any(plot.star is not None for plot in plots),
        headline=first,
        others=others,
        lacking=lacking,
        others_lacking=others_lacking,
        familiar=FAMILIAR,
        # A column of the table is all subjects'; what is recommended for one of several is no choice for the others.
        recommended=[ruling.verdict["recommended"] for ruling in info.rulings] if len(info.rulings) == 1 else [],
        picks={ruling.subject: [ruling.verdict["recommended"]] for ruling in info.rulings},
    )
