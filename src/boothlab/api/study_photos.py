"""The photos of a study: one held-out pool per subject, taken out before any subset of the others is formed."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from boothlab.api.resolving import domain_of, own_settings, photo_set
from boothlab.errors import PlanError
from boothlab.files import folder_listing, new_folder, sha256_file, sha256_json
from boothlab.models.locate import base_size
from boothlab.photos.folder import list_folder
from boothlab.photos.photo import Photo
from boothlab.photos.photoset import PhotoSet, is_photo_set
from boothlab.plan import RunPlan
from boothlab.preparing.prepare import choose_held_out
from boothlab.seeds import derive
from boothlab.studies.expand import Planned
from boothlab.studies.plan import NUMBER
from boothlab.subjects import Subject

HELD_OUT = "held-out"
"""Folder of the study with the pools, one folder per subject."""

SELECTIONS = "photos"
"""Folder of the study with the photos that runs train on, where these are not whole folders of the user's."""


def settle_photos(
    runs: Sequence[Planned],
    place: Path,
    given: Mapping[str, Path] | None = None,
    by_chance: Collection[str] = (),
) -> list[Planned]:
    """The runs with photo folders that keep every subject's pool out and have as many photos as asked.

    ``given`` are pools that are there already (subject → folder): those that the study names, and of the subjects
    ``by_chance`` those that an earlier call drew. Raises PlanError, PhotoError.
    """
    given = given or {}
    _all_known(runs, given)
    pools = {name: _given_pool(folder, place / HELD_OUT / name) for name, folder in given.items()}
    pools |= {name: _pool(name, runs, place) for name in _to_be_pooled(runs, given)}
    pools = {name: hashes for name, hashes in pools.items() if hashes}
    drawn = pools.keys() - (given.keys() - set(by_chance))
    found: dict[str, RunPlan] = {}
    settled = []
    for planned in runs:
        parts = ("subjects", "photos", "base", "evaluation")
        key = sha256_json([planned.plan.model_dump(mode="json", include=set(parts)), planned.number])
        if key not in found:
            found[key] = _numbered(_without_pools(planned.plan, pools, drawn, place), planned.number, place)
        own = {name: getattr(found[key], name) for name in parts}
        settled.append(replace(planned, plan=planned.plan.model_copy(update=own)))
    return settled


def _all_known(runs: Sequence[Planned], given: Mapping[str, Path]) -> None:
    """Raises PlanError for a pool of nobody, and for one beside ``photos.references``."""
    names = {subject.name for planned in runs for subject in planned.plan.subjects}
    unknown = sorted(given.keys() - names)
    if unknown:
        raise PlanError(f"held_out.{unknown[0]}: there is no such subject; there are {', '.join(sorted(names))}.")
    if given and any(planned.plan.photos.references is not None for planned in runs):
        raise PlanError("held_out and photos.references both name held-out photos.", "Leave photos.references out.")


def _given_pool(folder: Path, target: Path) -> frozenset[str]:
    """Hashes of the photos in ``folder``, which are copied to ``target``."""
    files = list_folder(folder).photos
    if not files:
        raise PlanError(f"The folder of held-out photos {folder} holds no photos.")
    _fill(target, files)
    return frozenset(sha256_file(path) for path in files)


def _to_be_pooled(runs: Sequence[Planned], given: Mapping[str, Path]) -> list[str]:
    """Subjects that need a pool besides those that have a ``given`` one.

    A plan has one place for held-out photos. So where one of its subjects has a pool, the others need theirs too, or
    they would have no held-out photos at all.
    """
    found = [name for name in _varied(runs) if name not in given]
    grown = True
    while grown:
        grown = False
        for planned in runs:
            names = [subject.name for subject in planned.plan.subjects]
            if not any(name in given or name in found for name in names):
                continue
            more = [s.name for s in planned.plan.subjects if _holds_out(planned.plan, s)]
            more = [name for name in more if name not in given and name not in found]
            found += more
            grown = grown or bool(more)
    return found


def _holds_out(plan: RunPlan, subject: Subject) -> bool:
    """Whether the plan would hold out some of the subject's own photos."""
    return plan.photos.references is None and plan.photos.held_out > 0 and not is_photo_set(subject.photos)


def _varied(runs: Sequence[Planned]) -> list[str]:
    """Subjects whose photos are not the same in all runs, and whose held-out photos nobody has named.

    With a number of photos asked for there is always a pool: what is held out must not depend on the number.
    """
    seen: dict[str, set[str]] = {}
    for planned in runs:
        plan = planned.plan
        for subject in plan.subjects:
            if _holds_out(plan, subject):
                settings = plan.photos.model_dump(mode="json")
                key = sha256_json([str(subject.photos), settings, planned.number])
                seen.setdefault(subject.name, set()).update([key] if planned.number is None else [key, ""])
    return [name for name, selections in seen.items() if len(selections) > 1]


