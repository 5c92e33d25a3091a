"""The photos of a study: one held-out pool per subject, taken out before any subset of the others is formed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from boothlab.api.studies.pools import Pool, drawn_pool, fill_folder, named_pool, prepared
from boothlab.api.studies.traces import HELD_OUT, SELECTION, SELECTIONS
from boothlab.errors import PlanError
from boothlab.files import folder_listing, sha256_file, sha256_json
from boothlab.photos.folder import composed, fits, list_folder, printable
from boothlab.photos.photo import REFERENCES, Photo, Rejected
from boothlab.photos.photoset import PhotoSet, is_photo_set
from boothlab.photos.screening import of_people
from boothlab.plan import RunPlan
from boothlab.seeds import derive
from boothlab.studies.expand import Planned
from boothlab.studies.plan import NUMBER
from boothlab.subjects import Subject


@dataclass(frozen=True, slots=True)
class Settled:
    """Runs whose photo folders keep every subject's pool out, and the pools."""

    runs: tuple[Planned, ...]
    pools: tuple[Pool, ...]


def settle_photos(
    runs: Sequence[Planned], place: Path, named: Mapping[str, Path] | None = None, known: Sequence[Pool] = ()
) -> Settled:
    """The runs with photo folders that keep every subject's pool out and have as many photos as asked.

    ``named`` are the pools that the study names (subject → folder), ``known`` those that an earlier call settled for
    more runs of the same study. Raises PlanError, PhotoError.
    """
    named = named or {}
    _all_known(runs, named)
    _none_overwritten(runs, named, place)
    _one_split(runs)
    here = {subject.name for planned in runs for subject in planned.plan.subjects}
    pools = {pool.subject: pool for pool in known if pool.subject in here}
    given = {name: folder for name, folder in named.items() if name not in pools}
    pools |= {name: named_pool(name, runs, folder, place) for name, folder in given.items()}
    pools |= {name: drawn_pool(name, runs, place) for name in _to_be_pooled(runs, pools)}
    pools = {name: pool for name, pool in pools.items() if pool.held}
    found: dict[str, RunPlan] = {}
    settled = []
    for planned in runs:
        parts = ("subjects", "photos", "base", "evaluation")
        key = sha256_json([planned.plan.model_dump(mode="json", include=set(parts)), planned.number])
        if key not in found:
            found[key] = _numbered(_without_pools(planned.plan, pools, place), planned.number, place)
        own = {name: getattr(found[key], name) for name in parts}
        settled.append(replace(planned, plan=planned.plan.model_copy(update=own)))
    return Settled(tuple(settled), tuple(pools.values()))


def _all_known(runs: Sequence[Planned], given: Mapping[str, Path]) -> None:
    """Raises PlanError for a pool of nobody, and for one beside ``photos.references``."""
    names = {subject.name for planned in runs for subject in planned.plan.subjects}
    unknown = sorted(given.keys() - names)
    if unknown:
        raise PlanError(f"held_out.{unknown[0]}: there is no such subject; there are {', '.join(sorted(names))}.")
    if given and any(planned.plan.photos.references is not None for planned in runs):
        raise PlanError("held_out and photos.references both name held-out photos.", "Leave photos.references out.")


def _none_overwritten(runs: Sequence[Planned], given: Mapping[str, Path], place: Path) -> None:
    """Raises PlanError for photos that lie where the study puts its copies: what lies there is replaced and removed.

    Right in the folder of selections they are safe: copies come into folders of it that are called otherwise.
    """
    plans = [planned.plan for planned in runs]
    sources = [*given.values(), *(subject.photos for plan in plans for subject in plan.subjects)]
    sources += [plan.photos.references for plan in plans if plan.photos.references is not None]
    held, chosen = (place / HELD_OUT).resolve(), (place / SELECTIONS).resolve()
    for source in dict.fromkeys(sources):
        real = source.resolve()
        below = real.relative_to(chosen).parts if real.is_relative_to(chosen) else ()
        if real.is_relative_to(held) or (below and SELECTION.fullmatch(below[0])):
            raise PlanError(
                f"The photos in {source} lie where this study puts its own copies of photos ({place}).",
                "Give the study another name, or put the folder elsewhere.",
            )


SPLIT = ("held_out", "split_seed")
"""Settings of photos by which photos are held out: of the whole study, so no setting of its runs."""


