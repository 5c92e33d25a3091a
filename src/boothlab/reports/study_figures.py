"""The plots of a study as SVG text: likeness × prompt following, and a map over two settings."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from boothlab.reports.figures import COLOURS, RC

WORD_COLOURS = {"good": "#2f7d4f", "underfitted": "#5b6675", "overfitted": "#c2571a", "copying": "#a11d33"}
"""Colours of the verdict's words; all others are blue. The marker's shape says the same."""

NOT_KNOWN = "#9aa4b0"
"""Grey, for what is not measured or not shown."""

CLEAR_GAP = 0.5
"""The colours of memorisation reach from 0 to so much at least: smaller gaps must not look like large ones."""

LONGEST_LABEL = 44
"""Characters of a run's name beside its mark."""

MOST_BARS = 8
"""With more runs only those on the front and the chosen one have their intervals drawn."""

WORD_MARKERS = {"good": "o", "underfitted": "v", "overfitted": "^", "copying": "X"}


@dataclass(frozen=True, slots=True)
class Spot:
    """One run on the Pareto plot; ``x`` and ``y`` are (value, low, high), ``front`` tells that no run beats it.

    ``gap`` is how much more alike to training than to held-out photos it is, on the scale of likeness: the part of
    the likeness that is learned by heart. None: not measured.
    """

    label: str
    x: tuple[float, float | None, float | None]
    y: tuple[float, float | None, float | None]
    word: str
    front: bool
    chosen: bool
    gap: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """One comparison of a forest plot: a difference with its interval, and whether it is more than chance."""

    label: str
    value: float
    low: float | None
    high: float | None
    shown: bool


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Means of one column over two settings; None where no run is."""

    title: str
    x_label: str
    y_label: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    cells: tuple[tuple[float | None, ...], ...]


def pareto(spots: Sequence[Spot], x_label: str, y_label: str) -> str:
    """An ``<svg>`` with one mark per run, 95 % intervals, and the front as a line; memorisation as colour.

    The marker's shape is the verdict's word; where no gap is known, its colour is too.
    """
    named = [spot for spot in spots if spot.chosen or spot.front]
    with _figure((9.0, 4.4)) as (figure, axes, done):
        shade = _shades(figure, axes, [spot.gap for spot in spots if spot.gap is not None])
        for spot in spots:
            colour = WORD_COLOURS.get(spot.word, COLOURS[0]) if shade is None else NOT_KNOWN
            if shade is not None and spot.gap is not None:
                colour = shade(spot.gap)
            axes.errorbar(
                spot.x[0],
                spot.y[0],
                xerr=_bars(spot.x) if spot in named or len(spots) <= MOST_BARS else None,
                yerr=_bars(spot.y) if spot in named or len(spots) <= MOST_BARS else None,
                color=colour,
                marker=WORD_MARKERS.get(spot.word, "s"),
                markersize=11 if spot.chosen else 6,
                markeredgecolor="#1c2430" if spot.chosen else colour,
                elinewidth=0.8,
                alpha=0.95 if spot.front or spot.chosen else 0.55,
            )
        for spot in named:
            label = spot.label if len(spot.label) <= LONGEST_LABEL else f"{spot.label[: LONGEST_LABEL - 1]}…"
            place = (spot.x[0], spot.y[0])
            note = axes.annotate(label, place, xytext=(5, 4), textcoords="offset points", fontsize=8)
            # A long name may reach beyond the axes, but must not make them smaller.
            note.set_in_layout(False)
        line = sorted((spot.x[0], spot.y[0]) for spot in spots if spot.front)
        axes.plot([x for x, _ in line], [y for _, y in line], color="#1c2430", linewidth=0.8, linestyle=":")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        return str(done(figure))


def heat_map(found: HeatMap) -> str:
    """An ``<svg>`` with one square per combination, its number written in it."""
    with _figure((max(3.6, 0.9 * len(found.x) + 1.6), max(2.4, 0.5 * len(found.y) + 1.4))) as (figure, axes, done):
        values = [[math.nan if cell is None else cell for cell in row] for row in found.cells]
        known = [cell for row in found.cells for cell in row if cell is not None]
        axes.imshow(values, cmap="cividis", aspect="auto")
        axes.set_xticks(range(len(found.x)), found.x)
        axes.set_yticks(range(len(found.y)), found.y)
        middle = (min(known) + max(known)) / 2
        for i, row in enumerate(found.cells):
            for j, cell in enumerate(row):
                if cell is not None:
                    ink = "white" if cell < middle else "black"
                    axes.text(j, i, f"{cell:.3g}", ha="center", va="center", color=ink, fontsize=9)
        axes.set_title(found.title, loc="left", fontweight="bold")
        axes.set_xlabel(found.x_label)
        axes.set_ylabel(found.y_label)
        return str(done(figure))


def forest(bars: Sequence[Bar], title: str) -> str:
    """An ``<svg>`` with one line per comparison: difference and 95 % interval; filled where more than chance."""
    with _figure((9.0, 1.1 + 0.32 * len(bars))) as (figure, axes, done):
        axes.axvline(0.0, color="#1c2430", linewidth=0.8)
        for place, bar in enumerate(reversed(bars)):
            axes.errorbar(
                bar.value,
                place,
                xerr=_bars((bar.value, bar.low, bar.high)),
                color=COLOURS[0] if bar.shown else NOT_KNOWN,
                marker="o",
                markerfacecolor=COLOURS[0] if bar.shown else "white",
                elinewidth=1.6,
            )
        axes.set_yticks(range(len(bars)), [bar.label for bar in reversed(bars)])
        axes.set_ylim(-0.6, len(bars) - 0.4)
        axes.set_title(title, loc="left", fontweight="bold")
        axes.grid(alpha=0.25, axis="x")
        axes.spines[["top", "right", "left"]].set_visible(False)
        return str(done(figure))


def _shades(figure: Any, axes: Any, gaps: Sequence[float]) -> Callable[[float], Any] | None:
    """Gap → colour, with its scale beside the plot; None where no gap is known."""
    if not gaps:
        return None
    import matplotlib as mpl

    scale = mpl.colors.Normalize(0.0, max(*gaps, CLEAR_GAP), clip=True)
    # From blue to yellow through grey: told apart by people who confuse red and green, and in print.
    shades = mpl.colormaps["cividis"]
    figure.colorbar(
        mpl.cm.ScalarMappable(scale, shades), ax=axes, label="memorisation: likeness to training − to held-out photos"
    )
    return lambda gap: shades(scale(gap))


def _bars(value: tuple[float, float | None, float | None]) -> list[list[float]] | None:
    mean, low, high = value
    return None if low is None or high is None else [[max(mean - low, 0.0)], [max(high - mean, 0.0)]]


class _figure:  # noqa: N801 - used as a statement, like the context managers of the standard library
    """A matplotlib figure in the house's style, and what turns it into text."""

    def __init__(self, size: tuple[float, float]) -> None:
        self.size = size

    def __enter__(self) -> tuple[Any, Any, Any]:
        import matplotlib as mpl

        mpl.use("svg")
        import matplotlib.pyplot as plt

        self.context = mpl.rc_context(RC)
        self.context.__enter__()
        self.figure, axes = plt.subplots(figsize=self.size, layout="constrained")
        return self.figure, axes, _as_text

    def __exit__(self, *problem: object) -> None:
        import matplotlib.pyplot as plt

        plt.close(self.figure)
        self.context.__exit__(None, None, None)


def _as_text(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
