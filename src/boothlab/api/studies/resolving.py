"""From a study's file to all its runs with nothing left open, and the trainings that give them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from boothlab.api.remarks import templates_of
from boothlab.api.resolving import (
    Resolved,
    look_up_inputs,
    remarks_on_objective,
    require_parts,
    require_something_to_wait_for,
)
from boothlab.api.studies.averages import with_means
from boothlab.api.studies.photos import settle_photos
from boothlab.api.studies.places import placed_claims
from boothlab.api.studies.pools import Pool, limit_of
from boothlab.api.studies.scorable import require_score
from boothlab.diffusion.config import Objective
from boothlab.errors import PlanError
from boothlab.files import expanded, require_writable, safe_name, sha256_json
from boothlab.home import home
from boothlab.photos.versions import Filed, versions
from boothlab.plan import RunPlan
from boothlab.progress import Progress, silent
from boothlab.studies.expand import Planned, expand
from boothlab.studies.means import means
from boothlab.studies.plan import Named, StudyPlan, load_study, start_of_paths
from boothlab.studies.search import scouts
from boothlab.studies.share import Member, Shared, Trunk, share
from boothlab.studies.trials import require_optuna

RUNS = "runs"
"""Folder of the study with its run folders."""


@dataclass(frozen=True, slots=True)
class Study:
    """A study with nothing left open. ``runs`` and ``resolved`` go side by side; ``place`` is its folder.

    ``source`` is the file it is written in. ``scouts`` are samples of a search's ranges, ``scouted`` what became of
    them: they are never trained, but what can be wrong with a trial is wrong with one of them. ``pools`` are the
    held-out photos of subjects whose photos vary.
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
    pools: tuple[Pool, ...] = ()

    @property
    def root(self) -> Path:
        """Where its run folders are."""
        return self.place / RUNS

    @property
    def folder(self) -> Path:
        """Where relative paths of its file start."""
        return start_of_paths(self.plan, self.source)

    @property
    def names(self) -> frozenset[str]:
        """The subjects of all its runs and trials."""
        plans = [planned.plan for planned in (*self.runs, *self.scouts)]
        return frozenset(subject.name for plan in plans for subject in plan.subjects)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against it, each once."""
        said = [found.warnings for found in (*self.resolved, *self.scouted)]
        return tuple(
            dict.fromkeys(text for texts in (*(pool.warnings for pool in self.pools), *said) for text in texts)
        )

    def of(self, trunk: Trunk, plan: RunPlan | None = None) -> Resolved:
        """What the trainer needs for a trunk, or for another plan on its photos."""
        name = next(iter(trunk.members))
        index = next(k for k, planned in enumerate(self.runs) if planned.name == name)
        return replace(self.resolved[index], plan=plan or trunk.plan)


def resolve_study(file: Path, root: Path, overrides: Sequence[str] = (), progress: Progress = silent) -> Study:
    """The study in ``file``; its folder is below ``root``. Raises PlanError, PhotoError, NoWeights."""
    study, tree = load_study(file, list(overrides))
    require_writable(root, "study folders")
    require_writable(home(), "shared results")
    place = (root / safe_name(study.name)).absolute()
    folder = start_of_paths(study, file)
    planned = expand(study, tree, folder, str(file))
    planned = (*planned, *means(study, planned, str(file)))
    ahead: tuple[Planned, ...] = ()
    if study.search is not None:
        require_optuna()
        some = [(f"sample {k + 1} of the search", values) for k, values in enumerate(scouts(study.search))]
        ahead = expand(only(study, some), tree, folder, str(file))
    settled = settle_photos([*planned, *ahead], place, pools_of(study, folder))
    runs = settled.runs
    resolved = resolve_all(runs, progress)
    never_both(runs, resolved, settled.pools)
    count = len(planned)
    if study.search is not None:
        require_score(study.search, resolved[count:])
    trained = [k for k in range(count) if not runs[k].members]
    shared = share(members_of([runs[k] for k in trained], [resolved[k] for k in trained]))
    averaged, shared = with_means(runs[:count], resolved[:count], shared, place / RUNS)
    found = Study(
        plan=study,
        tree=tree,
        place=place,
        runs=runs[:count],
        resolved=averaged,
        shared=shared,
        source=file.resolve(),
        scouts=runs[count:],
        scouted=tuple(resolved[count:]),
        pools=settled.pools,
    )
    placed_claims(found)
    return found


def only(study: StudyPlan, settings: Sequence[tuple[str, Mapping[str, Any]]]) -> StudyPlan:
    """The study with just these named settings (name, path → value), each with every training seed."""
    runs = tuple(Named(name=name, settings=dict(values)) for name, values in settings)
    return study.model_copy(
        update={"axes": {}, "ridge": None, "search": None, "published": {}, "runs": runs, "means": ()}
    )


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
    """Every run resolved; what runs have in common (photos, base, prompts) is looked at once.

    Raises one PlanError with everything that would end a run's training before it begins.
    """
    _refuse((planned.name, partial(require_parts, planned.plan)) for planned in runs)
    known: dict[str, Resolved] = {}
    remarks: dict[tuple[str, Objective, str], list[str]] = {}
    found = []
    for done, planned in enumerate(runs):
        plan = planned.plan
        key = _looked_at(plan)
        if key not in known:
            known[key] = look_up_inputs(plan, progress)
            progress("planning", done + 1, len(runs))
        first = known[key]
        training = plan.training.model_copy(update={"threads": plan.training.num_threads()})
        same = {name: getattr(first.plan, name) for name in ("subjects", "photos", "base")}
        filled = plan.model_copy(update={**same, "training": training})
        asked = key, plan.objective, training.compat
        if asked not in remarks:
            remarks[asked] = remarks_on_objective(filled, first)
        found.append(replace(first, plan=filled, warnings=(*first.warnings, *remarks[asked])))
    both = zip(runs, found, strict=True)
    _refuse((planned.name, partial(require_something_to_wait_for, planned.plan, one.sets)) for planned, one in both)
    return found


def _refuse(looks: Iterable[tuple[str, Callable[[], None]]]) -> None:
    """Raises one PlanError for all of (a run's name, what looks at it) that do: each reason once, with its runs."""
    problems: dict[str, list[str]] = {}
    hints: dict[str, None] = {}
    for name, look in looks:
        try:
            look()
        except PlanError as error:
            problems.setdefault(error.message, []).append(name)
            hints[error.hint] = None
    if problems:
        told = [
            f"{reason} (in {names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''})"
            for reason, names in problems.items()
        ]
        raise PlanError("\n".join(told), "\n  ".join(hints))


def _looked_at(plan: RunPlan) -> str:
    """Names what resolving looks at: photos, base model, and the words of every prompt."""
    words = [*templates_of(plan), str(plan.objective.class_folder), str(plan.evaluation.base)]
    return sha256_json([plan.model_dump(mode="json", include={"subjects", "photos", "base"}), words])


def never_both(runs: Sequence[Planned], resolved: Sequence[Resolved], pools: Sequence[Pool] = ()) -> None:
    """Raises PlanError when a photo that one run is judged by is trained on in another: scores would not compare.

    A version of it in another folder counts as the photo itself.
    """
    trained: dict[tuple[str, str], str] = {}
    held: dict[tuple[str, str], str] = {(pool.subject, one): "all" for pool in pools for one in pool.apart}
    # Runs that were resolved together have one dictionary of sets.
    distinct = {id(found.sets): (planned, found) for planned, found in zip(runs, resolved, strict=True)}
    for planned, found in distinct.values():
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
    _never_as_versions([*distinct.values()])


def _never_as_versions(runs: Sequence[tuple[Planned, Resolved]]) -> None:
    """The same for versions of photos that runs hold out of their own, as photo sets do; pools know theirs."""
    files: dict[str, dict[Path, Filed]] = {}
    trained: dict[tuple[str, Path], str] = {}
    held: dict[tuple[str, Path], str] = {}
    for planned, found in runs:
        for subject in planned.plan.subjects if planned.plan.photos.references is None else ():
            photos = found.sets[subject.name]
            for side, part in ((trained, photos.train), (held, photos.held_out)):
                own = {subject.photos / photo.name: photo for photo in part if not photo.is_reference}
                side |= {(subject.name, path): planned.name for path in own}
                filed = {path: Filed(path, photo.source_hash, photo.seen) for path, photo in own.items()}
                files.setdefault(subject.name, {}).update(filed)
    for name in {name for name, _ in held}:
        if len({path.parent for path in files[name]}) < 2:
            continue
        for group in versions([*files[name].values()], limit_of(runs[0][1].plan)):
            places = [(name, one.path) for one in group.members]
            both = (pair for pair in product(places, places) if pair[0] in trained and pair[1] in held)
            # Which photos of its folder a set holds out was decided when it was prepared.
            first, second = next((pair for pair in both if pair[0][1].parent != pair[1][1].parent), (None, None))
            if first is not None and second is not None:
                raise PlanError(
                    f"{first[1].name} of {name} is trained on in one run ({trained[first]}), and {second[1].name}, "
                    f"another version of it, is held out in another ({held[second]}).",
                    "Give the folders of the originals, so that all runs hold out the same photos.",
                )
