"""`demo`: photos → report, on the built-in model with the photos that ship, or on one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from boothlab.api.reporting import report_run
from boothlab.api.resolving import resolve
from boothlab.api.scoring import evaluate_run
from boothlab.api.trainer import train_run
from boothlab.assets import asset
from boothlab.errors import NoWeights, PlanError
from boothlab.files import safe_name
from boothlab.models.config import Base
from boothlab.photos.config import Photos
from boothlab.photos.folder import list_folder
from boothlab.photos.photoset import is_photo_set, read_set
from boothlab.plan import RunPlan, plan_from, relative_to
from boothlab.progress import Progress, silent
from boothlab.runs.events import Event

SUBJECT = "mira"
DESCRIPTION = "a person with teal long hair and glasses, in sketch style"
"""What one would have to say of her without any training."""

CONTEXTS = (
    *(
        f"a photo of a CLASS on {shade} background"
        for shade in (
            "an orange",
            "a gray",
            "a navy",
            "a lavender",
            "a teal",
            "a beige",
            "a purple",
            "a brown",
            "a black",
        )
    ),
    *(f"a photo of a CLASS wearing {shade} shirt" for shade in ("an orange", "a navy", "a teal", "a purple")),
    "a photo of a CLASS with sunglasses",
    "a photo of a CLASS laughing",
    "a photo of a CLASS wearing a blue beanie",
    "a photo of a CLASS with a mustache",
)
"""What the built-in model's class images show besides the photos' captions. None of it is asked for by the prompts
that are scored, so that these go on saying how words fare that no class image was drawn under."""

TOON = {
    "strategy": {"kind": "dreambooth", "learning_rate": 1e-3, "identifier_learning_rate": 1e-2},
    "objective": {"class_images": 96, "class_contexts": list(CONTEXTS)},
    "training": {
        "steps": 300,
        "snapshots": [120, 180, 240],
        "batch_size": 4,
        "optimizer": {"ema_decay": 0.98},
        "rate": {"warmup": 20},
        "checkpoint_every": 60,
        "validation": {"every": 150},
    },
    "generation": {"sampler": "dpm++sde", "steps": 10, "spacing": "trailing", "guidance": 3.0, "batch_size": 10},
}
"""Settings for the built-in model, chosen on development subjects (docs/decisions/037, 039, 042, 044 to 046, 048): a
network of 9 million numbers wants a higher rate than one of 860 million, the identifier's vector ten times as high a
one, and weights averaged over the last tenth of the steps bear it."""

STEPS_PER_PHOTO = 100
"""Length of a training of another model, by photos that are trained on if all of the folder are usable."""

SAMPLE_NOUN = "person"

SHARES = (0.33, 0.67)
"""Where snapshots of another model are taken, besides the end."""


def demo_plan(photos: Path | None, class_noun: str, base: Base, description: str | None = None) -> RunPlan:
    """The demo's plan; ``description`` is of the subject of ``photos``.

    Raises NoWeights when the sample photos are not installed, PhotoError for a missing folder, PlanError for another
    description of the sample.
    """
    if photos is None and description is not None:
        raise PlanError("The sample photos have their own description.", "Give --photos, or leave --description out.")
    if photos is None and class_noun != SAMPLE_NOUN:
        raise PlanError(f"The sample photos are of a {SAMPLE_NOUN}.", "Give --photos, or leave --class out.")
    subject: dict[str, Any] = {"class_noun": class_noun}
    tree: dict[str, Any] = {"base": base.model_dump(mode="json")}
    if photos is not None:
        # By the folder, not by one name for everybody: `forget` would take one person's demo for another's.
        subject |= {"name": safe_name(photos.resolve().name), "photos": str(photos), "description": description}
    else:
        sample = asset("samples", SUBJECT, "photos")
        if not sample.is_dir():
            raise NoWeights(f"The sample photos {SUBJECT} are not in this installation.", "Install boothlab again.")
        subject |= {"name": SUBJECT, "photos": str(sample), "class_noun": SAMPLE_NOUN, "description": DESCRIPTION}
        tree["photos"] = {"references": str(asset("samples", SUBJECT, "more"))}
    tree |= TOON if base.model == "toon" else _defaults(Path(subject["photos"]), "photos" in tree)
    plan = plan_from({"name": "demo", "subjects": [subject], **tree}, "the demo's plan")
    # What the run's folder keeps must mean the same places from wherever it is read.
    return relative_to(plan, Path.cwd())


def _defaults(photos: Path, given: bool) -> dict[str, Any]:
    """Settings for other models: the defaults, three snapshots, and a look at the held-out loss."""
    steps = STEPS_PER_PHOTO * max(1, _training_photos(photos, given))
    snapshots = [round(share * steps) for share in SHARES]
    # A checkpoint of all of Stable Diffusion is ten gigabytes.
    looks = {"checkpoint_every": max(100, steps // 3), "validation": {"every": 100}}
    return {"training": {"steps": steps, "snapshots": snapshots, **looks}}


def _training_photos(photos: Path, given: bool) -> int:
    """How many photos of a prepared set are trained on, or of a folder would be if all are usable; all of them where
    other photos are ``given`` to be held out."""
    if is_photo_set(photos):
        return len(read_set(photos).train)
    there = len(list_folder(photos).photos)
    return there if given else there - Photos().held_out_of(there)


def run_demo(
    plan: RunPlan, out: Path, progress: Progress = silent, listen: Callable[[Event], None] = lambda event: None
) -> Path:
    """Train, draw, score, report; what is there already is not done again."""
    run = train_run(resolve(plan, progress), out / "runs", progress, listen)
    evaluate_run(run, progress)
    return report_run(run, progress)
