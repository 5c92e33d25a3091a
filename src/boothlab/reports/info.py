"""What a run report says, as plain data: gathered from the run folder alone, drawn elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from boothlab.evaluation.derived import Facts
from boothlab.evaluation.lots import COPIES, PHOTOS
from boothlab.evaluation.orders import Sets
from boothlab.evaluation.summaries import KINDS, Summary
from boothlab.metrics.metric import AnyMetric, Role
from boothlab.photos.photoset import PhotoSet
from boothlab.runs.events import Event, Stepped, Validated, Warned

if TYPE_CHECKING:
    from boothlab.reports.lacking import Lacking
    from boothlab.reports.rulings import RulingView


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot: y over x, with an interval where there is one.

    ``of`` is what it is about, which has one colour in all plots of a page (reports/figures.py); "" for none.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    of: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a gate asks of the curve of this meaning, as a level line."""

    value: float
    label: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class LinePlot:
    """Curves on the same axes; ``star`` is the step of the recommended snapshot, None where there is none."""

    title: str
    y_label: str
    curves: tuple[Curve, ...]
    caption: str = ""
    x_label: str = "optimizer steps"
    limits: tuple[Limit, ...] = ()
    star: float | None = None


@dataclass(frozen=True, slots=True)
class GridRow:
    """One prompt at one seed: the picture of each source, in the order of ``Grid.sources``."""

    prompt: str
    seed: int
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Pictures of one role, aligned by prompt and seed; sources are the base model and the snapshots."""

    subject: str
    role: Role
    sources: tuple[str, ...]
    rows: tuple[GridRow, ...]


@dataclass(frozen=True, slots=True)
class TableRow:
    """One metric on one kind of pictures against one reference, over all sources."""

    metric: AnyMetric | Facts
    pictures: str
    reference: str
    cells: tuple[Summary | None, ...]
    nulls: tuple[Mapping[str, float] | None, ...]
    """Per source what the number would be if pictures and photos were exchangeable; None where that was not asked."""

    @property
    def interval(self) -> str:
        """What the intervals of this row are, in words; "" where there is none."""
        kinds = dict.fromkeys(cell.kind for cell in self.cells if cell is not None and cell.kind != "none")
        return "; ".join(KINDS[kind] for kind in kinds)


def places(summaries: Sequence[Summary]) -> set[tuple[str, str, str]]:
    """(metric, pictures, reference) that have a row in the table, of all subjects."""
    return {(line.metric, line.pictures, line.reference.split("/")[0]) for line in summaries}


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Everything on the page of one run. ``mean_of`` names the snapshots whose mean its weights are; "" for none."""

    name: str
    state: str
    steps: int
    mean_of: str
    seconds_per_step: float | None
    warnings: tuple[str, ...]
    photo_sets: Mapping[str, PhotoSet]
    loss: tuple[Curve, ...]
    validation: tuple[Curve, ...]
    grids: tuple[Grid, ...]
    snapshots: tuple[str, ...]
    table: tuple[TableRow, ...]
    lacking: tuple[Lacking, ...]
    rulings: tuple[RulingView, ...]
    crossings: tuple[Mapping[str, Any], ...]
    advice: tuple[str, str]
    plan_toml: str
    provenance: Mapping[str, Any]


def loss_curves(events: Sequence[Event], window: int = 25) -> tuple[Curve, ...]:
    """Running means of the loss on photos and on class images over the steps.

    A single step's loss says little, because each step draws other timesteps; the mean over ``window`` steps is
    drawn (fewer where the run is short).
    """
    stepped = [event for event in events if isinstance(event, Stepped)]
    if not stepped:
        return ()
    steps = np.array([event.step for event in stepped], dtype=float)
    curves = [_smoothed("training photos", steps, np.array([e.instance_loss for e in stepped]), window)]
    if stepped[0].class_loss is not None:
        curves.append(_smoothed("class images", steps, np.array([e.class_loss for e in stepped], float), window))
    return tuple(curves)


def _smoothed(label: str, x: NDArray[np.float64], y: NDArray[np.float64], window: int) -> Curve:
    width = max(1, min(window, len(y) // 4))
    mean = np.convolve(y, np.ones(width) / width, mode="valid")
    return Curve(label, tuple(x[width - 1 :].tolist()), tuple(mean.tolist()), of=label)


def validation_curves(events: Sequence[Event]) -> tuple[Curve, ...]:
    """Loss at fixed noise on training and on held-out photos over the steps; empty without validation."""
    seen = [event for event in events if isinstance(event, Validated)]
    if len(seen) < 2:
        return ()
    steps = tuple(float(event.step) for event in seen)
    curves = [Curve("training photos", steps, tuple(event.train_loss for event in seen), of="training photos")]
    held_out = tuple(event.held_out_loss for event in seen if event.held_out_loss is not None)
    if len(held_out) == len(seen):
        curves.append(Curve("held-out photos", steps, held_out, of="held-out photos"))
    return tuple(curves)


def seconds_per_step(events: Sequence[Event]) -> float | None:
    """Median wall time of a step; None before the first one."""
    seconds = [event.seconds for event in events if isinstance(event, Stepped)]
    return float(np.median(seconds)) if seconds else None


def warnings_of(events: Sequence[Event]) -> tuple[str, ...]:
    """What the run warned of, each once."""
    return tuple(dict.fromkeys(event.message for event in events if isinstance(event, Warned)))


def grid(subject: str, role: Role, drawn: Mapping[str, Sets]) -> Grid | None:
    """Pictures of one role, the sources side by side; None when no source drew any."""
    pictures = {source: [one.picture for one in sets[role]] for source, sets in drawn.items() if sets.get(role)}
    if not pictures:
        return None
    sources = tuple(pictures)
    lengths = {len(pictures[source]) for source in sources}
    if len(lengths) > 1:
        raise ValueError(f"sources drew different numbers of pictures: {sorted(lengths)}")
    tuned = pictures[sources[-1]]
    rows = tuple(
        GridRow(picture.prompt, picture.seed, tuple(pictures[source][index].path for source in sources))
        for index, picture in enumerate(tuned)
    )
    return Grid(subject, role, sources, rows)


def score_table(
    summaries: Sequence[Summary],
    metrics: Sequence[AnyMetric | Facts],
    sources: Sequence[str],
    nulls: Sequence[Mapping[str, Any]] = (),
) -> tuple[TableRow, ...]:
    """Metrics in the order of the list, one row per kind of pictures and reference, one cell per source.

    Photographs have no prompts: their numbers stand in every row of the metric and reference.
    """
    rows = []
    expected = {(n["metric"], n["pictures"], n["reference"], n["snapshot"]): n for n in nulls}
    for metric in metrics:
        own = [line for line in summaries if line.metric == metric.name]
        found = {(line.snapshot, line.pictures, line.reference): line for line in own}
        kinds = dict.fromkeys((line.pictures, line.reference) for line in own if line.pictures != "photos")
        for pictures, reference in kinds:
            cells = (
                found.get((source, "photos" if source in (PHOTOS, COPIES) else pictures, reference))
                for source in sources
            )
            beside = (expected.get((metric.name, pictures, reference, source)) for source in sources)
            rows.append(TableRow(metric, pictures, reference, tuple(cells), tuple(beside)))
    return tuple(rows)
