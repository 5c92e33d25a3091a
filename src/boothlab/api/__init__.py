"""The verbs of boothlab as functions: the same plans, the same results as the command line.

Every function may raise the errors of :mod:`boothlab.errors` and nothing else on purpose; none prints. Heavy
libraries are imported when a verb is called, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from boothlab.models.config import Base
from boothlab.photos.config import Photos
from boothlab.plan import RunPlan
from boothlab.progress import Progress, silent
from boothlab.runs.events import Event
from boothlab.runs.run import Run, open_run

if TYPE_CHECKING:
    from boothlab.api.drawing import Drawn
    from boothlab.api.exporting import Exported, Format
    from boothlab.api.forgetting import Forgotten
    from boothlab.api.inspecting import Checked, Finding, Shown
    from boothlab.api.rating import RatingPage
    from boothlab.api.scoring import Evaluated
    from boothlab.api.studies.costs import StudyCost
    from boothlab.api.studies.reporting import Reported
    from boothlab.api.studies.resolving import Study
    from boothlab.api.traces import Found
    from boothlab.models.tokens import TokenReport
    from boothlab.models.weights import Precision
    from boothlab.photos.photoset import PhotoSet
    from boothlab.reports.rating import Preference

__all__ = [
    "check",
    "check_study",
    "demo",
    "doctor",
    "evaluate",
    "export",
    "fetch",
    "forget",
    "generate",
    "prepare",
    "rate",
    "read_ratings",
    "report",
    "report_study",
    "show",
    "study",
    "tokens",
    "train",
]

RUNS = Path("runs")
STUDIES = Path("studies")
DEMO = Path("demo")


def prepare(
    photos: Path,
    out: Path,
    settings: Photos | None = None,
    base: Base | None = None,
    progress: Progress = silent,
) -> PhotoSet:
    """Turn a folder of photos into a photo set at ``out``, sized for ``base``."""
    from boothlab.api.resolving import domain_of
    from boothlab.models.locate import base_size
    from boothlab.preparing.prepare import prepare as prepare_folder
    from boothlab.progress import within

    settings, base = settings or Photos(), base or Base()
    settings = settings.model_copy(update={"domain": domain_of(settings, base)})
    size = settings.size or base_size(base)
    return prepare_folder(photos, out, settings, size, within(progress, "photos"))


def train(
    plan: RunPlan,
    root: Path = RUNS,
    progress: Progress = silent,
    listen: Callable[[Event], None] = lambda event: None,
    track: Sequence[str] = (),
) -> Run:
    """Train what ``plan`` says; a run that was interrupted goes on exactly where its last checkpoint is.

    ``track`` names dashboards that hear it too ("tensorboard", "mlflow", "wandb"), all on this machine.
    """
    from boothlab.api.resolving import resolve
    from boothlab.tracking.tracker import require_known

    require_known(track)
    resolved = resolve(plan, progress)
    # Only now, because it loads torch: whatever is wrong with a plan has been said by then, in a second.
    from boothlab.api.averaging import make_run

    return make_run(resolved, root, progress, listen, track=track)


def generate(
    run: Path,
    prompts: Sequence[str],
    seeds: int = 4,
    snapshots: Sequence[str] = (),
    progress: Progress = silent,
    *,
    subject: str | None = None,
    negative: str = "",
    overrides: Sequence[str] = (),
) -> Drawn:
    """Make ``seeds`` pictures of each prompt with snapshots of ``run`` (the last one if none is named; a step, "base"
    or "all"), and a page of them. ``overrides`` are of the plan's ``[generation]``, such as "generation.steps=40"."""
    from boothlab.api.drawing import Asked, draw

    asked = Asked(prompts, seeds, snapshots, subject, negative, overrides)
    return draw(open_run(run), asked, progress)


def evaluate(run: Path, progress: Progress = silent) -> Evaluated:
    """Draw the evaluation plan with every snapshot and the base model, and score it."""
    from boothlab.api.scoring import evaluate_run

    return evaluate_run(open_run(run), progress)


def report(run: Path, progress: Progress = silent) -> Path:
    """Write ``report.html`` of an evaluated run; returns its path."""
    from boothlab.api.reporting import report_run, require_no_study

    require_no_study(run)
    return report_run(open_run(run), progress)


def rate(
    run: Path, out: Path | None = None, seed: int = 0, progress: Progress = silent, subject: str | None = None
) -> RatingPage:
    """Write a page on which people choose blindly between a run's snapshots of one subject, the plan's first if none
    is named. If no folder is given it goes to rating/RUN, of several subjects to rating/RUN-SUBJECT."""
    from boothlab.api.rating import rate_run

    return rate_run(open_run(run), out, seed, subject, progress)


