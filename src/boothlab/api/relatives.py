"""What a run folder takes over from others of the same training: pictures of snapshots that both have, and vectors.

Which snapshots are kept, and how long the training is, are part of what a run folder is known by. So a study whose
lengths were changed, or a longer run, is another folder; here it gets what need not be drawn again.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from boothlab.api.pictures import FRESH_IMAGES, snapshots_of, weights_hash
from boothlab.errors import RunDamaged
from boothlab.evaluation.lots import BASE, DESCRIBED
from boothlab.files import new_folder, read_json, read_table, sweep_temporaries
from boothlab.plan import RunPlan
from boothlab.runs.run import Run, runs_with_trunk


def relatives(others: Sequence[Run], plan: RunPlan) -> list[Run]:
    """Those runs of the same training that were scored on the pictures that ``plan`` asks for."""
    tree = plan.model_dump(mode="json")
    return [
        other
        for other in others
        if (other.path / "summary.json").is_file()
        and all(other.plan().get(node) == tree[node] for node in ("evaluation", "generation"))
    ]


def take_drawn(run: Run, plan: RunPlan) -> None:
    """Copy into ``run`` the pictures that its relatives drew with the weights that it has too, and their vectors.

    Whoever uses them looks at every picture's sidecar and at every vector's picture, so a gift that does not fit
    changes nothing. The caller holds the run; a relative that another process is changing is passed over.
    """
    names = snapshots_of(run)
    trunk = read_table(run.path / "plan.json").get("trunk")
    if trunk is None or all(has_drawn(run, name) for name in names):
        return
    others = [other for other in runs_with_trunk(run.path.parent, trunk) if other.path != run.path]
    found = relatives(others, plan)
    weights = {
        name: weights_hash(run, plan, name) for name in names if any(has_drawn(other, name) for other in found)
    }
    # The vectors are those of whoever has most of the pictures.
    for other in sorted(found, key=lambda other: -sum(has_drawn(other, name) for name in weights)):
        with contextlib.suppress(FileNotFoundError, shutil.Error):
            for subject in plan.subjects:
                for source in (BASE, DESCRIBED):
                    copy_folder(other.images / source / subject.name, run.images / source / subject.name)
                for name, own in weights.items():
                    for place in (Path(name), Path(FRESH_IMAGES) / name):
                        if _drawn_with(other.images / place / subject.name, own):
                            copy_folder(other.images / place / subject.name, run.images / place / subject.name)
            copy_folder(other.path / "features", run.path / "features")


def has_drawn(run: Run, snapshot: str) -> bool:
    """Whether the run has pictures of a snapshot."""
    return (run.images / snapshot).is_dir()


def _drawn_with(folder: Path, weights: str) -> bool:
    """Whether the first picture in ``folder`` was drawn with these weights."""
    first = min(folder.glob("*.json"), default=None)
    if first is None:
        return False
    try:
        return bool(read_json(first)["weights"] == weights)
    except (RunDamaged, KeyError, TypeError):
        return False


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder so that it appears at once; nothing where there is none, or one is there already."""
    if not source.is_dir() or target.is_dir():
        return
    sweep_temporaries(target.parent)
    with new_folder(target) as temporary:
        shutil.copytree(source, temporary, dirs_exist_ok=True)
