"""From a study's file to all its runs with nothing left open, and the trainings that give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from boothlab.api.resolving import Resolved, resolve
from boothlab.api.study_photos import settle_photos
from boothlab.api.study_places import placed_claims
from boothlab.errors import PlanError
from boothlab.files import expanded, safe_name, sha256_json
from boothlab.plan import RunPlan
from boothlab.progress import Progress, silent
from boothlab.studies.expand import Planned, expand
from boothlab.studies.plan import Named, StudyPlan, load_study
from boothlab.studies.search import scouts
from boothlab.studies.share import Member, Shared, Trunk, share
from boothlab.studies.trials import require_optuna


@dataclass(frozen=True, slots=True)
class Study:
    """A study with nothing left open. ``runs`` and ``resolved`` go side by side; ``place`` is its folder.

    ``source`` is the file it is written in. ``scouts`` are the ends of a search's ranges, ``scouted`` what became of
    them: they are never trained, but what can be wrong with a trial is wrong with one of them.
    """

    plan: StudyPlan
    tree: dict[str, Any]
    place: Path
    runs: tuple[Planned, ...]
    resolved: tuple[Resolved, ...]
    shared: Shared
    source: Path
    scouts: tuple[Planned, ...] = ()
    scouted: tuple[Resolved, ...] = ()

    @property
    def root(self) -> Path:
        """Where its run folders are."""
        return self.place / "runs"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against it, each once."""
        return tuple(dict.fromkeys(text for found in (*self.resolved, *self.scouted) for text in found.warnings))

    def of(self, trunk: Trunk, plan: RunPlan | None = None) -> Resolved:
        """What the trainer needs for a trunk, or for another plan on its photos."""
        name = next(iter(trunk.members))
        index = next(k for k, planned in enumerate(self.runs) if planned.name == name)
        return replace(self.resolved[index], plan=plan or trunk.plan)


def resolve_study(file: Path, root: Path, overrides: Sequence[str] = (), progress: Progress = silent) -> Study:
    """The study in ``file``; its folder is below ``root``. Raises PlanError, PhotoError, NoWeights."""
    study, tree = load_study(file, list(overrides))
    place = (root / safe_name(study.name)).absolute()
    folder = file.resolve().parent
    planned = expand(study, tree, folder, str(file))
    ahead: tuple[Planned, ...] = ()
    if study.search is not None:
        require_optuna()
        ends = [(f"end {k + 1} of the search's ranges", values) for k, values in enumerate(scouts(study.search))]
        ahead = expand(only(study, ends), tree, folder, str(file))
    runs = settle_photos([*planned, *ahead], place, pools_of(study, folder))
    resolved = resolve_all(runs, progress)
    never_both(runs, resolved)
    count = len(planned)
    found = Study(
        plan=study,
        tree=tree,
        place=place,
        runs=tuple(runs[:count]),
        resolved=tuple(resolved[:count]),
        shared=share(members_of(runs[:count], resolved[:count])),
        source=file.resolve(),
        scouts=tuple(runs[count:]),
        scouted=tuple(resolved[count:]),
    )
    placed_claims(found)
    return found


def only(study: StudyPlan, settings: Sequence[tuple[str, Mapping[str, Any]]]) -> StudyPlan:
    """The study with just these named settings (name, path → value), each with every training seed."""
    runs = tuple(Named(name=name, settings=dict(values)) for name, values in settings)
    return study.model_copy(update={"axes": {}, "ridge": None, "search": None, "published": {}, "runs": runs})


def pools_of(study: StudyPlan, folder: Path) -> dict[str, Path]:
    """Subject → the folder of held-out photos that the study names."""
    return {name: folder / expanded(Path(pool)) for name, pool in study.held_out.items()}


def members_of(runs: Sequence[Planned], resolved: Sequence[Resolved]) -> list[Member]:
    """The runs with their lengths, for the planner."""
    return [
        Member(planned.name, found.plan, found.inputs, found.plan.training.total_steps(found.training_photos))
        for planned, found in zip(runs, resolved, strict=True)
    ]


def resolve_all(runs: Sequence[Planned], progress: Progress = silent) -> list[Resolved]:
    """Every run resolved; what runs have in common (photos, base, prompts) is looked at once."""
    known: dict[str, Resolved] = {}
    found = []
    for done, planned in enumerate(runs):
        plan = planned.plan
        key = _looked_at(plan)
        if key not in known:
            known[key] = resolve(plan, progress)
            progress("planning", done + 1, len(runs))
        first = known[key]
        training = plan.training.model_copy(update={"threads": plan.training.num_threads()})
        same = {name: getattr(first.plan, name) for name in ("subjects", "photos", "base")}
        found.append(replace(first, plan=plan.model_copy(update={**same, "training": training})))
    return found


def _looked_at(plan: RunPlan) -> str:
    """Names what resolving looks at: photos, base model, and the words of every prompt."""
    objective = plan.objective
    words = [
        objective.instance_prompt,
        objective.class_prompt,
        str(objective.class_folder),
        *plan.evaluation.contexts(),
    ]
    return sha256_json([plan.model_dump(mode="json", include={"subjects", "photos", "base"}), words])


def never_both(runs: Sequence[Planned], resolved: Sequence[Resolved]) -> None:
    """Raises PlanError when a photo that one run is judged by is trained on in another: scores would not compare."""
    trained: dict[tuple[str, str], str] = {}
    held: dict[tuple[str, str], str] = {}
    looked: set[int] = set()
    for planned, found in zip(runs, resolved, strict=True):
        if id(found.sets) in looked:
            continue
        looked.add(id(found.sets))
        for name, photos in found.sets.items():
            trained |= {(name, photo.source_hash): planned.name for photo in photos.train}
            held |= {(name, photo.source_hash): planned.name for photo in photos.held_out}
    both = sorted(trained.keys() & held.keys())
    if both:
        subject, _ = both[0]
        raise PlanError(
            f"{len(both)} photos of {subject} are trained on in one run ({trained[both[0]]}) and held out in another "
            f"({held[both[0]]}).",
            "Give one folder of held-out photos for all runs as photos.references.",
        )