def _one_split(runs: Sequence[Planned]) -> None:
    """Raises PlanError where runs on one subject would each hold out their own share, or by a seed of their own."""
    first: dict[tuple[str, str, Path | None], Planned] = {}
    for planned in runs:
        photos = planned.plan.photos
        for subject in planned.plan.subjects:
            for name in SPLIT:
                other = first.setdefault((subject.name, name, photos.references), planned)
                own, theirs = getattr(photos, name), getattr(other.plan.photos, name)
                if own != theirs:
                    raise PlanError(
                        f"photos.{name} is no setting to compare: it is {theirs:g} in {other.name!r} and {own:g} in "
                        f"{planned.name!r}, but all runs on {subject.name} are judged by the same held-out photos, "
                        "which none trains on, whatever it says.",
                        f"Give photos.{name} once, in the base plan. To vary how many photos are trained on, take "
                        f"{NUMBER}; to see what another split does, make it another study.",
                    )


def _to_be_pooled(runs: Sequence[Planned], given: Collection[str]) -> list[str]:
    """Subjects that need a pool besides those that have one that is ``given``.

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


def _without_pools(plan: RunPlan, pools: Mapping[str, Pool], place: Path) -> RunPlan:
    """The plan with training folders that hold no photo of a pool, in no version, and the pools as references."""
    if plan.photos.references is not None or not any(subject.name in pools for subject in plan.subjects):
        return plan
    wanted = {name: _not_in(pools[name].apart) for name in pools}
    _require_some_left(plan, wanted)
    plan = _on_selections(plan, wanted, place)
    at_random = plan.evaluation.references_at_random or all(
        pools[subject.name].drawn for subject in plan.subjects if subject.name in pools
    )
    photos = plan.photos.model_copy(update={"references": place / HELD_OUT})
    evaluation = plan.evaluation.model_copy(update={"references_at_random": at_random})
    return plan.model_copy(update={"photos": photos, "evaluation": evaluation})


def _require_some_left(plan: RunPlan, wanted: Mapping[str, Wanted]) -> None:
    """Raises PlanError where the pool has every photo of a subject's folder."""
    for subject in plan.subjects:
        photos = list_folder(subject.photos).photos if subject.name in wanted else []
        if photos and not any(wanted[subject.name](path) for path in photos):
            raise PlanError(
                f"All photos of {subject.name} in {subject.photos} are held out; none is left to train on.",
                f"Name other photos in held_out.{subject.name}, or leave it out: then some of these are drawn.",
            )


def _numbered(plan: RunPlan, number: int | None, place: Path) -> RunPlan:
    """The plan with ``number`` training photos per subject. Fewer photos are always a part of more."""
    if number is None:
        return plan
    chosen: dict[str, Chosen] = {}
    for subject in plan.subjects:
        if is_photo_set(subject.photos):
            raise PlanError(
                f"{NUMBER} = {number}, but {subject.photos} is a photo set.", "Give the folder of photos itself."
            )
        whole = prepared(plan, subject)
        train = whole.train
        if len(train) < number:
            raise PlanError(
                f"{NUMBER} = {number}, but {subject.name} has {len(train)} usable photos to train on.",
                "Ask for fewer, add photos, or hold out fewer (photos.held_out).",
            )
        ranked = sorted(train, key=lambda photo: derive(plan.photos.split_seed, "split", "number", photo.source_hash))
        chosen[subject.name] = Chosen(whole, frozenset(photo.source_hash for photo in ranked[:number]))
    wanted = {name: _in(one.digests) for name, one in chosen.items()}
    smaller = _as_decided(_on_selections(plan, wanted, place), chosen)
    for subject in smaller.subjects:
        _require_kept(subject, chosen[subject.name], prepared(smaller, subject))
    return smaller


@dataclass(frozen=True, slots=True)
class Chosen:
    """The photo set of all photos of a subject, and the hashes of those of them that are trained on."""

    whole: PhotoSet
    digests: frozenset[str]

    @property
    def people(self) -> bool:
        """Whether all photos are taken for those of a person."""
        return of_people(one.seen for one in self._every())

    @property
    def people_alone(self) -> bool:
        """Whether the chosen and the held-out photos would be, without the others."""
        return of_people(
            one.seen for one in self._every() if one.source_hash in self.digests or one.name.startswith(REFERENCES)
        )

    def _every(self) -> list[Photo | Rejected]:
        return [*self.whole.photos, *self.whole.rejected]


