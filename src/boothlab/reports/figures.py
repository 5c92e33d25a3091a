"""Plots as SVG text, the same bytes for the same numbers, and line plots among them.

Words of any length stand in the page beside the drawing, where they wrap: a legend inside it would take the plot's
room. On a phone a drawing is about 315 px wide, so none is much wider than ``WIDTH`` and its letters stay readable.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup, escape

from boothlab.reports.info import Curve, LinePlot

RC = {"svg.hashsalt": "boothlab", "font.size": 10, "svg.fonttype": "none", "text.parse_math": False}
"""The same bytes for the same numbers, text as text, and a label with dollars is no formula."""

WIDTH = 4.3
"""Inches: 310 points, so that letters of 10 points are 10 px on a phone."""

COLOURS = ("#1f5fa8", "#c2571a", "#2f7d4f", "#7a4fa3")
"""Dark enough on white, and told apart by people who confuse red and green."""

INK, SOFT = "#1c2430", "#5b6675"


@dataclass(frozen=True, slots=True)
class Style:
    """How a series is drawn; ``dash`` is a line style of matplotlib, "" for marks without a line."""

    colour: str
    marker: str = "o"
    dash: str = "-"


MEANINGS = {
    "held-out photos": Style(COLOURS[0]),
    "training photos": Style(COLOURS[1], "^"),
    "class images": Style(COLOURS[2], "D"),
    "this run": Style(COLOURS[3]),
    "base model": Style(SOFT, "s"),
    "base model, described": Style(SOFT, "v", ":"),
    "gap": Style(INK),
}
"""What a curve can be about. One colour each, in every plot."""

SERIES = tuple(
    Style(COLOURS[place % 4], marker, "-" if place < 4 else "-.") for place, marker in enumerate("os^DvPX*")
)
"""Styles of curves that only differ from each other."""

MOST_MARKED = 12
"""A curve of more points has no mark at each."""


@dataclass(frozen=True, slots=True)
class Key:
    """A line of the list beside a drawing: a mark as it is drawn, and what it stands for."""

    mark: Markup
    text: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """An ``<svg>`` with the words that belong to it; ``wide`` ones have their key at their side if there is room."""

    title: str
    svg: Markup
    caption: str = ""
    key: tuple[Key, ...] = ()
    wide: bool = False


SHAPES = {
    "s": "M10 3h8v8h-8z",
    "^": "M14 2l5 9h-10z",
    "v": "M14 12l5-9h-10z",
    "D": "M14 2l5 5-5 5-5-5z",
    "P": "M12.5 2h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z",
    "X": "M10 5l2-2 2 2 2-2 2 2-2 2 2 2-2 2-2-2-2 2-2-2 2-2z",
    "*": "M14 1l1.6 4.2 4.4.1-3.5 2.8 1.2 4.4-3.7-2.5-3.7 2.5 1.2-4.4-3.5-2.8 4.4-.1z",
    "o": "M10 7a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
}
"""Matplotlib's markers as paths about (14, 7)."""

DASHES = {"-": "", "--": "5 3", ":": "1.5 2.5", "-.": "6 2 1.5 2"}


def swatch(style: Style, hollow: bool = False) -> Markup:
    """A series as a small picture for the key."""
    line = shape = ""
    if style.dash:
        line = f'<path d="M1 7h26" stroke-width="1.8" stroke-dasharray="{DASHES[style.dash]}"/>'
    if style.marker:
        shape = f'<path d="{SHAPES[style.marker]}" fill="{"#fff" if hollow else style.colour}"/>'
    return Markup(  # noqa: S704 - made of constants of this file
        f'<svg class="swatch" width="28" height="14" viewBox="0 0 28 14" aria-hidden="true" fill="none" '
        f'stroke="{style.colour}">{line}{shape}</svg>'
    )


@contextmanager
def canvas(height: float, width: float = WIDTH) -> Iterator[tuple[Any, Any]]:
    """A figure of so many inches and its axes, in the house's style."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(RC):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        yield figure, axes


def as_svg(figure: Any, said: str) -> Markup:
    """The figure as one image to who listens, who is told what ``said`` says."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    start = text.index("<svg") + len("<svg")
    return Markup(f'<svg role="img" aria-label="{escape(said)}"{text[start:]}')  # noqa: S704 - matplotlib escapes


def line_plot(plot: LinePlot) -> Drawing:
    """One line per curve with a band for its interval, the limits of gates as level lines, ★ as an upright one."""
    styles = [
        MEANINGS[curve.of] if curve.of in MEANINGS else SERIES[place % len(SERIES)]
        for place, curve in enumerate(plot.curves)
    ]
    with canvas(2.8) as (figure, axes):
        from matplotlib.ticker import MaxNLocator

        for curve, style in zip(plot.curves, styles, strict=True):
            marker = style.marker if _marked(curve) else None
            axes.plot(curve.x, curve.y, color=style.colour, marker=marker, linestyle=style.dash, linewidth=1.8)
            if curve.low is not None and curve.high is not None:
                axes.fill_between(curve.x, curve.low, curve.high, color=style.colour, alpha=0.15, linewidth=0)
        for limit in plot.limits:
            axes.axhline(limit.value, color=_colour(limit.of), linestyle="--", linewidth=1.1)
        if plot.star is not None:
            axes.axvline(plot.star, color=INK, linewidth=0.9)
            top = axes.get_xaxis_transform()
            axes.text(plot.star, 1.01, "★", transform=top, ha="center", va="bottom", fontsize=12)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        axes.set_xlabel(plot.x_label)
        axes.set_ylabel(plot.y_label)
        axes.grid(alpha=0.25)
        svg = as_svg(figure, f"{plot.title}. {'; '.join(map(_said, plot.curves))}")
    lines = [
        Key(swatch(style if _marked(curve) else replace(style, marker="")), curve.label)
        for style, curve in zip(styles, plot.curves, strict=True)
        if curve.label
    ]
    lines = lines if len(lines) > 1 or plot.limits else []
    lines += [Key(swatch(Style(_colour(limit.of), "", "--")), limit.label) for limit in plot.limits]
    return Drawing(plot.title, svg, plot.caption, tuple(lines))


def _marked(curve: Curve) -> bool:
    return len(curve.x) <= MOST_MARKED


def _colour(of: str) -> str:
    return MEANINGS[of].colour if of in MEANINGS else INK


def _said(curve: Curve) -> str:
    """A curve in words: where it begins and where it ends."""
    name = f"{curve.label}: " if curve.label else ""
    return f"{name}{curve.y[0]:.3g} at {curve.x[0]:.4g}, {curve.y[-1]:.3g} at {curve.x[-1]:.4g}"
