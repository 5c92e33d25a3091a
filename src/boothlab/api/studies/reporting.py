"""The report of a study: one HTML page, and its tables as CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from boothlab.api.studies.across import (
    ACROSS,
    ACROSS_DIFFERENCES,
    ACROSS_HEAD,
    DIFFERENCES_HEAD,
    across_markdown,
    across_row,
    across_view,
    difference_row,
)
from boothlab.api.studies.ahead import Ahead
from boothlab.api.studies.carrying import CARRY, CARRY_HEAD, carry_row, carry_view
from boothlab.api.studies.cluster import cluster, go_through_on_ray, idle_gpus, require_answer
from boothlab.api.studies.compared import Compared
from boothlab.api.studies.costs import folder_of
from boothlab.api.studies.exports import Lines, write_more, write_tables
from boothlab.api.studies.fresh import Again, score_again
from boothlab.api.studies.looking import Looking
from boothlab.api.studies.overview import overview_view
from boothlab.api.studies.places import placed_claims
from boothlab.api.studies.published import published_view
from boothlab.api.studies.reading import Results, is_scored, read_results
from boothlab.api.studies.resolving import Study, resolve_study
from boothlab.api.studies.rivals import RIVALS, RIVALS_HEAD, rivals_head, rivals_row, rivals_text, rivals_view
from boothlab.api.studies.running import Outcome, Studied, go_through, held, noted
from boothlab.api.studies.search_view import SEARCH, search_head, search_rows, search_view
from boothlab.api.studies.searching import search_so_far, search_through
from boothlab.api.studies.views import Ruled, subject_view
from boothlab.config.show import to_toml
from boothlab.errors import PlanError
from boothlab.evaluation.summaries import KINDS
from boothlab.files import safe_name, write_json, write_text
from boothlab.metrics import METRICS
from boothlab.progress import Progress, silent
from boothlab.reports.lacking import lacking
from boothlab.reports.study import Head, StudyInfo, render_study
from boothlab.reports.study_tables import NO_PARQUET
from boothlab.runs.provenance import provenance
from boothlab.runs.run import Run
from boothlab.studies.across import Difference, Row, differences, over_subjects
from boothlab.studies.carry import Carried, carried
from boothlab.studies.choose import Choice, choose
from boothlab.studies.claims import claims_tested
from boothlab.studies.compare import effects
from boothlab.studies.compare_sets import set_effects
from boothlab.studies.labels import called, setting_names
from boothlab.studies.plan import load_study, without_places
from boothlab.studies.points import COLUMNS, FACE, LIKENESS, PROMPT, Column, Point
from boothlab.studies.rivals import Beside, beside_rivals

FIRST = (LIKENESS, PROMPT, FACE, "copied")
"""Columns that stand first."""


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
    file: Path,
    root: Path,
    overrides: Sequence[str] = (),
    progress: Progress = silent,
    ray: str | None = None,
    warn: Callable[[str], None] = lambda text: None,
) -> Reported:
    """Every run of the study in ``file`` trained and scored, here or on the Ray cluster ``ray``; then its report.

    ``warn`` hears beforehand what should be known of the cluster.
    Failed trainings are tried again by the next call. Raises PlanError before anything is trained, RunBusy when
    another process works on the study, Cancelled after Ctrl-C, NoSpace on a full disk, MachineError where the cluster
    does not answer.
    """
    require_answer(ray)
    study = resolve_study(file, root, overrides, progress)
    with held(study), cluster(ray) as connected:
        if connected and (idle := idle_gpus(study, connected)):
            warn(idle)
        studied = search_through(_led(study, progress, connected), progress, connected)
        points = report_study(studied, progress)
    return Reported(study.place / "report.html", studied.outcomes, points)


def _led(study: Study, progress: Progress, connected: Any) -> Studied:
    """All trainings gone through, here or on a connected cluster; what they are compared with is let go after."""
    ahead = Ahead(study)
    if connected:
        return go_through_on_ray(study, connected, progress, arrived=ahead)
    return go_through(study, progress, arrived=ahead)


def report_so_far(file: Path, root: Path, overrides: Sequence[str] = (), progress: Progress = silent) -> Reported:
    """The report of what has been done of the study in ``file``; nothing is trained.

    Runs that were never scored stand in it as such. Raises PlanError, also when nothing has been scored yet; RunBusy
    when another process works on the study.
    """
    place = root / safe_name(load_study(file, list(overrides))[0].name)
    none = PlanError(
        f"No run of {file} has been trained and scored in {place}.",
        f"Train them: boothlab study {file}. If they are elsewhere, name the folder of studies with --studies.",
    )
    # Asked before anything is written: of a mistyped --studies a study's folder would be left.
    if not any(is_scored(Run(path)) for path in (place / "runs").glob("*")):
        raise none
    study = resolve_study(file, root, overrides, progress)
    with held(study):
        studied = search_so_far(Studied(study, tuple(_present(study, noted(study)))))
        if not any(is_scored(folder_of(study.root, studied.study.of(t))) for t in studied.study.shared.trunks):
            raise none
        points = report_study(studied, progress)
    return Reported(study.place / "report.html", studied.outcomes, points)


def _present(study: Study, outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    """Those that became of today's trainings: after a change of the plan a run of the same name has another folder,
    and was never tried."""
    folders = {
        name: folder_of(study.root, study.of(trunk)).name for trunk in study.shared.trunks for name in trunk.members
    }
    for outcome in outcomes:
        if not outcome.folder or all(folders.get(name, outcome.folder) == outcome.folder for name in outcome.runs):
            yield outcome


def report_study(studied: Studied, progress: Progress = silent) -> tuple[Point, ...]:
    """Write the page and its tables into the study's folder; returns the points they are made of."""
    study, place = studied.study, studied.study.place
    failures = {name: outcome for outcome in studied.failed for name in outcome.runs}
    results = read_results(study, failures)
    points = results.points
    found, over = effects(points), carried(points)
    across, apart = over_subjects([*points, *results.baselines]), differences(points)
    chosen, again = _choices(study, results, progress)
    beside = beside_rivals(points, chosen, {name: fresh.point for name, fresh in again.items()})
    _write_copy(study)
    memory = Compared(study)
    of_sets = set_effects(points, Looking(study), memory=memory, progress=progress)
    if all(point.state == "done" for point in points):
        memory.forget_relations()
    write_tables(place, points, results.baselines, [*found, *of_sets])
    more, texts = _more(studied, across, apart, over, beside)
    files = write_more(place, more, texts)
    seen = {column.key for point in points for column in COLUMNS if column.key in point.cells}
    # What a run is judged by first; all other numbers are shown on demand, or the table is too wide for any screen.
    columns = sorted((column for column in COLUMNS if column.key in seen), key=lambda found: found.key not in FIRST)
    rows = [*points, *results.baselines]
    subjects = tuple(
        subject_view(study, Ruled(chosen[name], again.get(name)), rows, found, of_sets, columns) for name in chosen
    )
    short = setting_names(points)
    # Where every trial failed before its training there is no run, but what was looked at beforehand.
    known = (*study.resolved, *study.scouted)[0]
    info = StudyInfo(
        name=study.plan.name,
        runs=len(study.runs),
        trainings=sum(not trunk.of for trunk in study.shared.trunks),
        means=sum(bool(trunk.of) for trunk in study.shared.trunks),
        executed=study.shared.executes,
        asked=study.shared.asked,
        claims=tuple((t.say, t.state, t.numbers) for t in claims_tested(points, placed_claims(study))),
        failed=_lacking(points),
        heads=tuple(Head(c.title, c.arrow, c.familiar, _kinds(c, points), c.key not in FIRST) for c in columns),
        overview=overview_view(subjects, apart),
        subjects=subjects,
        across=across_view(across, apart, columns, short, FIRST, points),
        carry=carry_view(over, short),
        rivals=rivals_view(beside, {run: name for s in chosen for run, name in called(_of(points, s)).items()}),
        search=search_view(study, studied.trials),
        lacking=lacking(results.unavailable, METRICS),
        published=published_view(study.plan, points),
        notes=study.plan.notes,
        files=files,
        no_parquet="" if any(name.endswith(".parquet") for name in files) else NO_PARQUET,
        plan_toml=to_toml(without_places(_tree(study))),
        provenance=provenance(known.inputs, known.plan.base.device),
    )
    write_text(place / "report.html", render_study(info))
    tree = {
        "format": 1,
        "choices": {name: choice.run for name, choice in chosen.items()},
        "fresh": _fresh_tree(again),
    }
    write_json(place / "choices.json", tree)
    return points


