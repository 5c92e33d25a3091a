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
from boothlab.reports.info import Curve, TableRow

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
    curves: Mapping[str, tuple[Curve, ...]]
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
    return RulingView(tree["subject"], verdict, tree["fresh"], _curves(tree["measured"]), shown, pairs, tuple(strip))


def _curves(measured: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Curve, ...]]:
    """Title → curves over the steps of what the verdict looks at."""
    likeness = [
        _curve("to held-out photos", measured, "likeness"),
        _curve("to training photos", measured, "likeness_train"),
    ]
    prompt = [
        _curve("tuned", measured, "prompt"),
        _curve("base model", measured, "prompt_base", band=False),
        _curve("base model, described", measured, "prompt_described", band=False),
    ]
    variety = [
        _plain("of the training photos'", measured, "diversity_photos"),
        _plain("of the base model's", measured, "diversity_base"),
    ]
    gap = [_plain("held-out − training, less the base's", measured, "loss_gap")]
    found = {
        "Likeness (0 some person, 1 this person)": likeness,
        "Prompt following": prompt,
        "Variety of bare pictures": variety,
        "Loss gap": gap,
    }
    kept = {title: tuple(curve for curve in curves if curve is not None) for title, curves in found.items()}
    return {title: curves for title, curves in kept.items() if curves}


def _curve(label: str, measured: Sequence[Mapping[str, Any]], name: str, band: bool = True) -> Curve | None:
    points = [(float(found["step"]), found[name]) for found in measured if found[name] is not None]
    if len(points) < 2:
        return None
    whole = band and all(value["low"] is not None for _, value in points)
    return Curve(
        label,
        tuple(step for step, _ in points),
        tuple(value["value"] for _, value in points),
        tuple(value["low"] for _, value in points) if whole else None,
        tuple(value["high"] for _, value in points) if whole else None,
    )


def _plain(label: str, measured: Sequence[Mapping[str, Any]], name: str) -> Curve | None:
    points = [(float(found["step"]), float(found[name])) for found in measured if found[name] is not None]
    if len(points) < 2:
        return None
    return Curve(label, tuple(step for step, _ in points), tuple(value for _, value in points))


def source_title(name: str, recommended: Sequence[str | None]) -> str:
    """Column head of a source."""
    if name.startswith("step-"):
        return f"step {int(name.removeprefix('step-'))}" + (" ★" if name in recommended else "")
    titles = {BASE: "base model", DESCRIBED: "base, described", PHOTOS: "photos themselves", COPIES: "copied photos"}
    return titles.get(name, name)
