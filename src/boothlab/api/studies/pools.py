"""The held-out photos of one subject of a study: which they are, and which versions of them no run may train on."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from boothlab.api.resolving import domain_of, own_settings, photo_set
from boothlab.api.studies.traces import HELD_OUT, LOCK, mark
from boothlab.errors import PlanError, RunBusy
from boothlab.files import folder_listing, new_folder, sha256_bytes, sha256_file, spelled, write_bytes
from boothlab.models.locate import base_size
from boothlab.photos.captions import read_words
from boothlab.photos.folder import list_folder, printable
from boothlab.photos.photoset import PhotoSet, is_photo_set
from boothlab.photos.screening import limits
from boothlab.photos.versions import Filed, Versions, versions
from boothlab.plan import RunPlan
from boothlab.preparing.prepare import choose_held_out
from boothlab.studies.expand import Planned
from boothlab.subjects import Subject

MOST_NAMES = 3
"""So many photos are named in a warning; of more only how many there are."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The held-out photos of a subject.

    ``held`` are their hashes; ``apart`` holds these and the hashes of all their versions in the training folders.
    ``drawn`` tells a pool that came about by chance from one that somebody put together. ``sources`` and
    ``left_out`` say how many photos of which training folder are held out, and how many are not trained on.
    ``by_name`` are photos that are taken for versions of one another by their names alone.
    """

    subject: str
    held: frozenset[str]
    apart: frozenset[str]
    drawn: bool
    sources: Mapping[str, int]
    left_out: Mapping[str, int]
    by_name: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """How many photos are held out of which folders; empty where a named pool takes none from training."""
        if not self.left_out:
            return ""
        said = f"{self.subject}: {len(self.held)} held out"
        if self.drawn:
            said += f" ({_counted(self.sources)})"
        if self.drawn and self.sources == self.left_out:
            return f"{said}; no run trains on them"
        return f"{said}; no run trains on them or their versions ({_counted(self.left_out)})"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What somebody has to look at: names may be equal by chance."""
        if not self.by_name:
            return ()
        named = ", ".join(self.by_name[:MOST_NAMES])
        more = f" and {len(self.by_name) - MOST_NAMES} more" if len(self.by_name) > MOST_NAMES else ""
        return (
            f"{self.subject}: photos called {named}{more} in several folders do not look alike; by their names they "
            "are taken for versions of one photo, which are trained on or held out together. If they are different "
            "photos, give them different names.",
        )