def _of(points: Sequence[Point], subject: str) -> list[Point]:
    return [point for point in points if point.subject == subject]


def _lacking(points: Sequence[Point]) -> tuple[str, ...]:
    """What is to be known of runs that have no numbers, or none of today's."""
    of_note = (point for point in points if point.state != "done" or point.reason)
    return tuple(dict.fromkeys(f"{point.run}: {point.reason or point.state}" for point in of_note))


def _more(
    studied: Studied,
    across: Sequence[Row],
    apart: Sequence[Difference],
    over: Sequence[Carried],
    beside: Sequence[Beside],
) -> tuple[dict[str, Lines], dict[str, Lines]]:
    """The tables that only some studies have, as numbers and as text."""
    more: dict[str, Lines] = {}
    texts: dict[str, Lines] = {}
    if across:
        more[ACROSS] = ACROSS_HEAD, [across_row(row) for row in across]
        more[ACROSS_DIFFERENCES] = DIFFERENCES_HEAD, [difference_row(one) for one in apart]
        texts[ACROSS] = across_markdown(across, COLUMNS)
    if over:
        more[CARRY] = CARRY_HEAD, [carry_row(one) for one in over]
    if beside:
        more[RIVALS] = RIVALS_HEAD, [rivals_row(one) for one in beside]
        texts[RIVALS] = rivals_head(), [rivals_text(one) for one in beside]
    if studied.trials:
        more[SEARCH] = search_head(studied.study), search_rows(studied.study, studied.trials)
    return more, texts


