"""What the page of a study says of one subject: rows, plots, sentences, pictures, as plain data."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from boothlab.api.studies.effects import effects_view
from boothlab.api.studies.fresh import Again
from boothlab.api.studies.gallery import Gallery
from boothlab.api.studies.photo_sets import photo_set_views
from boothlab.api.studies.plots import curves, forests, maps, spots
from boothlab.api.studies.resolving import Study
from boothlab.reports.info import seconds_per_step
from boothlab.reports.rulings import source_title
from boothlab.reports.study import AgainView, CellView, RowView, SubjectView, medals
from boothlab.runs.run import Run
from boothlab.statistics.digits import seconds
from boothlab.statistics.intervals import Interval
from boothlab.statistics.variance import SEEDS_NEEDED
from boothlab.studies.choose import Choice, familiar
from boothlab.studies.compare import Effect
from boothlab.studies.expand import shown
from boothlab.studies.labels import called, renamed
from boothlab.studies.points import COLUMNS, LIKENESS, PROMPT, Column, Point

MOST_ILLUSTRATED = 60
"""Up to so many runs every card has four pictures; above, one."""


@dataclass(frozen=True, slots=True)
class Ruled:
    """The choice for one subject, and the chosen run on fresh pictures (None where none is chosen)."""

    choice: Choice
    again: Again | None


def subject_view(
    study: Study,
    ruled: Ruled,
    points: Sequence[Point],
    found: Sequence[Effect],
    of_sets: Sequence[Effect],
    columns: Sequence[Column],
) -> SubjectView:
    """Everything on the page about one subject; ``points`` holds the baselines too."""
    name = ruled.choice.subject
    full = [point for point in points if point.subject == name and point.state != "baseline"]
    # Whose they are and what all of them share is known in the subject's own section.
    names = called(full)
    choice, own = renamed(ruled.choice, names), [replace(point, run=names[point.run]) for point in full]
    beside = [point for point in points if point.subject == name and point.state == "baseline"]
    gallery = Gallery(study)
    chosen = next((point for point in own if point.run == choice.run), None)
    # Rivals stand where they happen to be, not on the axes.
    placed = [point for point in own if not point.rival]
    return SubjectView(
        name=name,
        chosen=choice.run,
        reason=choice.reason,
        passed=tuple((why, run) for why, runs in choice.passed for run in runs),
        advice=choice.advice,
        caution=_caution(study),
        again=_again(chosen, ruled.again, sum(point.state == "done" for point in placed)),
        strip=() if chosen is None else tuple(gallery.pictures(chosen, 8)),
        rows=_rows(study, own, choice, columns, gallery),
        series=_series(own),
        baselines=tuple((source_title(p.run, []), _cells(p, columns, [""] * len(columns))) for p in beside),
        spots=spots(own, choice),
        effects=effects_view(found, own, name, _caution(study)),
        set_effects=_by_axis(of_sets, name),
        familiar=_familiar(own, name, choice),
        forests=forests([effect for effect in found if effect.subject == name], placed),
        curves=curves(placed),
        maps=maps(placed),
        grid=gallery.grid(own, choice),
        finals=gallery.finals(own, choice),
        photo_sets=photo_set_views(study, full),
    )


def _by_axis(found: Sequence[Effect], subject: str) -> dict[str, tuple[tuple[str, bool], ...]]:
    axes: dict[str, tuple[tuple[str, bool], ...]] = {}
    for effect in found:
        if effect.subject == subject:
            axes[effect.axis] = (*axes.get(effect.axis, ()), (effect.sentence, effect.shown))
    return axes


def _series(points: Sequence[Point]) -> str:
    """Which runs were held against earlier snapshots; docs/decisions/053 says why not all of them are."""
    done = [point for point in points if point.state == "done"]
    if not done:
        return ""
    seen = sum(bool(point.earlier) for point in done)
    return (
        "A run is also called overfitted by what got worse since earlier snapshots of its own training that had "
        f"learned the subject. {seen} of {len(done)} runs had such, which their cards name; the others are judged by "
        "their own numbers alone. So of two runs with equal numbers one may be called overfitted and the other good. "
        "To hold all runs against equal ones, name training.snapshots in the base plan."
    )


def _caution(study: Study) -> str:
    seeds = len(study.plan.seeds)
    if seeds >= SEEDS_NEEDED:
        return ""
    return (
        f"Every setting was trained {'once' if seeds == 1 else 'twice'}: this is about these runs. A "
        f"statement about a setting needs {SEEDS_NEEDED} training seeds (seeds = [0, 1, 2])."
    )


def _again(chosen: Point | None, again: Again | None, done: int) -> AgainView | None:
    """The chosen run's numbers on the pictures that chose it and on fresh ones, and why both stand there."""
    if chosen is None or again is None:
        return None
    fresh = {} if again.point is None else again.point.cells
    lines = tuple(
        (column.title, _cell(chosen.cells.get(column.key)), _cell(fresh.get(column.key)))
        for column in COLUMNS
        if column.key in (LIKENESS, PROMPT, "face") and column.key in chosen.cells
    )
    why = (
        f"{chosen.run} was chosen from {done} runs by the scores of the first column, so these are optimistic: "
        "the best of many is partly the luckiest. The second column is from other initial noises, which had no part "
        "in the choice; it is what to expect."
    )
    if again.point is None:
        why = f"The scores are optimistic, because they chose it. It could not be scored again: {again.reason}"
    return AgainView(lines, why)