def _as_decided(plan: RunPlan, chosen: Mapping[str, Chosen]) -> RunPlan:
    """The plan on the chosen photos, which are taken for photos of a person where all of the subject's are.

    That is said only where they would not be by themselves: a run is known by its plan. Raises PlanError where one
    setting cannot say it of several subjects.
    """
    turned = [name for name, one in chosen.items() if one.people != one.people_alone]
    if plan.photos.screen.faces != "auto" or not turned:
        return plan
    people = {one.people for one in chosen.values()}
    if len(people) > 1:
        raise PlanError(
            f"photos.screen.faces is auto, and at least half of all photos of {turned[0]} "
            f"{'show' if chosen[turned[0]].people else 'do not show'} a face, unlike the few that are chosen; of "
            "another subject in the same run it is the other way round, and the setting is one for both.",
            'Give photos.screen.faces ("required" or "ignored"), ask for more photos, or train the subjects apart.',
        )
    screen = plan.photos.screen.model_copy(update={"faces": "required" if people == {True} else "ignored"})
    return plan.model_copy(update={"photos": plan.photos.model_copy(update={"screen": screen})})


def _require_kept(subject: Subject, chosen: Chosen, found: PhotoSet) -> None:
    """Raises PlanError where photos that were chosen or held out beside all others are set aside beside the few."""
    wanted = chosen.digests.union(photo.source_hash for photo in chosen.whole.held_out)
    lost = wanted.difference(photo.source_hash for photo in found.photos)
    aside = [item for item in found.rejected if item.source_hash in lost]
    if aside:
        raise PlanError(
            f"{NUMBER} = {len(chosen.digests)}, but of the photos of {subject.name} that were chosen or held out "
            f"{aside[0].name} {aside[0].reason}. Beside all of the subject's photos it is usable.",
            f"{aside[0].hint} Or ask for more photos.",
        )


Wanted = Callable[[Path], bool]
"""Whether a photo is to be in a selection."""


def _in(digests: Collection[str]) -> Wanted:
    return lambda path: sha256_file(path) in digests


def _not_in(digests: Collection[str]) -> Wanted:
    return lambda path: sha256_file(path) not in digests


def _on_selections(plan: RunPlan, wanted: Mapping[str, Wanted], place: Path) -> RunPlan:
    """The plan on folders that hold just the wanted photos of these subjects.

    Patterns of ``photos.include`` and ``photos.exclude`` that then fit nothing are followed here, and so they are in
    the plan no more: whoever asks for a photo that is not there has slipped, and would be told so. Of ``photos.keep``
    those names stay that are there; of a photo that is held out now, the name that it has as a reference.
    """
    photos = plan.photos
    subjects = [subject for subject in plan.subjects if subject.name in wanted]
    chosen = {s.name: [path for path in list_folder(s.photos).photos if wanted[s.name](path)] for s in subjects}
    patterns = (*photos.include, *photos.exclude)
    if any(not any(fits(printable(path), one) for path in paths) for one in patterns for paths in chosen.values()):
        for s in subjects:
            asked = list_folder(s.photos, photos.include, photos.exclude).photos
            chosen[s.name] = [path for path in chosen[s.name] if path in asked]
        photos = photos.model_copy(update={"include": (), "exclude": ()})
    there = {composed(printable(path)) for paths in chosen.values() for path in paths}
    pooled = {composed(printable(path)) for s in subjects for path in (place / HELD_OUT / s.name).glob("*")}
    asked_for = [(name, composed(name)) for name in photos.keep]
    renamed = [name if own in there or own not in pooled else REFERENCES + name for name, own in asked_for]
    keep = tuple(name for name in renamed if composed(name) in there or name.startswith(REFERENCES))
    folders = {s.name: _selection(s, chosen[s.name], place) for s in subjects}
    moved = tuple(s.model_copy(update={"photos": folders[s.name]}) if s.name in folders else s for s in plan.subjects)
    return plan.model_copy(update={"subjects": moved, "photos": photos.model_copy(update={"keep": keep})})


def _selection(subject: Subject, photos: Sequence[Path], place: Path) -> Path:
    """A folder with just these photos and the words that go with them."""
    words = list_folder(subject.photos).words
    files = [*photos, *words]
    listing = folder_listing(subject.photos, [path.name for path in files])
    folder = place / SELECTIONS / f"{subject.name}-{sha256_json(listing)[:8]}"
    fill_folder(folder, files, place, subject.name)
    return folder
