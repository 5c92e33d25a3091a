"""The report of a study: one HTML page, and its tables as CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from boothlab.api.study_across import (
    ACROSS,
    ACROSS_DIFFERENCES,
    ACROSS_HEAD,
    DIFFERENCES_HEAD,
    across_markdown,
    across_row,
    across_view,
    difference_row,
)
from boothlab.api.study_carrying import CARRY, CARRY_HEAD, carry_row, carry_view
from boothlab.api.study_costs import folder_of, is_finished
from boothlab.api.study_fresh import Again, score_again
from boothlab.api.study_looking import Looking
from boothlab.api.study_published import published_view
from boothlab.api.study_ray import cluster, go_through_on_ray
from boothlab.api.study_reading import read_results
from boothlab.api.study_resolving import Study, resolve_study
from boothlab.api.study_search_view import SEARCH, search_head, search_rows, search_view
from boothlab.api.study_searching import search_so_far, search_through
from boothlab.api.study_views import Ruled, subject_view
from boothlab.api.studying import Outcome, Studied, go_through, held, noted
from boothlab.config.show import to_toml
from boothlab.errors import PlanError
from boothlab.evaluation.summaries import KINDS
from boothlab.files import write_bytes, write_json, write_text
from boothlab.metrics import METRICS
from boothlab.progress import Progress, silent
from boothlab.reports.lacking import lacking
from boothlab.reports.study import Head, StudyInfo, render_study
from boothlab.reports.study_tables import NO_PARQUET, as_csv, as_latex, as_markdown, as_parquet, has_parquet
from boothlab.runs.provenance import provenance
from boothlab.studies.across import differences, over_subjects
from boothlab.studies.carry import carried
from boothlab.studies.choose import choose
from boothlab.studies.claims import claims_tested
from boothlab.studies.compare import Effect, effects
from boothlab.studies.compare_sets import set_effects
from boothlab.studies.expand import shown
from boothlab.studies.points import COLUMNS, SETS, Column, Point

ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}

TABLES = ("table", "pictures", "effects")
"""What stands beside the page as CSV and, with pyarrow, as Parquet."""

TEXTS = ("table.md", "table.tex", "study.toml")
"""What else stands there."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A study that was gone through, and its page."""

    report: Path
    outcomes: tuple[Outcome, ...]
    points: tuple[Point, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The trainings that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.reason)


def study_and_report(
    file: Path, root: Path, overrides: Sequence[str] = (), progress: Progress = silent, ray: str | None = None
) -> Reported:
    """Every run of the study in ``file`` trained and scored, here or on the Ray cluster ``ray``; then its report.

    Failed trainings are tried again by the next call. Raises PlanError before anything is trained, RunBusy when
    another process works on the study, Cancelled after Ctrl-C, NoSpace on a full disk, MachineError where the cluster
    does not answer.
    """
    study = resolve_study(file, root, overrides, progress)
    with held(study.place), cluster(ray) as connected:
        studied = go_through_on_ray(study, connected, progress) if connected else go_through(study, progress)
        studied = search_through(studied, progress, connected)
        points = report_study(studied, progress)
    return Reported(study.place / "report.html", studied.outcomes, points)


def report_so_far(file: Path, root: Path, overrides: Sequence[str] = (), progress: Progress = silent) -> Reported:
    """The report of what has been done of the study in ``file``; nothing is trained.

    Runs that were never scored stand in it as such. Raises PlanError, also when nothing has been scored yet; RunBusy
    when another process works on the study.
    """
    study = resolve_study(file, root, overrides, progress)
    with held(study.place):
        studied = search_so_far(Studied(study, noted(study)))
        if not any(is_finished(folder_of(study.root, studied.study.of(t))) for t in studied.study.shared.trunks):
            raise PlanError(f"No run of {file} has been trained and scored yet.", f"boothlab study {file}")
        points = report_study(studied, progress)
    return Reported(study.place / "report.html", studied.outcomes, points)