def _cell(found: Interval | None) -> CellView:
    if found is None:
        return CellView(None, None, None, 0, "")
    return CellView(found.value, found.low, found.high, found.n, "")


def _cells(point: Point, columns: Sequence[Column], medal: Sequence[str]) -> tuple[CellView, ...]:
    return tuple(
        replace(_cell(point.cells.get(column.key)), medal=place) for column, place in zip(columns, medal, strict=True)
    )


def _rows(
    study: Study, points: Sequence[Point], choice: Choice, columns: Sequence[Column], gallery: Gallery
) -> tuple[RowView, ...]:
    places = [medals([p.cells[c.key].value if c.key in p.cells else None for p in points], c.better) for c in columns]
    paths = dict.fromkeys(path for point in points for path in point.values)
    varied = {path for path in paths if len({repr(point.values.get(path)) for point in points}) > 1}
    rows = []
    for index, point in enumerate(points):
        notes = [f"Gates that failed: {', '.join(point.failed_gates)}."] if point.failed_gates else []
        notes += [f"Also: {', '.join(point.findings)}."] if point.findings else []
        notes += [point.reason] if point.reason else []
        rows.append(
            RowView(
                run=point.run,
                subject=point.subject,
                state=point.state,
                word=point.word,
                notes=" ".join(notes),
                chosen=point.run == choice.run,
                cells=_cells(point, columns, [medal[index] for medal in places]),
                facts=_facts(study, point, varied),
                pictures=tuple(gallery.card(point, 4 if len(points) <= MOST_ILLUSTRATED else 1)),
            )
        )
    return tuple(rows)


def _facts(study: Study, point: Point, varied: Container[str]) -> tuple[tuple[str, str], ...]:
    """Settings that differ in the section (``varied``), inputs and cost of a run."""
    facts = [(path, shown(value)) for path, value in point.values.items() if path in varied]
    if point.members:
        facts += [("mean of the weights of", "; ".join(point.members)), ("photos trained on", str(point.photos))]
    else:
        facts += [("steps in all", str(point.step)), ("photos trained on", str(point.photos))]
        facts.append(("training seed", str(point.seed)))
    facts += [("folder", f"runs/{point.folder}"), ("snapshot", point.snapshot)]
    if point.state == "done" and not point.members:
        since = f"looked for since {', '.join(point.earlier)}"
        none = "not looked for: no earlier snapshot of its training had learned the subject"
        facts.append(("overfitting by the series", since if point.earlier else none))
    run = Run(study.root / point.folder)
    pace = seconds_per_step(run.events()) if (run.path / "events.jsonl").is_file() else None
    if pace is not None:
        facts.append(("trained alone", f"about {point.step * pace:.0f} s at {seconds(pace)} s a step"))
    return tuple(facts)


def _familiar(points: Sequence[Point], name: str, choice: Choice) -> tuple[str, ...]:
    said = []
    for found in familiar(points, name):
        verdict = f", which the verdict calls {found.word}" if found.word else ""
        same = "the same as recommended" if found.run == choice.run else "not the recommended one"
        same = "; nothing is recommended here" if choice.run is None else f"; {same}"
        said.append(f"{found.column.title} alone would have taken {found.run} ({found.value:.3g}){verdict}{same}.")
    return tuple(said)
