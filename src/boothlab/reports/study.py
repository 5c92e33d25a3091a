"""The HTML page of a study, from plain rows: one file that opens from disk and needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boothlab.reports.figures import Drawing, line_plot
from boothlab.reports.filling import filled
from boothlab.reports.info import LinePlot
from boothlab.reports.lacking import Lacking
from boothlab.reports.page import data_uri, file_uri
from boothlab.reports.study_figures import Forest, HeatMap, Spot, forest, heat_map, pareto, scales
from boothlab.statistics.digits import number, plain, signed

MEDALS = ("first", "second", "third")
"""Classes of the best, second and third value of a column."""

RANKED = 4
"""Of fewer runs the three best are all or nearly all."""


@dataclass(frozen=True, slots=True)
class Head:
    """A column of the table. ``arrow`` is ↑, ↓ or nothing; ``familiar`` ones decide nothing.

    ``interval`` says what the column's intervals are; ``more`` tells a column that is shown on demand.
    """

    title: str
    arrow: str
    familiar: bool
    interval: str = ""
    more: bool = False


@dataclass(frozen=True, slots=True)
class CellView:
    """One number: value, interval, and its place among the three best ("" for none)."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    medal: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, and what it shows in words: its prompt and its run."""

    path: Path
    alt: str


@dataclass(frozen=True, slots=True)
class RowView:
    """One run and subject: a row of the table and a card. ``facts`` are pairs of what and value."""

    run: str
    subject: str
    state: str
    word: str
    notes: str
    chosen: bool
    cells: tuple[CellView, ...]
    facts: tuple[tuple[str, str], ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class GridView:
    """Pictures of several runs at equal prompts and noises; a column's first entry is its title."""

    subject: str
    titles: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Path | None, ...]], ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class AgainView:
    """The chosen run's numbers: (title, on the pictures that chose it, on fresh ones), and why both are printed."""

    lines: tuple[tuple[str, CellView, CellView], ...]
    why: str


@dataclass(frozen=True, slots=True)
class PhotoSetView:
    """One way of preparing and choosing a subject's photos, and what its runs reached. Counts are of photos.

    ``facts`` are pairs of setting and value; ``likeness`` and ``prompt`` are (mean over its runs, best of them).
    """

    facts: tuple[tuple[str, str], ...]
    train: int
    held_out: int
    rejected: int
    runs: int
    likeness: tuple[float, float] | None
    prompt: tuple[float, float] | None
    pictures: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class EffectCell:
    """A difference with the interval of this comparison alone, what was found, and whether it is more than chance."""

    value: float
    low: float | None
    high: float | None
    finding: str
    shown: bool


@dataclass(frozen=True, slots=True)
class EffectRow:
    """What changed between runs that are equal otherwise, and a cell per head, None where it was not measured."""

    change: str
    cells: tuple[EffectCell | None, ...]


