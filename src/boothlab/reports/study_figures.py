"""The plots of a study: likeness × prompt following, differences with their intervals, a map over two settings."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup

from boothlab.reports.figures import COLOURS, INK, SOFT, WIDTH, Drawing, Key, Style, as_svg, canvas, swatch

WORD_COLOURS = {"good": "#2f7d4f", "underfitted": SOFT, "overfitted": "#c2571a", "copying": "#a11d33"}
"""Colours of the verdict's words; all others are blue. The marker's shape says the same."""

NOT_KNOWN = "#9aa4b0"
"""Grey, for what is not measured or not shown."""

CLEAR_GAP = 0.5
"""The colours of memorisation reach from 0 to so much at least: smaller gaps must not look like large ones."""

MOST_BARS = 8
"""With more runs only those on the front and the chosen one have their intervals drawn."""

LINE = 0.19
"""Inches that a line of text takes."""

LETTERS = 42
"""So many letters of a label fit on a line across a drawing."""

WORD_MARKERS = {"good": "o", "underfitted": "v", "overfitted": "^", "copying": "X"}

AROUND = ((8, 8), (-8, 8), (8, -8), (-8, -8), (0, 12), (0, -12), (13, 0), (-13, 0))
"""Points from a mark at which its number may stand, the best first."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One run on the Pareto plot; ``x`` and ``y`` are (value, low, high), ``front`` tells that no run beats it.

    ``gap`` is how much more alike to training than to held-out photos it is, on the scale of likeness: the part of
    the likeness that is learned by heart. None: not measured. ``note`` says why it may not be taken, "" where it may.
    """

    label: str
    x: tuple[float, float | None, float | None]
    y: tuple[float, float | None, float | None]
    word: str
    front: bool
    chosen: bool
    gap: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One comparison of a forest plot: values of an axis, a difference with its interval, and whether it is more than
    chance."""

    axis: str
    label: str
    value: float
    low: float | None
    high: float | None
    shown: bool


