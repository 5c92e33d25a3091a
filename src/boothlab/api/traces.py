"""What there is of one subject: in run folders, by its name; everywhere else, by the hashes of its photos.

It exists apart from the removal (:mod:`boothlab.api.forgetting`) so that what is found can be shown and asked about.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boothlab.api.export_places import exports_of, is_export_of, is_rating_of
from boothlab.api.studies.traces import SELECTIONS, copies, hashes_in, marked, study_folders
from boothlab.errors import BoothlabError
from boothlab.files import all_below, each_once, is_abandoned, read_json
from boothlab.home import cache
from boothlab.photos.photoset import MANIFEST, is_written_set
from boothlab.runs.run import Run
from boothlab.runs.status import LEGAL_MOVES
from boothlab.subjects import fill

RUN_NAME = re.compile(r".+-[0-9a-f]{8}")

HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a subject. ``also`` = run folder → who else is in it; ``shared`` = run folder of others → how
    many of its photos are the subject's too, and how many it has; ``own`` = folders left alone;
    ``others`` = those of everybody, which stay where they lie within something that goes.
    ``damaged`` = runs that do not go and whose plan is damaged: they could not be looked through.

    ``sets`` = photo sets in the cache, and prepared ones that plans name as their photos; ``ratings`` = folders with
    a page of `rate`, of which nothing else goes. ``studies`` = folders of studies with such a run, with copies of the
    photos, or that say so: their pages, tables, photos and encodings go, the runs of others stay. ``class_images`` =
    those drawn under the captions of the photos.
    """

    subject: str
    runs: tuple[Path, ...]
    sets: tuple[Path, ...]
    exports: tuple[Path, ...]
    ratings: tuple[Path, ...]
    studies: tuple[Path, ...]
    class_images: tuple[Path, ...]
    also: dict[str, tuple[str, ...]]
    own: tuple[Path, ...]
    others: tuple[Path, ...]
    damaged: tuple[Path, ...]
    hashes: frozenset[str] = field(repr=False)
    shared: dict[str, tuple[int, int]] = field(default_factory=dict)
    gone: tuple[Path, ...] = ()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Everything that is to be removed."""
        return (*self.runs, *self.sets, *self.exports, *self.ratings, *self.studies, *self.class_images)


def look(subject: str, roots: Collection[Path], photos: Path | None = None) -> Found:
    """Find the runs, studies, cached photo sets and exports of ``subject``, and the hashes that betray its photos."""
    everyone = {path: subjects_of(path) for path in each_once(p for root in roots for p in run_folders(root))}
    studies = {path: copies(path) for path in each_once(p for root in roots for p in study_folders(root))}
    named = [path for path, names in everyone.items() if subject in names]
    own = {photos.absolute()} if photos is not None else set()
    hashes: set[str] = set()
    for path in named:
        hashes |= hashes_of(path / "photos" / subject / MANIFEST)
        own |= photo_folders([path], subject)
    # What `prepare` made is a copy, wherever a plan took it from.
    prepared = {path for path in own if (photos is None or path != photos.absolute()) and is_written_set(path)}
    own -= prepared
    for path in prepared:
        hashes |= hashes_of(path / MANIFEST)
    # So is what a study chose among somebody's photos.
    chosen = {path.absolute() for found in studies.values() for folders in found.values() for path in folders}
    chosen = {path for path in chosen if path.parent.name == SELECTIONS}
    own -= chosen
    hashes |= hashes_in(own).union(*(hashes_in(found.get(subject, ())) for found in studies.values()))
    # A photo that was set aside may be somebody else's.
    kept = [sources_of(path / "photos" / subject / MANIFEST, kept_only=True) for path in named]
    evidence = set().union(*kept) or hashes
    # The same photos under another name, or in another selection, are the same person.
    # A set whose making was killed names nobody; it is nobody's loss either.
    sets = [
        path
        for path in folders_of_sets(cache("photo-sets"))
        if is_abandoned(path) or hashes & sources_of(path / MANIFEST)
    ]
    for path in sets:
        hashes |= hashes_of(path / MANIFEST)
    same = {
        path: {m.parent.name for m in path.glob(f"photos/*/{MANIFEST}") if evidence & sources_of(m, kept_only=True)}
        for path in everyone
    }
    runs = tuple(sorted(path for path in everyone if path in named or same[path]))
    about = {
        path
        for path, found in studies.items()
        if subject in marked(path) | found.keys() or evidence & hashes_in([f for own in found.values() for f in own])
    }
    also = {str(path): tuple(n for n in everyone[path] if n != subject) for path in runs}
    places = {(path, place) for path in runs for place in places_of(path)}
    exports = {place for path, place in places if is_export_of(place, Run(path))}
    inside = {place for place in exports if any(place.is_relative_to(path.resolve()) for path in runs)}
    ratings = {place for path, place in places if is_rating_of(place, Run(path))}
    return Found(
        subject,
        runs,
        tuple(dict.fromkeys([*sets, *sorted(prepared)])),
        tuple(sorted(exports - inside)),
        tuple(sorted(ratings)),
        tuple(path for path in studies if any(run.is_relative_to(path) for run in runs) or path in about),
        class_images_under(set().union(*(class_prompts(path, {subject, *same[path]}) for path in runs))),
        {path: names for path, names in also.items() if names},
        tuple(sorted(own)),
        tuple(sorted((photo_folders(everyone) | own) - chosen - prepared - {path.absolute() for path in sets})),
        tuple(path for path in damaged_below(roots) if path not in runs),
        frozenset(hashes),
        {str(path): _common(path, same[path], evidence) for path in runs if path not in named},
        tuple(sorted({place for _, place in places} - exports - ratings)),
    )


def _common(run: Path, names: Collection[str], evidence: Collection[str]) -> tuple[int, int]:
    """How many of the photos of these subjects of a run are among others, and how many there are."""
    there = set().union(*(sources_of(run / "photos" / name / MANIFEST, kept_only=True) for name in names))
    return len(there & set(evidence)), len(there)


def photo_folders(runs: Collection[Path], subject: str | None = None) -> set[Path]:
    """The folders of photos that the plans of these runs name, of one subject if asked.

    Old plans may name a place relative to wherever somebody was at the time; from here it would be another one.
    """
    nodes = [node for run in runs for node in nodes_of(run) if subject in (None, node.get("name"))]
    return {path for node in nodes if (path := Path(node["photos"])).is_absolute()}


def run_folders(root: Path) -> list[Path]:
    """Every folder below ``root`` that is a run, or was about to become one when its maker was killed;
    also where a link leads to it."""
    plans = [path for path in all_below(root) if path.name in ("plan.json", "plan.toml")]
    return each_once(path for path in {plan.parent for plan in plans} if is_run_folder(path))


def is_run_folder(path: Path) -> bool:
    """Whether boothlab made the folder, whatever it is called now: a plan alone may be the user's.

    A run that was renamed says what it is in its files. One whose making, or removal, was cut short, or whose plan is
    damaged, has its name besides; a date is eight digits too, so the name proves nothing by itself.
    """
    named = RUN_NAME.fullmatch(path.name) is not None
    others = [(path / name).is_file() for name in ("status.json", "provenance.json")]
    if (named and any(others)) or (all(others) and _is_status(path / "status.json")):
        return True
    with suppress(BoothlabError, KeyError, TypeError):
        tree = read_json(path / "plan.json")
        return bool(HASH.fullmatch(str(tree["digest"]))) and (named or (any(others) and "subjects" in tree["plan"]))
    return False


def _is_status(file: Path) -> bool:
    with suppress(BoothlabError, KeyError, TypeError):
        return read_json(file)["state"] in LEGAL_MOVES
    return False


def nodes_of(run: Path) -> list[dict[str, Any]]:
    """The subjects of a run's plan as JSON trees, also of a run whose making was interrupted.

    Of a damaged plan those that say who they are and where the photos are.
    """
    plans = plans_of(run)
    whole = [nodes for nodes in plans if is_whole(nodes)]
    return (whole or [[node for nodes in plans for node in nodes if is_subject(node)]])[0]


def is_whole(nodes: Sequence[Any]) -> bool:
    """Whether the subjects of a plan can all be read, and are some."""
    return bool(nodes) and all(map(is_subject, nodes))


def is_subject(node: Any) -> bool:
    """Whether a part of a plan says who somebody is and where the photos are."""
    return isinstance(node, dict) and all(isinstance(node.get(key), str) for key in ("name", "photos"))


def plans_of(run: Path) -> list[list[Any]]:
    """The subjects as each of the two files of a run's plan lists them, where it can be read."""
    import tomllib

    found: list[list[Any]] = []
    with suppress(BoothlabError, KeyError, TypeError):
        found.append(list(read_json(run / "plan.json")["plan"]["subjects"]))
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        found.append(list(tomllib.loads((run / "plan.toml").read_text(encoding="utf-8"))["subjects"]))
    return found


