"""The verdict as the page shows it: words, curves over the steps, the rows that matter most, the nearest photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boothlab.evaluation.lots import BASE, COPIES, DESCRIBED, PHOTOS
from boothlab.evaluation.orders import Sets
from boothlab.photos.photoset import PhotoSet
from boothlab.reports.info import LinePlot, TableRow
from boothlab.reports.ruling_plots import ruling_plots

HEADLINE = (
    ("identity_normalised", "context", "held_out"),
    ("identity_normalised", "context", "train"),
    ("prompt_following", "context", "prompt"),
    ("background_asked", "context", "prompt"),
    ("face_found", "context", "none"),
    ("lpips_intra", "bare", "none"),
    ("copied", "bare", "train"),
    ("memorisation_p", "bare", "held_out"),
    ("context_glue", "bare", "train"),
    ("face_pres", "class", "held_out"),
    ("drift_lpips", "unrelated", "base"),
    ("lpips_cross", "context", "originals"),
    ("fid", "context", "originals"),
    ("frechet_alexnet", "context", "originals"),
)
"""(metric, pictures, reference) of the rows that stand in the first table; all others are folded away."""

FIRST = frozenset(HEADLINE) | {("identity", "context", "held_out")}
"""What is missed in the first table where it could not be measured: its rows, and what likeness is made from."""

FAMILIAR = ("lpips_cross", "fid", "frechet_alexnet")
"""What the source study compared models by: shown for comparison, never decisive."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A drawn picture and the training photo nearest to it."""

    picture: Path
    photo: NDArray[np.uint8]
    distance: float
    flagged: bool


@dataclass(frozen=True, slots=True)
class RulingView:
    """One subject's verdict: the tree of ``summary.json``, and what is drawn from it.

    ``shown`` is the snapshot whose pictures are looked at first: the recommended one, else the last.
    """

    subject: str
    verdict: Mapping[str, Any]
    fresh: Mapping[str, Any] | None
    plots: tuple[LinePlot, ...]
    shown: str
    pairs: tuple[Pair, ...]
    filmstrip: tuple[Path, ...]


def headline(table: Sequence[TableRow]) -> tuple[tuple[TableRow, ...], tuple[TableRow, ...]]:
    """The rows of the first table, in its order, and all the others. A reference may name a subject after "/"."""

    def key(row: TableRow) -> tuple[str, str, str]:
        return row.metric.name, row.pictures, row.reference.split("/")[0]

    first = [row for wanted in HEADLINE for row in table if key(row) == wanted]
    return tuple(first), tuple(row for row in table if key(row) not in HEADLINE)


def ruling_view(tree: Mapping[str, Any], drawn: Mapping[str, Sets], photos: PhotoSet) -> RulingView:
    """What the page says about one subject."""
    verdict = tree["verdict"]
    names = [found["name"] for found in verdict["judgements"]]
    shown = verdict["recommended"] or names[-1]
    sets = drawn[shown]
    bare = [one.picture.path for one in sets.get("bare", [])]
    near = [item for item in tree["near"] if item["source"] == shown]
    ranked = sorted(near, key=lambda item: float(item["distance"]))
    pairs = tuple(
        Pair(bare[item["picture"]], photos.train[item["photo"]].pixels, item["distance"], item["flagged"])
        for item in ranked[:8]
    )
    strip = [one.picture.path for role in ("bare", "context") for one in sets.get(role, [])[:3]]
    plots = ruling_plots(tree["measured"], verdict["recommended"])
    return RulingView(tree["subject"], verdict, tree["fresh"], plots, shown, pairs, tuple(strip))


def source_title(name: str, recommended: Sequence[str | None]) -> str:
    """Column head of a source."""
    if name.startswith("step-"):
        return f"step {int(name.removeprefix('step-'))}" + (" ★" if name in recommended else "")
    titles = {BASE: "base model", DESCRIBED: "base, described", PHOTOS: "photos themselves", COPIES: "copied photos"}
    return titles.get(name, name)