def _counted(folders: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of {folder}" for folder, count in folders.items())


def named_pool(name: str, runs: Sequence[Planned], folder: Path, place: Path) -> Pool:
    """The pool of the photos in ``folder``, which are copied into the study's folder ``place``."""
    if is_photo_set(folder):
        raise PlanError(f"held_out.{name} names the photo set {folder}.", "Give the folder of its originals.")
    listing = list_folder(folder)
    files = listing.photos
    if not files:
        raise PlanError(f"The folder of held-out photos {folder} holds no photos.")
    fill_folder(place / HELD_OUT / name, [*files, *listing.words], place, name)
    held = frozenset(sha256_file(path) for path in files)
    folders = _folders(name, runs)
    taken = not held.isdisjoint(one.digest for own in folders for one in _filed(own, None))
    # Where no photo of the pool is in a training folder, its versions there are nobody's business but the study's.
    groups = _groups(folders, [prepared(*own, held_out=0.0) for own in folders]) if taken else []
    return _pool(name, held, groups, drawn=False)


def drawn_pool(name: str, runs: Sequence[Planned], place: Path) -> Pool:
    """The pool drawn from the usable photos of all the subject's folders; its files are copied into ``place``.

    Of versions of one photo those of the folder that comes first in the study are held out, so that all runs are
    judged by photos prepared alike. The first plan's settings decide what is usable.
    """
    folders = _folders(name, runs)
    sets = [prepared(*own, held_out=0.0) for own in folders]
    # Names are hashes, because folders may share names.
    usable = {photo.source_hash: replace(photo, name=photo.source_hash) for found in sets for photo in found.photos}
    groups = _groups(folders, sets)
    drawn_from = [usable[digest] for group in groups for digest in _of_first_folder(group, usable)]
    held = choose_held_out(drawn_from, folders[0][0].photos)
    files = {one.digest: one.path for group in reversed(groups) for one in reversed(group.members)}
    captions = _captions(name, runs, folders)
    chosen = [files[digest] for digest in sorted(held)]
    fill_folder(place / HELD_OUT / name, chosen, place, name, [captions.get(path, "") for path in chosen])
    return _pool(name, held, groups, drawn=True)


def _of_first_folder(group: Versions, usable: Collection[str]) -> list[str]:
    """Hashes of the usable photos of one picture, all of one folder: the first that has any. Mostly it is one; of a
    burst that is not screened there are some, which are held out together."""
    found = [one for one in group.members if one.digest in usable]
    return list(dict.fromkeys(one.digest for one in found if one.path.parent == found[0].path.parent))


def _captions(name: str, runs: Sequence[Planned], folders: Sequence[Folder]) -> dict[Path, str]:
    """The captions of the photos in these folders; none where no run on the subject uses any."""
    used = {planned.plan.photos.captions for planned in runs if name in (s.name for s in planned.plan.subjects)}
    if "use" not in used:
        return {}
    found: dict[Path, str] = {}
    for _, subject in folders:
        listing = list_folder(subject.photos)
        said = read_words(listing.words, listing.photos).captions
        found |= {path: said[printable(path)] for path in listing.photos if printable(path) in said}
    return found


def _pool(name: str, held: frozenset[str], groups: Sequence[Versions], drawn: bool) -> Pool:
    out = [group for group in groups if not held.isdisjoint(group.digests)]
    apart = held.union(*(group.digests for group in out))
    first = {one.digest: one for group in reversed(out) for one in reversed(group.members) if one.digest in held}
    return Pool(
        subject=name,
        held=held,
        apart=apart,
        drawn=drawn,
        sources=Counter(_shown(one) for one in reversed(first.values())),
        left_out=Counter(_shown(one) for group in out for one in group.members),
        by_name=tuple(printable(group.members[0].path) for group in groups if group.by_name),
    )


def _shown(photo: Filed) -> str:
    """Its folder, as the tables of a study call it."""
    return "/".join(photo.path.parts[-3:-1])


Folder = tuple[RunPlan, Subject]
"""A training folder of a subject, with the first plan that names it."""


def _folders(name: str, runs: Sequence[Planned]) -> list[Folder]:
    """Every folder of photos that the subject has in some run, in the study's order. Raises PlanError for a set."""
    found: dict[Path, Folder] = {}
    for planned in runs:
        for subject in planned.plan.subjects:
            if subject.name == name:
                found.setdefault(subject.photos, (planned.plan, subject))
    for folder in found:
        if is_photo_set(folder):
            raise PlanError(
                f"{folder} is a photo set with held-out photos of its own, but all runs on {name} are judged by the "
                "same ones.",
                "Give the folder of its originals.",
            )
    return list(found.values())


def _groups(folders: Sequence[Folder], sets: Sequence[PhotoSet]) -> list[Versions]:
    """The photos of all folders, versions together. In one folder alone only equal files are one photo."""
    looked = sets if len(folders) > 1 else [None] * len(sets)
    return versions(
        [one for own, found in zip(folders, looked, strict=True) for one in _filed(own, found)],
        limit_of(folders[0][0]),
    )


def limit_of(plan: RunPlan) -> float:
    """The correlation from which the plan calls two photos one."""
    return limits(plan.photos.screen, domain_of(plan.photos, plan.base)).duplicate


def _filed(own: Folder, found: PhotoSet | None) -> list[Filed]:
    """Every photo of a folder, also those that its plan leaves out or sets aside: another run's may take them.

    ``found`` is the folder's photo set, None where what is seen in the photos does not matter.
    """
    plan, subject = own
    if found is not None and (plan.photos.include or plan.photos.exclude):
        found = prepared(plan, subject, held_out=0.0, include=(), exclude=())
    seen: dict[str, Mapping[str, Any]] = {}
    if found is not None:
        seen |= {photo.source_hash: photo.seen for photo in found.photos}
        seen |= {item.source_hash: item.seen for item in found.rejected}
    paths = list_folder(subject.photos).photos
    return [Filed(path, digest, seen.get(digest, {})) for path in paths for digest in [sha256_file(path)]]


def prepared(plan: RunPlan, subject: Subject, **update: object) -> PhotoSet:
    """The subject's photo set under the plan's settings, some of them changed."""
    size = base_size(plan.base) if plan.photos.size is None else plan.photos.size
    photos = plan.photos.model_copy(update={"size": size, "domain": domain_of(plan.photos, plan.base), **update})
    return photo_set(subject.photos, own_settings(photos, subject, plan.subjects), size)


def fill_folder(folder: Path, files: Sequence[Path], place: Path, subject: str, captions: Sequence[str] = ()) -> None:
    """Make ``folder`` hold copies of ``files`` and nothing else; photos of one name are numbered.

    ``captions``, one per file where given ("" for none), come into text files beside them. Whose they are is written
    down in the study's folder ``place`` before the first of them is there. Raises RunBusy where other photos would
    take the place of those by which a process that works on the study judges its runs.
    """
    names: dict[str, Path] = {}
    texts: dict[str, bytes] = {}
    for path, caption in zip(files, captions or [""] * len(files), strict=True):
        name = path.name if path.name not in names else f"{len(names)}-{path.name}"
        names[name] = path
        if caption:
            texts[f"{name}.txt"] = caption.encode()
    if not names:
        return
    mark(place, [subject])
    wanted = {spelled(name): sha256_file(path) for name, path in names.items()}
    wanted |= {spelled(name): sha256_bytes(text) for name, text in texts.items()}
    if folder.is_dir():
        if folder_listing(folder) == wanted:
            return
        if folder.parent == place / HELD_OUT:  # a selection's name says what is in it
            _require_idle(place, folder)
    with new_folder(folder) as temporary:
        for name, path in names.items():
            shutil.copyfile(path, temporary / name)
        for name, text in texts.items():
            write_bytes(temporary / name, text)


def _require_idle(place: Path, folder: Path) -> None:
    """Trials of a search read their held-out photos again at every rung: these must stay what they are meanwhile."""
    try:
        with FileLock(place / LOCK, timeout=0):
            return
    except Timeout:
        raise RunBusy(
            f"Another process is working on {place}, and {folder} would hold other photos by these settings.",
            "Wait for it to end, or stop it; or give this study a name of its own.",
        ) from None
