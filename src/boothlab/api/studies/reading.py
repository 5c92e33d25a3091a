"""A study's results as points, from its run folders alone, whoever trained them and whatever became of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from boothlab.api.scoring import summaries_of, summary_of
from boothlab.api.studies.costs import ended_at, folder_of
from boothlab.api.studies.places import coordinates
from boothlab.api.studies.resolving import Study
from boothlab.api.studies.running import EVALUATION, Outcome
from boothlab.errors import BoothlabError, RunDamaged
from boothlab.evaluation.derived import Scale, Table
from boothlab.evaluation.orders import Source, Wanted, wanted
from boothlab.evaluation.scores import Score, read_scores
from boothlab.evaluation.summaries import Cell
from boothlab.evaluation.summaries import Summary as Line
from boothlab.evaluation.vectors import picture_hash
from boothlab.files import read_json, sha256_json
from boothlab.photos.photoset import PhotoSet, is_complete
from boothlab.plan import RunPlan
from boothlab.runs.run import Run, step_name
from boothlab.studies.points import PEOPLE, Point, baselines, fill, judged, lines_of_subject, of_subject, study_scale
from boothlab.studies.share import Trunk

Summary = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Results:
    """One point per run and subject, in the study's order, and each subject's scale of likeness (None: has none)."""

    points: tuple[Point, ...]
    scales: Mapping[str, Scale | None]
    baselines: tuple[Point, ...]
    """Per subject what the runs are read beside: the base model, the photos themselves …"""
    unavailable: tuple[Mapping[str, str], ...]
    """What none of the finished runs could be scored by, and why, in the words of the first that was scored so."""


def read_results(study: Study, failures: Mapping[str, Outcome]) -> Results:
    """What the run folders hold. ``failures`` maps runs to what became of them."""
    tables, summaries, unread = _read_all(study, study.shared.trunks)
    if unread and not tables:
        raise next(iter(unread.values()))
    scales = _scales(study, tables)
    found: list[Point] = []
    for point in points_of(study):
        why = unread[point.folder].message if point.folder in unread else ""
        found.append(_settled(point, _table_of(point, tables), scales, summaries, failures.get(point.run), why))
    beside = _baselines(found, tables, summaries, scales)
    return Results(tuple(found), scales, beside, _unavailable(found, summaries))


def read_one(study: Study, trunk: Trunk, points: Sequence[Point]) -> list[Point]:
    """``points``, those of one trunk, with what its run folder holds; as they are where it holds no scores.

    Likeness is on this training's own scale: the study's is known when all trainings are there.
    """
    tables, summaries, _ = _read_all(study, [trunk])
    scales = _scales(study, tables)
    run = folder_of(study.root, study.of(trunk))
    # Where it was ended early was not known before.
    steps = {point.run: ended_at(run, trunk, trunk.members[point.run]) for point in points}
    ended = [replace(p, step=steps[p.run], snapshot=step_name(steps[p.run])) for p in points]
    return [_settled(point, _table_of(point, tables), scales, summaries) for point in ended]


def points_of(study: Study) -> Iterator[Point]:
    """A point per run and subject, in the study's order, with nothing read from its scores yet."""
    places = coordinates(study)
    trunk_of = {name: trunk for trunk in study.shared.trunks for name in trunk.members}
    against: dict[str, Mapping[str, str]] = {}
    for planned, resolved in zip(study.runs, study.resolved, strict=True):
        trunk = trunk_of[planned.name]
        run = folder_of(study.root, study.of(trunk))
        for subject in planned.plan.subjects:
            photos = resolved.sets[subject.name]
            if photos.content_hash not in against:
                against[photos.content_hash] = _against(photos)
            step = ended_at(run, trunk, trunk.members[planned.name])
            yield Point(
                run=planned.name,
                setting=planned.setting,
                seed=planned.seed,
                values=places[planned.name, subject.name],
                subject=subject.name,
                folder=run.name,
                snapshot=step_name(step),
                step=step,
                photos=len(photos.train),
                state="not yet",
                noun=subject.class_noun,
                rival=planned.rival,
                members=planned.members,
                over_seeds=planned.over_seeds,
                against=against[photos.content_hash],
            )


def _table_of(point: Point, tables: Mapping[str, Mapping[str, Table]]) -> Table | None:
    """The scores of the point's training; None where its snapshot is not among them."""
    table = tables.get(point.folder, {}).get(point.subject)
    return table if table is not None and any(source == point.snapshot for source, *_ in table.cells) else None


def _against(photos: PhotoSet) -> dict[str, str]:
    """Which photos scores of a run are held against, by the name of the reference; framed otherwise they are others,
    but still show whom likeness is measured to (``PEOPLE``)."""
    train, held_out = ([picture_hash(photo.pixels) for photo in part] for part in (photos.train, photos.held_out))
    return {
        "train": sha256_json(train),
        "held_out": sha256_json(held_out),
        "originals": sha256_json([*train, *held_out]),
        PEOPLE: sha256_json(sorted(photo.source_hash for photo in photos.held_out)),
    }