def read_ratings(
    run: Path, answers: Sequence[Path], folder: Path | None = None, subject: str | None = None
) -> list[Preference]:
    """What people answered on the page of ``run`` in ``folder``; left out, where `rate` puts that of ``subject``."""
    from boothlab.api.rating import read_ratings

    return read_ratings(open_run(run), answers, folder, subject)


def fetch(what: str, source: Path | None = None) -> Path:
    """Put the weights of a metric (lpips-vgg, inception, clip, dino) where they are looked for; returns the place."""
    from boothlab.api.rating import fetch_weights

    return fetch_weights(what, source)


def export(
    run: Path,
    to: Path,
    snapshot: str | None = None,
    format_: Format | None = None,
    precision: Precision | None = None,
    progress: Progress = silent,
) -> Exported:
    """Write a snapshot of ``run`` to the folder ``to``: a whole diffusers model, or its adapter alone."""
    from boothlab.api.exporting import export_run

    return export_run(open_run(run), to, snapshot, format_, precision, progress)


def forget(
    subject: str,
    root: Path = RUNS,
    photos: Path | None = None,
    confirm: Callable[[Found], bool] = lambda found: True,
    studies: Path = STUDIES,
    demo: Path = DEMO,
) -> Forgotten:
    """Remove everything of ``subject`` below ``root``, ``studies`` and ``demo`` and in the shared cache, and search
    for what remains."""
    from boothlab.api.forgetting import forget_subject

    return forget_subject(subject, (root, studies, demo), photos, confirm)


def demo(
    out: Path,
    photos: Path | None = None,
    class_noun: str = "person",
    base: Base | None = None,
    progress: Progress = silent,
    listen: Callable[[Event], None] = lambda event: None,
    description: str | None = None,
) -> Path:
    """Photos → report; returns its path. The built-in model and the sample photos, unless told otherwise.

    ``description`` says what the subject of ``photos`` looks like, in words the model knows.
    """
    from boothlab.api.demonstration import demo_plan, run_demo

    return run_demo(demo_plan(photos, class_noun, base or Base(), description), out, progress, listen)


def check(plan: RunPlan, root: Path = RUNS, progress: Progress = silent) -> Checked:
    """Find everything that is wrong with ``plan``, and what it amounts to, before anything is loaded."""
    from boothlab.api.inspecting import check_plan

    return check_plan(plan, root, progress)


def study(
    file: Path,
    root: Path = STUDIES,
    overrides: Sequence[str] = (),
    progress: Progress = silent,
    ray: str | None = None,
    warn: Callable[[str], None] = lambda text: None,
) -> Reported:
    """Train and score every run of the study in ``file``, and write its report; failed runs do not stop the others.

    ``ray`` is the address of a Ray cluster that does the trainings ("auto" for this machine's); ``warn`` hears what
    should be known of it before they begin.
    """
    from boothlab.api.studies.reporting import study_and_report

    return study_and_report(file, root, overrides, progress, ray, warn)


def report_study(
    file: Path, root: Path = STUDIES, overrides: Sequence[str] = (), progress: Progress = silent
) -> Reported:
    """Write the report of what has been done of the study in ``file``; nothing is trained."""
    from boothlab.api.studies.reporting import report_so_far

    return report_so_far(file, root, overrides, progress)


def check_study(
    file: Path, root: Path = STUDIES, overrides: Sequence[str] = (), progress: Progress = silent
) -> tuple[Study, StudyCost]:
    """Find everything that is wrong with a study, what its runs share, and what it will take; nothing is loaded."""
    from boothlab.api.studies.costs import costs_of_study
    from boothlab.api.studies.resolving import resolve_study

    found = resolve_study(file, root, overrides, progress)
    return found, costs_of_study(found)


def show(run: Path) -> Shown:
    """The state, plan and results of a run."""
    from boothlab.api.inspecting import show_run

    return show_run(open_run(run))


def doctor() -> list[Finding]:
    """What works on this machine."""
    from boothlab.api.inspecting import examine

    return examine()


def tokens(
    words: Sequence[str], base: Base | None = None, suggestions: int = 5
) -> tuple[list[TokenReport], list[str]]:
    """How a base model's tokenizer takes ``words``, and rare single-token words that mean nothing yet."""
    from boothlab.api.inspecting import inspect_words

    return inspect_words(words, base or Base(), suggestions)
