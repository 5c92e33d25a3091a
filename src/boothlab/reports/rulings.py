"""The verdict as the page shows it: words, curves over the steps, the rows that matter most, the nearest photos."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boothlab.evaluation.lots import BASE, COPIES, DESCRIBED, PHOTOS, spoken
from boothlab.evaluation.orders import Sets
from boothlab.evaluation.verdict_gates import shown
from boothlab.photos.photoset import PhotoSet
from boothlab.reports.info import LinePlot, TableRow
from boothlab.reports.lacking import Lacking, Place
from boothlab.reports.ruling_plots import ruling_plots
from boothlab.statistics.intervals import Interval

HEADLINE: Mapping[Place, tuple[str, str]] = {
    ("identity_normalised", "context", "held_out"): ("Likeness", "to held-out photos"),
    ("identity_normalised", "context", "train"): ("Likeness", "to training photos"),
    ("prompt_following", "context", "prompt"): ("Prompt following", "1: nearer to its own prompt than to all others"),
    ("background_asked", "context", "prompt"): ("Prompt following", "of background colours, share"),
    ("face_found", "context", "none"): ("Faces", "found, share"),
    ("lpips_intra", "bare", "none"): ("Variety", "of bare pictures, LPIPS"),
    ("copied", "bare", "train"): ("Copies", "of training photos, share"),
    ("memorisation_p", "bare", "held_out"): ("Memorisation", "p of chance"),
    ("context_glue", "bare", "train"): ("Background", "of the photos in bare pictures, share"),
    ("face_pres", "class", "held_out"): ("Leak", "of the subject into the class word"),
    ("drift_lpips", "unrelated", "base"): ("Drift", "of pictures of something else, LPIPS"),
    ("lpips_cross", "context", "originals"): ("LPIPS", "to all photos"),
    ("fid", "context", "originals"): ("FID", "to all photos"),
    ("frechet_alexnet", "context", "originals"): ("Fréchet distance", "to all photos, AlexNet"),
}
"""(metric, pictures, reference) of the rows that stand in the first table → the verdict's word for it, and of what.

All other rows are folded away."""

FIRST = frozenset(HEADLINE) | {("identity", "context", "held_out")}
"""What is missed in the first table where it could not be measured: its rows, and what likeness is made from."""

FAMILIAR = ("lpips_cross", "fid", "frechet_alexnet")
"""What the source study compared models by: shown for comparison, never decisive."""


CHOSE = (
    "Expect the numbers on fresh pictures: those above chose the snapshot, and are optimistic. "
    "Another training seed may give another verdict."
)
"""What is said of the scores where the chosen snapshot was scored again."""

ALONE = (
    "The same snapshot from other initial noises. There is but one snapshot, so neither set of numbers chose it. "
    "Another training seed may give another verdict."
)
"""The same where there was nothing to choose from."""


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

    first = [row for wanted in HEADLINE for row in table if place(row) == wanted]
    return tuple(first), tuple(row for row in table if place(row) not in HEADLINE)


def place(row: TableRow) -> Place:
    """What :data:`HEADLINE` knows a row by."""
    return row.metric.name, row.pictures, row.reference.split("/")[0]


def row_title(row: TableRow) -> tuple[str, str]:
    """The verdict's word for a row, and of what; both "" for one that has none."""
    return HEADLINE.get(place(row), ("", ""))


def lacking_title(row: Lacking) -> tuple[str, str]:
    """The same of a metric without a number."""
    return next((HEADLINE[place] for place in row.places if place in HEADLINE), ("", ""))


def columns(sources: Collection[str], recommended: Sequence[str | None]) -> list[str]:
    """The sources in the order of the table: what is recommended and what it is held against come first.

    The table is wider than a screen, so what decides must not be what is cut off.
    """
    last = [BASE, DESCRIBED, *sorted(name for name in sources if name.startswith("step-")), PHOTOS, COPIES]
    wanted = dict.fromkeys([*recommended, *last])
    return [name for name in wanted if name is not None and name in sources]


def compared(sources: Collection[str]) -> str:
    """What stands side by side on the page, in words."""
    steps = sum(name.startswith("step-") for name in sources)
    said = [f"{steps} snapshot{'' if steps == 1 else 's'}"]
    if BASE in sources:
        said.append("the base model" + (", without and with a description" if DESCRIBED in sources else ""))
    if PHOTOS in sources:
        said.append("the photos themselves")
    return " · ".join(said)


def verdict_title(ruling: RulingView) -> str:
    """What is said first of one subject."""
    chosen = ruling.verdict["recommended"]
    return f"Take {source_title(chosen, [])}" if chosen else "Take none of these snapshots"


def without_title(ruling: RulingView) -> str:
    """The verdict's reason where its title says already which snapshot to take."""
    reason = str(ruling.verdict["reason"])
    chosen = ruling.verdict["recommended"]
    start = f"Take {spoken(chosen)}: " if chosen else ""
    return reason[len(start) :][:1].upper() + reason[len(start) :][1:] if reason.startswith(start) else reason


def fresh_scores(fresh: Mapping[str, Any] | None) -> str:
    """The chosen snapshot's likeness and prompt following on fresh pictures; "" where there is neither."""
    found = [
        f"{name} {shown(Interval(**fresh[key]))}"
        for key, name in (("likeness", "likeness"), ("prompt", "prompt following"))
        if fresh and fresh.get(key) and fresh[key]["value"] is not None
    ]
    return ", ".join(found)


def on_fresh_pictures(verdict: Mapping[str, Any], fresh: Mapping[str, Any] | None) -> tuple[str, str]:
    """The snapshot's scores on fresh pictures as a sentence, and what both numbers are; "" where there are none."""
    scores = fresh_scores(fresh)
    if not scores:
        return "", ""
    if len(verdict["judgements"]) == 1:
        return f"On fresh pictures: {scores}.", ALONE
    return f"On fresh pictures, which had no part in the choice: {scores}.", CHOSE


def shown_of(verdict: Mapping[str, Any]) -> str:
    """The snapshot whose pictures stand beside the verdict: the recommended one, else the last."""
    return str(verdict["recommended"] or verdict["judgements"][-1]["name"])


def ruling_view(tree: Mapping[str, Any], drawn: Mapping[str, Sets], photos: PhotoSet) -> RulingView:
    """What the page says about one subject."""
    verdict = tree["verdict"]
    shown = shown_of(verdict)
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
    titles = {BASE: "base model", DESCRIBED: "base, described", PHOTOS: "photos themselves", COPIES: "copied photos"}
    return titles.get(name) or spoken(name) + (" ★" if name in recommended else "")
