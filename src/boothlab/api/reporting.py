"""`report`: the HTML page of a run, from what its folder holds."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boothlab.api.pictures import evaluation_pictures, plan_of, snapshots_of
from boothlab.api.resolving import domain_of, photo_sets_of
from boothlab.api.scoring import computed_with, known_pictures, seen_in, summaries_of, summary_of
from boothlab.api.studies.traces import is_study_folder
from boothlab.config.show import to_toml
from boothlab.errors import PlanError
from boothlab.evaluation.derived import COPIED, DERIVED, MEMORISATION
from boothlab.evaluation.orders import Sets
from boothlab.files import read_json, write_text
from boothlab.metrics import METRICS
from boothlab.metrics.metric import Role
from boothlab.photos.photoset import PhotoSet
from boothlab.plan import RunPlan, for_others
from boothlab.progress import Progress, silent
from boothlab.reports import info as gather
from boothlab.reports.lacking import lacking
from boothlab.reports.page import render
from boothlab.reports.rulings import columns, ruling_view, shown_of
from boothlab.runs.events import Averaged
from boothlab.runs.run import Run

ROLES: tuple[Role, ...] = ("context", "bare", "class", "unrelated")


def report_run(run: Run, progress: Progress = silent) -> Path:
    """Write ``report.html``. Raises PlanError when the run has not been evaluated, RunBusy while it is trained."""
    if not (run.path / "scores.csv").is_file():
        raise PlanError(f"{run.path} has no scores yet.", f"Run `boothlab evaluate {run.path}` first.")
    with run.writing():
        path = run.path / "report.html"
        write_text(path, page_of(run, progress))
        return path


def require_no_study(path: Path) -> None:
    """Raises PlanError, which says how its page is made, for a study's folder."""
    if (path / "plan.json").is_file() or not is_study_folder(path):
        return
    given = path if path.name not in ("", "..") else path.resolve()
    copy = given / "study.toml"
    command = f"boothlab report {shlex.quote(str(copy))}" if copy.is_file() else "boothlab report STUDY.toml"
    if given.parent != Path("studies"):
        command += f" --studies {shlex.quote(str(given.parent))}"
    raise PlanError(f"{path} is a study, not a run folder.", command)


def page_of(run: Run, progress: Progress = silent) -> str:
    """The page of an evaluated run; pictures that are not there any more are drawn again."""
    plan = plan_of(run)
    summary = summary_of(run)
    summaries = summaries_of(summary)
    _require_all_judged(run, summary)
    events = run.events()
    drawn = evaluation_pictures(run, plan, progress)
    sets = photo_sets_of(run, plan)
    _require_shown(run, summary, drawn)
    _require_same_pictures(run, summary, drawn, sets)
    names = dict.fromkeys(line.snapshot for line in summaries)
    chosen = [tree["verdict"].get("recommended") for tree in summary["rulings"]]
    # A column is all subjects': what is recommended for one of several is no choice for the others.
    snapshots = columns(names, chosen if len(chosen) == 1 else [])
    facts = (*DERIVED, COPIED, MEMORISATION, *METRICS)
    table = gather.score_table(summaries, facts, snapshots, summary["nulls"])
    grids = (gather.grid(name, role, sources) for name, sources in drawn.items() for role in ROLES)
    return render(
        gather.RunInfo(
            name=run.name,
            state=run.status().state,
            # Of a killed run the status still says where it began.
            steps=max(run.status().step, run.reached()),
            mean_of=next((event.of for event in events if isinstance(event, Averaged)), ""),
            seconds_per_step=gather.seconds_per_step(events),
            warnings=(*summary["remarks"], *_other_weights(run, plan, summary), *gather.warnings_of(events)),
            photo_sets=sets,
            loss=gather.loss_curves(events),
            validation=gather.validation_curves(events),
            grids=tuple(grid for grid in grids if grid is not None),
            snapshots=tuple(snapshots),
            table=table,
            lacking=lacking(summary["unavailable"], METRICS, gather.places(summaries)),
            rulings=tuple(
                ruling_view(tree, drawn[tree["subject"]], sets[tree["subject"]]) for tree in summary["rulings"]
            ),
            crossings=tuple(summary["crossings"]),
            advice=advice(run, plan),
            plan_toml=to_toml(for_others(plan)),
            provenance=read_json(run.path / "provenance.json"),
        )
    )


def _require_all_judged(run: Run, summary: Mapping[str, Any]) -> None:
    """Raises PlanError where the training went on after the scores: the verdict would be about its beginning."""
    judged = {one["name"] for tree in summary["rulings"] for one in tree["verdict"]["judgements"]}
    later = [name for name in snapshots_of(run) if name not in judged]
    if later:
        raise PlanError(
            f"{run.path} was scored before it was trained to the end: {', '.join(later)} was never judged.",
            f"Run `boothlab evaluate {run.path}` again.",
        )


def _require_shown(run: Run, summary: Mapping[str, Any], drawn: Mapping[str, Mapping[str, Sets]]) -> None:
    """Raises PlanError where the snapshot whose pictures stand beside a verdict is not there any more."""
    for tree in summary["rulings"]:
        name = shown_of(tree["verdict"])
        if name not in drawn[tree["subject"]]:
            raise PlanError(
                f"{run.path}: the snapshot {name} was scored, the page shows it, and it is not there any more.",
                f"Run `boothlab evaluate {run.path}` to judge the others, or train its plan again to make it anew.",
            )


def _require_same_pictures(
    run: Run, summary: Mapping[str, Any], drawn: Mapping[str, Mapping[str, Sets]], sets: Mapping[str, PhotoSet]
) -> None:
    """Raises PlanError where pictures or photos were changed since: the page would show others than were scored."""
    scored, now = summary.get("pictures", {}), known_pictures(seen_in(drawn, sets))
    # Of a snapshot that was deleted there are none now, which is nothing to stop for.
    if any(scored[name].get(lot) != known for name in scored for lot, known in now.get(name, {}).items()):
        raise PlanError(
            f"{run.path}: its pictures or photos are not those that were scored.",
            f"Run `boothlab evaluate {run.path}` again; nothing is trained.",
        )


def _other_weights(run: Run, plan: RunPlan, summary: Mapping[str, Any]) -> list[str]:
    """A sentence where metrics would be computed with other weights by now, or with such as were not here."""
    if "features" not in summary:
        return []
    now = computed_with(METRICS, domain_of(plan.photos, plan.base))
    other = sorted(name for name, known in now.items() if summary["features"].get(name) != known)
    if not other:
        return []
    return [
        f"Scored with other weights than are here by now ({', '.join(other)}): "
        f"`boothlab evaluate {from_here(run.path)}` scores it with these."
    ]


def from_here(path: Path) -> str:
    """A path as it is typed from the current folder; pages go to others, so it says no more of where it lies. From a
    folder that has nothing but the disk in common with it that would be the whole path: then its end alone."""
    real, here = path.resolve(), Path.cwd().resolve()
    if real.parts[:2] != here.parts[:2]:
        return shlex.quote(Path("…", *real.parts[1:][-2:]).as_posix())
    return shlex.quote(os.path.relpath(real, here))


def advice(run: Run, plan: RunPlan) -> tuple[str, str]:
    """What to do next, and the command: one's own photos after the built-in model, else the weights for elsewhere."""
    if plan.base.model != "toon":
        return "The weights, for other programs:", f"boothlab export {from_here(run.path)} --to FOLDER"
    return (
        "With your own photos:",
        "boothlab demo --photos FOLDER --class person --base stable-diffusion-v1-5/stable-diffusion-v1-5",
    )