def damaged_below(roots: Collection[Path]) -> tuple[Path, ...]:
    """The runs that have no whole plan: whose they are, nobody can say."""
    runs = each_once(run for root in roots for run in run_folders(root))
    return tuple(run for run in runs if not any(map(is_whole, plans_of(run))))


def subjects_of(run: Path) -> tuple[str, ...]:
    """Names of the subjects in a run: of its plan, or of its photo folders where no plan can be read."""
    names = [str(node.get("name", "")) for node in nodes_of(run)]
    folders = [path.name for path in (run / "photos").glob("*") if path.is_dir()]
    return tuple(dict.fromkeys([*names, *folders]))


def places_of(run: Path) -> list[Path]:
    """Where exports of the run went; none where the note is damaged."""
    try:
        return exports_of(Run(run))
    except (BoothlabError, KeyError, TypeError):
        return []


def folders_of_sets(place: Path) -> list[Path]:
    """The photo sets in a folder, unfinished ones too."""
    return sorted(path for path in place.glob("*") if path.is_dir())


def hashes_of(manifest: Path) -> set[str]:
    """Every SHA-256 that a photo set's manifest names: of sources, of prepared pictures, of the set."""
    try:
        return set(HASH.findall(manifest.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        return set()


def entries_of(manifest: Path, part: str) -> list[dict[str, Any]]:
    """The photos of a photo set's manifest, or what was "rejected"; none where it cannot be read."""
    try:
        return [dict(entry) for entry in read_json(manifest)[part]]
    except (BoothlabError, ValueError, KeyError, TypeError):
        return []


def sources_of(manifest: Path, kept_only: bool = False) -> set[str]:
    """SHA-256 of the files that a photo set was made from; without those that were set aside, if asked."""
    found = {str(entry.get("source_sha256", "")) for entry in entries_of(manifest, "photos")}
    if not kept_only:
        found |= {str(entry.get("source_hash", "")) for entry in entries_of(manifest, "rejected")}
    return found - {""}


def class_prompts(run: Path, subjects: Collection[str]) -> set[str]:
    """What class images are asked for by the captions of these subjects' photos in a run, without the identifier."""
    return {
        fill(str(entry["caption"]), str(node.get("class_noun", "")))
        for node in nodes_of(run)
        if node.get("name") in subjects
        for entry in entries_of(run / "photos" / str(node["name"]) / MANIFEST, "photos")
        if entry.get("caption")
    }


def class_images_under(prompts: Collection[str]) -> tuple[Path, ...]:
    """The class images in the cache that were drawn under one of ``prompts``: they say what the captions said.

    Those under the plain class prompt alone, the first of every list, say nothing of anybody.
    """
    found = []
    for manifest in sorted(cache("class-images").glob("*/manifest.json")):
        try:
            plain, *asked = read_json(manifest)["prompts"]
        except (BoothlabError, ValueError, KeyError, TypeError):
            continue
        if (set(map(str, asked)) - {str(plain)}) & set(prompts):
            found.append(manifest.parent)
    return tuple(found)
