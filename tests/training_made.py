"""A place with photos and a plan for the real command line, and what a finished training left there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

from boothlab.files import folder_listing
from boothlab.photos.photoset import read_set
from boothlab.runs.events import Stepped
from boothlab.runs.run import Run
from command_line import boothlab
from photos_made import photo_folder

PLAN = """
name = "ada"

[[subjects]]
name = "ada"
photos = "photos"
class_noun = "person"
identifier = "rinn"

[base]
model = '{model}'

[strategy]
kind = "dreambooth"
learning_rate = 1e-3

[objective]
prior_preservation = {prior}
class_images = 8

[training]
steps = {steps}
snapshots = [{middle}]
snapshot_precision = "fp32"
checkpoint_every = 2
threads = 1

[generation]
steps = 2
"""


@dataclass(frozen=True)
class Place:
    """A folder with ``photos/``, ``ada.toml`` and, after a training, ``runs/``."""

    path: Path

    @property
    def home(self) -> Path:
        """Where shared results go."""
        return self.path / "home"

    def train(self, *options: str | Path, timeout: float = 120) -> CompletedProcess[str]:
        """``boothlab train ada.toml OPTIONS`` to its end."""
        return boothlab("train", "ada.toml", *options, home=self.home, cwd=self.path, timeout=timeout)

    def run(self) -> Run:
        """The only run."""
        (path,) = (self.path / "runs").iterdir()
        return Run(path)


def make_place(path: Path, model: Path, photos: int = 3, steps: int = 4, prior: bool = False) -> Place:
    """A place with so many photos and a plan of so many steps."""
    photo_folder(path / "photos", photos, size=(80, 72))
    text = PLAN.format(model=model, prior=str(prior).lower(), steps=steps, middle=steps // 2)
    (path / "ada.toml").write_text(text)
    return Place(path)


def result(run: Run) -> dict[str, object]:
    """Everything of a finished run that must not depend on what it went through: weights, losses, state."""
    return {
        "weights": folder_listing(run.snapshots),
        "losses": [(event.step, event.loss, event.norm) for event in run.events() if isinstance(event, Stepped)],
        "status": run.status(),
        "photos": {path.name: read_set(path).content_hash for path in sorted((run.path / "photos").iterdir())},
    }


def only_message(done: CompletedProcess[str]) -> str:
    """What the command said of its failure: one message, no traceback, nothing on stdout."""
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("boothlab: ") == 1
    return done.stderr[done.stderr.index("boothlab: ") :]
