"""Curves as SVG text, the same bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence

from boothlab.reports.info import Curve

RC = {"svg.hashsalt": "boothlab", "font.size": 10, "svg.fonttype": "none", "text.parse_math": False}
"""The same bytes for the same numbers, text as text, and a label with dollars is no formula."""

COLOURS = ("#1f5fa8", "#c2571a", "#2f7d4f", "#7a4fa3")
"""Dark enough on white, and told apart by people who confuse red and green."""


def line_plot(curves: Sequence[Curve], title: str, y_label: str, x_label: str = "optimizer steps") -> str:
    """An ``<svg>`` element with one line per curve and a band for its interval."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    with mpl.rc_context(RC):
        figure, axes = plt.subplots(figsize=(5.2, 3.2), layout="constrained")
        for index, curve in enumerate(curves):
            colour = COLOURS[index % len(COLOURS)]
            marker = "o" if len(curve.x) <= 12 else None
            axes.plot(curve.x, curve.y, color=colour, label=curve.label, marker=marker, linewidth=1.8)
            if curve.low is not None and curve.high is not None:
                axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
        axes.set_title(title, loc="left", fontweight="bold")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if len(curves) > 1:
            axes.legend(frameon=False)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]