def _prepared(plan: RunPlan, subject: Subject, **update: object) -> PhotoSet:
    size = base_size(plan.base) if plan.photos.size is None else plan.photos.size
    photos = plan.photos.model_copy(update={"size": size, "domain": domain_of(plan.photos, plan.base), **update})
    return photo_set(subject.photos, own_settings(photos, subject), size)


def _pool(name: str, runs: Sequence[Planned], place: Path) -> frozenset[str]:
    """Hashes of the subject's held-out photos, drawn from the usable ones of all its folders; files in ``place``."""
    usable: dict[str, Photo] = {}
    files: dict[str, Path] = {}
    settings = None
    for planned in runs:
        for subject in planned.plan.subjects:
            if subject.name != name or subject.photos in {path.parent for path in files.values()}:
                continue
            settings = settings or planned.plan.photos
            # The first plan's settings decide what is usable; names are hashes, because folders may share names.
            for photo in _prepared(planned.plan, subject, held_out=0.0).photos:
                usable.setdefault(photo.source_hash, replace(photo, name=photo.source_hash))
            for path in list_folder(subject.photos).photos:
                files.setdefault(sha256_file(path), path)
    chosen = frozenset() if settings is None else choose_held_out(list(usable.values()), settings)
    _fill(place / HELD_OUT / name, [files[found] for found in sorted(chosen)])
    return chosen


def _without_pools(plan: RunPlan, pools: dict[str, frozenset[str]], drawn: Collection[str], place: Path) -> RunPlan:
    """The plan with training folders that hold no photo of a pool, and the pools as references.

    Those of the subjects ``drawn`` came about by chance, others as somebody put them together.
    """
    if plan.photos.references is not None or not any(subject.name in pools for subject in plan.subjects):
        return plan
    subjects = []
    for subject in plan.subjects:
        pool = pools.get(subject.name, frozenset())
        if pool:
            rest = [path for path in list_folder(subject.photos).photos if sha256_file(path) not in pool]
            subject = subject.model_copy(update={"photos": _selection(subject, rest, place)})
        subjects.append(subject)
    at_random = plan.evaluation.references_at_random or all(
        subject.name in drawn for subject in plan.subjects if subject.name in pools
    )
    photos = plan.photos.model_copy(update={"references": place / HELD_OUT})
    evaluation = plan.evaluation.model_copy(update={"references_at_random": at_random})
    return plan.model_copy(update={"subjects": tuple(subjects), "photos": photos, "evaluation": evaluation})


def _numbered(plan: RunPlan, number: int | None, place: Path) -> RunPlan:
    """The plan with ``number`` training photos per subject. Fewer photos are always a part of more."""
    if number is None:
        return plan
    subjects = []
    for subject in plan.subjects:
        if is_photo_set(subject.photos):
            raise PlanError(
                f"{NUMBER} = {number}, but {subject.photos} is a photo set.", "Give the folder of photos itself."
            )
        train = _prepared(plan, subject).train
        if len(train) < number:
            raise PlanError(
                f"{NUMBER} = {number}, but {subject.name} has {len(train)} usable photos to train on.",
                "Ask for fewer, add photos, or hold out fewer (photos.held_out).",
            )
        ranked = sorted(train, key=lambda photo: derive(plan.photos.split_seed, "split", "number", photo.source_hash))
        wanted = {photo.source_hash for photo in ranked[:number]}
        chosen = [path for path in list_folder(subject.photos).photos if sha256_file(path) in wanted]
        subjects.append(subject.model_copy(update={"photos": _selection(subject, chosen, place)}))
    return plan.model_copy(update={"subjects": tuple(subjects)})


def _selection(subject: Subject, photos: Sequence[Path], place: Path) -> Path:
    """A folder with just these photos and the words that go with them."""
    words = list_folder(subject.photos).words
    files = [*photos, *words]
    listing = folder_listing(subject.photos, [path.name for path in files])
    folder = place / SELECTIONS / f"{subject.name}-{sha256_json(listing)[:8]}"
    _fill(folder, files)
    return folder


def _fill(folder: Path, files: Sequence[Path]) -> None:
    """Make ``folder`` hold copies of ``files`` and nothing else; photos of one name are numbered."""
    names: dict[str, Path] = {}
    for path in files:
        name = path.name if path.name not in names else f"{len(names)}-{path.name}"
        names[name] = path
    wanted = {name: sha256_file(path) for name, path in sorted(names.items())}
    if folder.is_dir() and folder_listing(folder) == wanted:
        return
    if not names:
        return
    with new_folder(folder) as temporary:
        for name, path in names.items():
            shutil.copyfile(path, temporary / name)