@dataclass(frozen=True, slots=True)
class EffectsView:
    """Which differences are real: the columns' heads, a row a change, and what to know before reading it."""

    heads: tuple[str, ...]
    rows: tuple[EffectRow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SubjectView:
    """What the page says about one subject. ``set_effects`` maps an axis to (sentence, whether it is shown) for
    scores of whole sets.

    ``series`` says how many of the runs were held against earlier snapshots of their trainings.
    ``passed`` are runs of more likeness than the chosen one: (why it is not taken, run). ``advice`` says what to try
    where none is. ``baselines`` are (title, cells) of what the runs are read beside. ``finals`` are up to four runs
    with four pictures each.
    """

    name: str
    chosen: str | None
    reason: str
    passed: tuple[tuple[str, str], ...]
    advice: str
    caution: str
    again: AgainView | None
    strip: tuple[Picture, ...]
    rows: tuple[RowView, ...]
    series: str
    baselines: tuple[tuple[str, tuple[CellView, ...]], ...]
    spots: tuple[Spot, ...]
    effects: EffectsView
    set_effects: Mapping[str, tuple[tuple[str, bool], ...]]
    familiar: tuple[str, ...]
    forests: tuple[Forest, ...]
    curves: tuple[LinePlot, ...]
    maps: tuple[HeatMap, ...]
    grid: GridView | None
    finals: tuple[tuple[str, tuple[Picture, ...]], ...]
    photo_sets: tuple[PhotoSetView, ...]


@dataclass(frozen=True, slots=True)
class OverviewRow:
    """What to take for one subject: a cell on fresh pictures per deciding number, or why nothing (``none``)."""

    subject: str
    take: str | None
    cells: tuple[CellView | None, ...]
    none: str


@dataclass(frozen=True, slots=True)
class OverviewView:
    """What a study of several subjects found: sentences, a row a subject, and what holds for all of them.

    ``heads`` are the titles of the cells, none where no subject has a number.
    """

    sentences: tuple[str, ...]
    heads: tuple[str, ...]
    rows: tuple[OverviewRow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComparedView:
    """A comparison of choices: a summary, a table of text, how to read it, and which columns (from 0) are bold."""

    summary: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str
    bold: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class AcrossCell:
    """A mean over subjects, its interval where there is one, and the worst subject's number.

    ``worst`` is None where all subjects have one value, and so no worst.
    """

    value: float
    low: float | None
    high: float | None
    worst: float | None


@dataclass(frozen=True, slots=True)
class AcrossRow:
    """One setting, or a baseline: ``words`` come first, then a cell per column, None where nothing was measured."""

    words: tuple[str, ...]
    cells: tuple[AcrossCell | None, ...]
    baseline: bool


@dataclass(frozen=True, slots=True)
class AcrossView:
    """What settings do over several subjects: a table of them, one of their differences, and how to read it.

    ``maps`` are of means over subjects; ``others`` are sentences of differences that are more than chance, in numbers
    that describe and decide nothing. ``more`` are the cells of a row, from 0, that are shown on demand.
    """

    head: tuple[str, ...]
    rows: tuple[AcrossRow, ...]
    effects: EffectsView
    others: tuple[str, ...]
    maps: tuple[HeatMap, ...]
    note: str
    more: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialView:
    """One trial of a search: settings as text, the score at each rung, what became of it, whether it is the best."""

    number: int
    settings: tuple[str, ...]
    scores: tuple[float | None, ...]
    state: str
    best: bool


@dataclass(frozen=True, slots=True)
class SearchView:
    """A search: what was done in one sentence, the names of settings and rungs, and its trials."""

    summary: str
    settings: tuple[str, ...]
    rungs: tuple[str, ...]
    trials: tuple[TrialView, ...]
    note: str


@dataclass(frozen=True, slots=True)
class PublishedView:
    """Numbers that others published of these runs beside one's own: a table of text, and why they do not compare."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


@dataclass(frozen=True, slots=True)
class StudyInfo:
    """Everything on the page of a study. ``claims`` are (in words, holds or fails or undecided, numbers)."""

    name: str
    runs: int
    trainings: int
    means: int
    executed: int
    asked: int
    claims: tuple[tuple[str, str, str], ...]
    failed: tuple[str, ...]
    heads: tuple[Head, ...]
    overview: OverviewView | None
    subjects: tuple[SubjectView, ...]
    across: AcrossView | None
    carry: ComparedView | None
    rivals: ComparedView | None
    search: SearchView | None
    lacking: tuple[Lacking, ...]
    published: PublishedView | None
    notes: tuple[str, ...]
    files: tuple[str, ...]
    no_parquet: str
    plan_toml: str
    provenance: Mapping[str, Any]


def medals(values: Sequence[float | None], better: str) -> list[str]:
    """The class of each value of a column: the three best ones; none where no direction is better.

    Values that are printed alike are alike, and share their place as in sport: after two firsts comes the third. A
    place that more than a third of the runs share is no distinction; where it is the first, the places after it are
    none either. Among fewer than ``RANKED`` runs with a number nobody is ranked.
    """
    printed = [None if value is None else float(number(value)) for value in values]
    known = [value for value in printed if value is not None]
    if better == "neither" or len(known) < RANKED:
        return [""] * len(values)
    places: dict[float, str] = {}
    ahead = 0
    for value in sorted(set(known), reverse=better == "higher"):
        shared = known.count(value) > max(1, len(known) // 3)
        if ahead >= len(MEDALS) or (shared and ahead == 0):
            break
        if not shared:
            places[value] = MEDALS[ahead]
        ahead += known.count(value)
    return ["" if value is None else places.get(value, "") for value in printed]


def worth(executed: int, asked: int) -> str:
    """How many steps a study took, and why not more."""
    if executed == asked:
        return f"{asked:,} steps; nothing could be shared"
    return f"{executed:,} steps instead of {asked:,}, because runs share trainings"


def render_study(info: StudyInfo) -> str:
    """The page as text."""
    filters: dict[str, Callable[..., Any]] = {
        "data_uri": data_uri,
        "file_uri": file_uri,
        "number": plain,
        "signed": signed,
        "worth": worth,
    }
    plots: dict[str, list[Drawing]] = {}
    forests: dict[str, list[Drawing]] = {}
    over_all = info.across.maps if info.across else ()
    scale = scales([*over_all, *(found for subject in info.subjects for found in subject.maps)])
    for subject in info.subjects:
        drawn = [pareto(subject.spots, "likeness →", "prompt following →")] if len(subject.spots) > 1 else []
        drawn += [line_plot(plot) for plot in subject.curves]
        drawn += [heat_map(found, scale[found.title]) for found in subject.maps]
        plots[subject.name] = drawn
        forests[subject.name] = [forest(found) for found in subject.forests]
    across = [heat_map(found, scale[found.title]) for found in over_all]
    return filled("study.html", filters, info=info, plots=plots, forests=forests, across=across)