def _baselines(
    points: Sequence[Point],
    tables: Mapping[str, Mapping[str, Table]],
    summaries: Mapping[str, Summary],
    scales: Mapping[str, Scale | None],
) -> tuple[Point, ...]:
    """Per subject what its runs are read beside, as the first finished one was scored beside it."""
    found: list[Point] = []
    for name in dict.fromkeys(point.subject for point in points):
        first = next((point for point in points if point.subject == name and point.state == "done"), None)
        if first is not None:
            lines = _lines(summaries[first.folder], name)
            found += baselines(first, tables[first.folder][name], lines, scales[name])
    return tuple(found)


def _unavailable(points: Sequence[Point], summaries: Mapping[str, Summary]) -> tuple[Mapping[str, str], ...]:
    done = [summaries[folder] for folder in dict.fromkeys(p.folder for p in points if p.state == "done")]
    there = {line["metric"] for summary in done for line in summary["summaries"]}
    lines = {line["metric"]: line for summary in reversed(done) for line in reversed(summary["unavailable"])}
    return tuple(line for name, line in reversed(lines.items()) if name not in there)


def _lines(summary: Summary, subject: str) -> dict[Cell, Line]:
    return lines_of_subject(summaries_of(summary), subject, len(summary["rulings"]) > 1)


def _settled(
    point: Point,
    table: Table | None,
    scales: Mapping[str, Scale | None],
    summaries: Mapping[str, Summary],
    failed: Outcome | None = None,
    unread: str = "",
) -> Point:
    """The point with its state, and its numbers where there are any; ``unread`` is why scores cannot be read.

    A training that failed further on leaves the scores of a snapshot before as good as they were. Scores that could
    not be made again are not of today's code or weights, which must be told.
    """
    if table is None:
        why = f"{failed.stage}: {failed.reason}" if failed is not None else unread
        return replace(point, state="failed" if why else "not yet", reason=why)
    summary = summaries[point.folder]
    again = ""
    if failed is not None and failed.stage == EVALUATION:
        again = f"has earlier scores; scoring it again failed: {failed.reason}"
    done = replace(point, state="done", reason=again)
    filled = fill(done, table, _lines(summary, point.subject), scales[point.subject])
    return judged(filled, summary["rulings"])


def is_scored(run: Run) -> bool:
    """Whether there are scores of the run: of all its snapshots, or of those that it had when it failed."""
    return (run.path / "scores.csv").is_file() and (run.path / "summary.json").is_file()


def _read_all(
    study: Study, trunks: Sequence[Trunk]
) -> tuple[dict[str, dict[str, Table]], dict[str, Summary], dict[str, BoothlabError]]:
    """Run folder → subject → scores, and run folder → ``summary.json``, of what has been scored; and why some that
    was cannot be read."""
    tables: dict[str, dict[str, Table]] = {}
    summaries: dict[str, Summary] = {}
    unread: dict[str, BoothlabError] = {}
    for trunk in trunks:
        run = folder_of(study.root, study.of(trunk))
        if is_scored(run):
            try:
                scores: list[Score] = read_scores(run.path / "scores.csv")
                summary = summary_of(run)
                _require_photos(run, [subject.name for subject in trunk.plan.subjects])
            except BoothlabError as error:
                unread[run.name] = error
                continue
            names = [subject.name for subject in trunk.plan.subjects]
            tables[run.name] = {name: Table(of_subject(scores, name, len(names) > 1)) for name in names}
            summaries[run.name] = summary
    return tables, summaries, unread


def _require_photos(run: Run, names: Sequence[str]) -> None:
    """Raises RunDamaged where the run's own photos are gone: what a page says and shows of it needs them."""
    for name in names:
        if not is_complete(run.path / "photos" / name):
            raise RunDamaged(f"its own photos of {name} are not all there; running the study puts them back")


def _scales(study: Study, tables: Mapping[str, Mapping[str, Table]]) -> dict[str, Scale | None]:
    names = dict.fromkeys(subject.name for planned in study.runs for subject in planned.plan.subjects)
    return {name: study_scale([own[name] for own in tables.values() if name in own]) for name in names}


def trunk_run(study: Study, trunk: Trunk) -> Run:
    """The run folder of a trunk."""
    return folder_of(study.root, study.of(trunk))


def drawn_at(run: Run, plan: RunPlan, subject: str, source: str, kind: Source) -> list[tuple[Wanted, Path]]:
    """What a snapshot or the base model was asked to draw of a subject, in order, and each picture's place.

    Identifiers do not matter for that; a picture that was never drawn is not there.
    """
    own = next(found for found in plan.subjects if found.name == subject)
    own = own.model_copy(update={"identifier": own.identifier or "x"})
    folder = run.images / source / subject
    return [(asked, folder / f"{asked.order.name}.png") for asked in wanted(plan.evaluation, own, kind)]


def photo_file(run: Run, subject: str, index: int) -> Path | None:
    """The file of the ``index``-th training photo in the run's own copy of its photo set, where it is there."""
    place = run.path / "photos" / subject
    entries = [e for e in read_json(place / "manifest.json")["photos"] if e["part"] == "train"]
    file = place / str(entries[index]["file"]) if index < len(entries) else None
    return file if file is not None and file.is_file() else None