def _choices(study: Study, results: Results, progress: Progress) -> tuple[dict[str, Choice], dict[str, Again]]:
    """Subject → what is recommended for it; and that on fresh pictures, where something is."""
    chosen = {name: choose(results.points, name) for name in dict.fromkeys(p.subject for p in results.points)}
    again: dict[str, Again] = {}
    for name, choice in chosen.items():
        best = next((p for p in results.points if p.subject == name and p.run == choice.run), None)
        if best is not None:
            again[name] = score_again(study, best, results.scales[name], progress)
    return chosen, again


def _fresh_tree(again: Mapping[str, Again]) -> dict[str, Any]:
    """Subject → column → the recommended run's numbers on fresh pictures."""
    return {
        name: {key: asdict(cell) for key, cell in found.point.cells.items()}
        for name, found in again.items()
        if found.point is not None
    }


def _kinds(column: Column, points: Sequence[Point]) -> str:
    """What the intervals of a column are, in words; "" where there is none."""
    kinds = dict.fromkeys(point.kinds[column.key] for point in points if column.key in point.kinds)
    return "; ".join(KINDS[kind] for kind in kinds if kind != "none")


def _write_copy(study: Study) -> None:
    """The study's file beside its page, unless that is the very file it was read from: its remarks would be lost."""
    copy, source = study.place / "study.toml", study.source
    if not (copy.exists() and source.exists() and copy.samefile(source)):
        write_text(copy, plan_text(study))


def plan_text(study: Study) -> str:
    """The study as TOML, with its base plan in it: from any place it is the same runs."""
    return to_toml({"folder": str(study.folder), **_tree(study)})


def _tree(study: Study) -> dict[str, Any]:
    tree = study.plan.model_dump(mode="json", exclude={"plan", "folder"}, exclude_defaults=True)
    # Without its seeds a study has its base plan's, which may be another one than 0.
    return {"name": study.plan.name, "seeds": list(study.plan.seeds), **tree, "plan": study.tree}