def report_study(studied: Studied, progress: Progress = silent) -> tuple[Point, ...]:
    """Write the page and its tables into the study's folder; returns the points they are made of."""
    study, place = studied.study, studied.study.place
    failures = {name: f"{o.stage}: {o.reason}" for o in studied.failed for name in o.runs}
    results = read_results(study, failures)
    points = results.points
    found, over = effects(points), carried(points)
    across, apart = over_subjects([*points, *results.baselines]), differences(points)
    write_text(place / "study.toml", plan_text(study))
    of_sets = set_effects(points, Looking(study))
    _tables(place, points, results.baselines, [*found, *of_sets])
    if over:
        _table(place, CARRY, CARRY_HEAD, [carry_row(one) for one in over])
    if across:
        _table(place, ACROSS, ACROSS_HEAD, [across_row(row) for row in across])
        _table(place, ACROSS_DIFFERENCES, DIFFERENCES_HEAD, [difference_row(one) for one in apart])
        write_text(place / f"{ACROSS}.md", as_markdown(*across_markdown(across, COLUMNS)))
    if studied.trials:
        _table(place, SEARCH, search_head(study), search_rows(study, studied.trials))
    tables = [*TABLES, *([ACROSS, ACROSS_DIFFERENCES] if across else []), *([CARRY] if over else [])]
    tables += [SEARCH] if studied.trials else []
    parquet = [f"{name}.parquet" for name in tables] if has_parquet() else []
    names = dict.fromkeys(point.subject for point in points)
    seen = {column.key for point in points for column in COLUMNS if column.key in point.cells}
    columns = [column for column in COLUMNS if column.key in seen]
    chosen = {name: choose(points, name) for name in names}
    again: dict[str, Again] = {}
    for name, choice in chosen.items():
        best = next((p for p in points if p.subject == name and p.run == choice.run), None)
        if best is not None:
            again[name] = score_again(study, best, results.scales[name], progress)
    rows = [*points, *results.baselines]
    subjects = tuple(
        subject_view(study, Ruled(chosen[name], again.get(name)), rows, found, of_sets, columns) for name in names
    )
    info = StudyInfo(
        name=study.plan.name,
        runs=len(study.runs),
        trainings=len(study.shared.trunks),
        executed=study.shared.executes,
        asked=study.shared.asked,
        claims=tuple((t.say, t.state, t.numbers) for t in claims_tested(points, study.plan.claims)),
        failed=tuple(dict.fromkeys(f"{p.run}: {p.reason or p.state}" for p in points if p.state != "done")),
        heads=tuple(Head(c.title, ARROWS[c.better], c.familiar, _kinds(c, points)) for c in columns),
        subjects=subjects,
        across=across_view(across, apart, columns),
        carry=carry_view(over),
        search=search_view(study, studied.trials),
        lacking=lacking(results.unavailable, METRICS),
        published=published_view(study.plan, points),
        notes=study.plan.notes,
        files=(*(f"{name}.csv" for name in tables), *parquet, *TEXTS, *([f"{ACROSS}.md"] if across else [])),
        no_parquet="" if parquet else NO_PARQUET,
        plan_toml=plan_text(study),
        provenance=provenance(study.resolved[0].inputs, study.resolved[0].plan.base.device),
    )
    write_text(place / "report.html", render_study(info))
    tree = {"format": 1, "choices": {s.name: s.chosen for s in subjects}, "fresh": _fresh_tree(again)}
    write_json(place / "choices.json", tree)
    return points


def _fresh_tree(again: Mapping[str, Again]) -> dict[str, Any]:
    """Subject → column → the recommended checkpoint's numbers on fresh pictures."""
    return {
        name: {key: asdict(cell) for key, cell in found.point.cells.items()}
        for name, found in again.items()
        if found.point is not None
    }


def _kinds(column: Column, points: Sequence[Point]) -> str:
    """What the intervals of a column are, in words; "" where there is none."""
    kinds = dict.fromkeys(point.kinds[column.key] for point in points if column.key in point.kinds)
    return "; ".join(KINDS[kind] for kind in kinds if kind != "none")


def plan_text(study: Study) -> str:
    """The study as TOML, with its base plan in it."""
    tree = study.plan.model_dump(mode="json", exclude={"plan"}, exclude_defaults=True)
    return to_toml({"name": study.plan.name, **tree, "plan": study.tree})


def _tables(place: Path, points: Sequence[Point], beside: Sequence[Point], found: Sequence[Effect]) -> None:
    """``table``, with the baselines last, ``pictures`` and ``effects``.

    Nothing in them depends on when or how fast the study was made.
    """
    axes = list(dict.fromkeys(path for point in points for path in point.values))
    fixed = [
        "run",
        "setting",
        "training_seed",
        "subject",
        *axes,
        "steps",
        "photos",
        "state",
        "verdict",
        "failed_gates",
    ]
    numbers = [f"{c.key}{part}" for c in (*COLUMNS, *SETS) for part in ("", "_low", "_high", "_n", "_interval")]
    lines = [[*_fixed(p, axes), *_numbers(p, (*COLUMNS, *SETS))] for p in (*points, *beside)]
    _table(place, "table", [*fixed, *numbers], lines)
    short = ["run", "subject", "steps", "verdict", *(c.title for c in COLUMNS)]
    rows = [[p.run, p.subject, p.step, p.word or p.state, *_numbers(p, COLUMNS)[::5]] for p in (*points, *beside)]
    write_text(place / "table.md", as_markdown(short, rows))
    write_text(place / "table.tex", as_latex(short, rows))
    each = [
        [p.run, p.subject, key, index, float(value)]
        for p in points
        for key, values in p.pictures.items()
        for index, value in enumerate(values.tolist())
    ]
    _table(place, "pictures", ["run", "subject", "column", "picture", "value"], each)
    head = ["subject", "axis", "column", "a", "b", "about", "n", "trainings", "difference", "low", "high", "p"]
    lines = [
        [e.subject, e.axis, e.column.key, e.a, e.b, e.about, e.n, e.trainings, e.difference, e.low, e.high, e.p]
        + [e.adjusted, e.detectable, e.test, e.smallest, e.sentence]
        for e in found
    ]
    _table(place, "effects", [*head, "holm_p", "detectable", "test", "smallest_holm_p", "sentence"], lines)


def _table(place: Path, name: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """One table as CSV, and as Parquet where that can be written; else an old Parquet file must not stay."""
    write_text(place / f"{name}.csv", as_csv(head, rows))
    if has_parquet():
        write_bytes(place / f"{name}.parquet", as_parquet(head, rows))
    else:
        (place / f"{name}.parquet").unlink(missing_ok=True)


def _fixed(point: Point, axes: Sequence[str]) -> list[Any]:
    places = [shown(point.values[axis]) for axis in axes]
    first = [point.run, point.setting, point.seed, point.subject, *places, point.step, point.photos]
    return [*first, point.state, point.word, " ".join(point.failed_gates)]


def _numbers(point: Point, columns: Sequence[Column]) -> list[Any]:
    found: list[Any] = []
    for column in columns:
        cell = point.cells.get(column.key)
        found += (
            [None] * 5 if cell is None else [cell.value, cell.low, cell.high, cell.n, point.kinds.get(column.key)]
        )
    return found