@dataclass(frozen=True, slots=True)
class Forest:
    """The differences that all axes make to one number."""

    column: str
    bars: tuple[Bar, ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Means of one column over two settings; None where no run is, NaN where its runs have no number.

    ``of`` says over what.
    """

    title: str
    x_label: str
    y_label: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    cells: tuple[tuple[float | None, ...], ...]
    of: str = "all trainings there"


def pareto(spots: Sequence[Spot], x_label: str, y_label: str) -> Drawing:
    """One mark per run, and the front as a line; memorisation as colour.

    The marker's shape is the verdict's word; where no gap is known, its colour is too. The recommended run and those
    on the front have signs beside their marks, which the key explains.
    """
    named = sorted(
        (spot for spot in spots if spot.chosen or spot.front), key=lambda s: (not s.chosen, s.x[0], s.label)
    )
    others = [spot for spot in named if not spot.chosen]
    signs = ["★"] * (len(named) - len(others)) + [str(place) for place, _ in enumerate(others, 1)]
    with canvas(4.1) as (figure, axes):
        from matplotlib.ticker import MaxNLocator

        shade = _shades(figure, axes, [spot.gap for spot in spots if spot.gap is not None])
        for spot in spots:
            _mark(axes, spot, shade, spot in named or len(spots) <= MOST_BARS)
        line = sorted((spot.x[0], spot.y[0]) for spot in spots if spot.front)
        axes.plot([x for x, _ in line], [y for _, y in line], color=INK, linewidth=0.9, linestyle=":")
        # Of a small range the labels are long, and lay on one another.
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(alpha=0.25)
        axes.margins(0.07)
        _signs(figure, axes, spots, list(zip(named, signs, strict=True)))
        svg = as_svg(figure, f"{len(spots)} runs by likeness and prompt following. {_said(named)}")
    key = [Key(Markup("<b>{}</b>").format(sign), _run(spot)) for spot, sign in zip(named, signs, strict=True)]
    return Drawing(
        "Likeness and prompt following", svg, _caption(spots, shade is not None), (*key, *_words(spots, shade)), True
    )


def _run(spot: Spot) -> str:
    said = "; ".join(text for text in (spot.word, spot.note) if text)
    return f"{spot.label}: likeness {spot.x[0]:.2f}, prompt following {spot.y[0]:.2f}" + (
        f" ({said})" if said else ""
    )


def _said(named: Sequence[Spot]) -> str:
    return "; ".join(("recommended: " if spot.chosen else "") + _run(spot) for spot in named)


def _caption(spots: Sequence[Spot], coloured: bool) -> str:
    said = ["The dotted line joins the runs that no other run beats on both."]
    if any(spot.chosen and not spot.front for spot in spots):
        said.append("★ lies off it: runs on the line failed a gate, took more steps, or are not shown to be better.")
    if coloured:
        said.append(
            "Colour: how much more alike the pictures are to the photos trained on than to photos never seen, which "
            "is what was learned by heart."
        )
    return " ".join(said)


def _words(spots: Sequence[Spot], shade: object) -> list[Key]:
    """The shapes that are there, and the verdicts they stand for."""
    shapes: dict[tuple[str, str], list[str]] = {}
    for spot in spots:
        colour = SOFT if shade is not None else WORD_COLOURS.get(spot.word, COLOURS[0])
        own = shapes.setdefault((WORD_MARKERS.get(spot.word, "s"), colour), [])
        own += [spot.word or "not judged"] if (spot.word or "not judged") not in own else []
    return [Key(swatch(Style(colour, marker, "")), ", ".join(words)) for (marker, colour), words in shapes.items()]


def _mark(axes: Any, spot: Spot, shade: Callable[[float], Any] | None, bars: bool) -> None:
    colour = WORD_COLOURS.get(spot.word, COLOURS[0]) if shade is None else NOT_KNOWN
    if shade is not None and spot.gap is not None:
        colour = shade(spot.gap)
    axes.errorbar(
        spot.x[0],
        spot.y[0],
        xerr=_bars(spot.x) if bars else None,
        yerr=_bars(spot.y) if bars else None,
        color=colour,
        marker=WORD_MARKERS.get(spot.word, "s"),
        markersize=10 if spot.chosen else 6.5,
        markeredgecolor=INK if spot.chosen else colour,
        elinewidth=0.8,
        alpha=0.95 if spot.front or spot.chosen else 0.55,
    )


def _signs(figure: Any, axes: Any, spots: Sequence[Spot], named: Sequence[tuple[Spot, str]]) -> None:
    """Each sign at the first place around its mark where neither a mark nor another sign is."""
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    marks = [axes.transData.transform((spot.x[0], spot.y[0])) / scale for spot in spots]
    taken = [(float(x), float(y)) for x, y in marks]
    for spot, sign in named:
        x, y = axes.transData.transform((spot.x[0], spot.y[0])) / scale
        places = [(x + reach * dx, y + reach * dy) for reach in (1, 1.7, 2.5) for dx, dy in AROUND]
        free = (p for p in places if all(math.hypot(p[0] - q[0], p[1] - q[1]) >= 9 for q in taken))
        place = next(free, places[0])
        taken.append(place)
        note = axes.annotate(
            sign, (spot.x[0], spot.y[0]), xytext=(place[0] - x, place[1] - y), textcoords="offset points",
            ha="center", va="center", fontsize=11, fontweight="bold",
        )  # fmt: skip
        note.set_in_layout(False)


def heat_map(found: HeatMap, scale: tuple[float, float] = (0.0, 1.0)) -> Drawing:
    """One square per combination, its number written in it; ``scale`` is where the colours begin and end."""
    import numpy as np

    width = max(WIDTH, 0.58 * len(found.x) + 1.0)
    with canvas(1.6 + 0.44 * len(found.y), width) as (figure, axes):
        values = np.array([[math.nan if cell is None else cell for cell in row] for row in found.cells])
        drawn = axes.pcolormesh(values, cmap="cividis", vmin=scale[0], vmax=scale[1], edgecolors="white", linewidth=2)
        axes.set_xticks(np.arange(len(found.x)) + 0.5, found.x)
        axes.set_yticks(np.arange(len(found.y)) + 0.5, found.y)
        axes.invert_yaxis()
        for i, row in enumerate(found.cells):
            for j, cell in enumerate(row):
                text, ink = _cell(cell, scale)
                axes.text(j + 0.5, i + 0.5, text, ha="center", va="center", color=ink)
        axes.tick_params(length=0)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_xlabel(found.x_label)
        axes.set_ylabel(found.y_label)
        figure.colorbar(drawn, ax=axes, location="bottom", aspect=34, label=found.title.lower())
        rows = zip(found.y, found.cells, strict=True)
        said = "; ".join(
            f"{found.y_label} {y}: "
            + ", ".join(f"{_cell(c, scale)[0]} at {x}" for x, c in zip(found.x, row, strict=True))
            for y, row in rows
        )
        svg = as_svg(figure, f"{found.title} over {found.x_label} and {found.y_label}. {said}".replace("\n", " "))
    return Drawing(f"{found.title} over {found.x_label} and {found.y_label}", svg, f"Means over {found.of}.")


def _cell(cell: float | None, scale: tuple[float, float]) -> tuple[str, str]:
    """What is written in a square, and in which colour."""
    if cell is None:
        return "not\nrun", SOFT
    if math.isnan(cell):
        return "–", SOFT
    return f"{cell:.2f}", "white" if cell < sum(scale) / 2 else "black"


def scales(maps: Iterable[HeatMap]) -> dict[str, tuple[float, float]]:
    """Title → one scale for all maps of that number: 0 to 1, and further only where a value lies outside."""
    found: dict[str, tuple[float, float]] = {}
    for one in maps:
        known = [cell for row in one.cells for cell in row if cell is not None and not math.isnan(cell)]
        low, high = found.get(one.title, (0.0, 1.0))
        found[one.title] = (min([low, *known]), max([high, *known]))
    return found


def forest(found: Forest) -> Drawing:
    """A heading per axis, and per comparison its values above a line: difference and 95 % interval."""
    with canvas(_height(found.bars)) as (figure, axes):
        axes.axvline(0.0, color=INK, linewidth=0.8)
        across = axes.get_yaxis_transform()
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
        place = 0.0
        for axis, bars in groupby(found.bars, key=lambda bar: bar.axis):
            axes.text(0, place + 0.5, _short(axis), transform=across, va="center", fontweight="bold", bbox=behind)
            place += 1.0
            for bar in bars:
                for line in _wrapped(bar.label):
                    axes.text(0, place + 0.5, line, transform=across, va="center", bbox=behind)
                    place += 1.0
                _difference(axes, bar, place + 0.4)
                place += 1.0
            place += 0.4
        axes.set_ylim(place, 0)
        axes.set_yticks([])
        axes.set_xlabel(f"difference in {found.column}")
        axes.grid(alpha=0.25, axis="x")
        axes.spines[["left"]].set_visible(False)
        said = "; ".join(f"{bar.axis} {bar.label}: {bar.value:+.3g}" for bar in found.bars)
        title = f"Difference in {found.column} (right of 0: more)"
        svg = as_svg(figure, f"{title}. {said}")
    kinds = {True: "more than chance", False: "not shown to be more than chance"}
    key = tuple(
        Key(swatch(Style(COLOURS[0] if shown else NOT_KNOWN), hollow=not shown), text)
        for shown, text in kinds.items()
        if any(bar.shown == shown for bar in found.bars)
    )
    return Drawing(title, svg, found.caption, key)


def _height(bars: Sequence[Bar]) -> float:
    lines = sum(len(_wrapped(bar.label)) + 1 for bar in bars) + 1.4 * len([*groupby(bar.axis for bar in bars)])
    return 0.55 + LINE * lines


def _wrapped(label: str) -> list[str]:
    return textwrap.wrap(label, LETTERS) or [""]


def _short(axis: str) -> str:
    return textwrap.shorten(axis, LETTERS, placeholder=" …")


def _difference(axes: Any, bar: Bar, place: float) -> None:
    axes.errorbar(
        bar.value,
        place,
        xerr=_bars((bar.value, bar.low, bar.high)),
        color=COLOURS[0] if bar.shown else NOT_KNOWN,
        marker="o",
        markerfacecolor=COLOURS[0] if bar.shown else "white",
        elinewidth=1.6,
    )


def _shades(figure: Any, axes: Any, gaps: Sequence[float]) -> Callable[[float], Any] | None:
    """Gap → colour, with its scale below the plot; None where no gap is known."""
    if not gaps:
        return None
    import matplotlib as mpl

    scale = mpl.colors.Normalize(0.0, max(*gaps, CLEAR_GAP), clip=True)
    # From blue to yellow through grey: told apart by people who confuse red and green, and in print.
    shades = mpl.colormaps["cividis"]
    bar = mpl.cm.ScalarMappable(scale, shades)
    label = "learned by heart: likeness to training\nphotos − to held-out photos"
    figure.colorbar(bar, ax=axes, location="bottom", aspect=34, label=label)
    return lambda gap: shades(scale(gap))


def _bars(value: tuple[float, float | None, float | None]) -> list[list[float]] | None:
    mean, low, high = value
    return None if low is None or high is None else [[max(mean - low, 0.0)], [max(high - mean, 0.0)]]
