"""From a folder of photos to a photo set: develop each photo, compare them, split, write, explain."""

from __future__ import annotations

import os
import random
import re
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from boothlab.errors import PhotoError, RunDamaged
from boothlab.features.faces import Domain, FaceReader, reader_for
from boothlab.files import first_foreign, is_around, is_no_folder, read_json, sha256_file
from boothlab.photos.captions import Words, read_words
from boothlab.photos.config import Photos
from boothlab.photos.folder import Listing, composed, list_folder, printable
from boothlab.photos.photo import REFERENCES, Photo, Rejected, to_keep
from boothlab.photos.photoset import MANIFEST, PhotoSet, is_photo_set, write_set
from boothlab.photos.screening import (
    choose_subjects,
    duplicates,
    held_out_copies,
    limits,
    no_face,
    of_people,
    strangers,
    together,
)
from boothlab.photos.steps import Head
from boothlab.photos.variety import Variety, variety
from boothlab.preparing.develop import Choice, Developer
from boothlab.preparing.earlier import BEFORE, Done, Earlier, thumbnail_name
from boothlab.preparing.sheet import sheet_files
from boothlab.seeds import derive

OWN = re.compile(rf"{re.escape(MANIFEST)}|\d{{3,}}-[^/]+\.png|contact-sheet\.(html|png)|{BEFORE}(/[0-9a-f]+\.jpg)?")
"""What lies in a photo set, as far as names tell."""

SHEETS = ("contact-sheet.html", "contact-sheet.png")

SCREENED = frozenset(("blurred", "dark", "overexposed", "turned", "no-face", "stranger"))
"""Why screening sets a photo aside by itself: whoever looks at it may keep it all the same."""

Progress = Callable[[int, int], None]
"""Called with (done, of) after each photo."""


@dataclass(frozen=True, slots=True)
class Source:
    """A picture file and the name it goes by."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that photos come from, what lies in it, and how the names of its files begin in the set."""

    folder: Path
    listing: Listing
    prefix: str = ""

    def named(self, path: Path) -> str:
        """The name in the set of a file of this folder."""
        return self.prefix + printable(path)


def prepare(
    folder: Path,
    out: Path,
    settings: Photos,
    size: int,
    progress: Progress | None = None,
    earlier: Sequence[Path] = (),
) -> PhotoSet:
    """Prepare every photo in ``folder`` at ``size`` pixels and write the set to ``out``.

    Photos that a set in ``out`` or in ``earlier`` already holds, made in the same way, are taken over. Raises
    PhotoError when fewer than ``settings.minimum`` photos are usable, naming what became of each.
    """
    places = _places(folder, out, settings)
    sources = [Source(path, place.named(path)) for place in places for path in place.listing.photos]
    settings = settings.model_copy(update={"keep": _known(settings.keep, sources, folder)})
    words = _words(places, settings)
    reader, remark = _reader(settings)
    domain = "drawings" if settings.domain == "drawings" else "photographs"
    developer = Developer(settings, size, domain, reader, Earlier((out, *earlier)))
    with warnings.catch_warnings():
        # Pillow's remarks on large pictures and odd EXIF blocks; here, because filters are of all threads together.
        warnings.filterwarnings("ignore", module="PIL")
        done = _developed(developer, sources, progress)
        done, people = _agreed(developer, sources, done)
    kept, rejected = _compared(done, settings, domain, people, reader)
    kept = [replace(photo, caption=words.captions.get(photo.name)) for photo in kept]
    others = [replace(item, name=place.prefix + item.name) for place in places for item in place.listing.others]
    every = sorted([*others, *rejected], key=lambda item: item.name)
    usable = [photo for photo in kept if not photo.is_reference]
    if len(usable) < settings.minimum:
        raise PhotoError(*_too_few(folder, usable, every, settings.minimum))
    if settings.references is not None and len(usable) == len(kept):
        raise PhotoError(
            f"photos.references is {settings.references}; it has no usable photo, so nothing would be held out.",
            "Give a folder of other photos of the subject, or leave it out: some of its own are then held out.",
        )
    held_out = choose_held_out(kept, settings)
    score = variety([photo for photo in kept if photo.name not in held_out], people)
    about = _about(places, words, done, kept, score, remark, domain)
    thumbnails = {thumbnail_name(_hash(item)): item.thumbnail for item in done if item.thumbnail}
    also = thumbnails | sheet_files(kept, every, held_out, thumbnails, score, remark)
    return write_set(out, kept, every, held_out, about, also)


def _words(places: Sequence[Place], settings: Photos) -> Words:
    """The captions, or of each file with words that it is not wanted. Held-out photos have theirs too: their loss is
    held against that of the training photos, which are under captions."""
    captions: dict[str, str] = {}
    fates: dict[str, str] = {}
    for place in places:
        listing = place.listing
        if settings.captions == "ignore":
            fates |= {place.named(path): 'not used (photos.captions = "ignore")' for path in listing.words}
            continue
        words = read_words(listing.words, listing.photos)
        captions |= {place.prefix + name: caption for name, caption in words.captions.items()}
        fates |= {place.prefix + name: fate for name, fate in words.fates.items()}
    return Words(captions, fates)


def _places(folder: Path, out: Path, settings: Photos) -> list[Place]:
    references = settings.references
    if is_photo_set(folder):
        raise PhotoError(
            f"{folder} is a photo set: it is prepared, and what is held out of it is decided.",
            "Name it as `photos` of a plan and train on it, or prepare the folder of its originals.",
        )
    _require_free(out, [folder] if references is None else [folder, references])
    places = [Place(folder, list_folder(folder, settings.include, settings.exclude, out))]
    if references is not None:
        if is_photo_set(references):
            raise PhotoError(
                f"photos.references names the photo set {references}.", "Give the folder of its originals."
            )
        places.append(Place(references, list_folder(references, out=out), REFERENCES))
    return places


def _known(keep: Sequence[str], sources: Sequence[Source], folder: Path) -> tuple[str, ...]:
    """The names of the photos to keep, as their files spell them. Raises PhotoError for one that is not there."""
    names = {composed(source.name): source.name for source in sources}
    names |= {source.name: source.name for source in sources}
    for name in keep:
        if name not in names and composed(name) not in names:
            raise PhotoError(f"There is no photo {name!r} in {folder} to keep.", "Give its name with the ending.")
    return tuple(names.get(name) or names[composed(name)] for name in keep)


def _require_free(out: Path, originals: Sequence[Path]) -> None:
    """What stands at ``out`` is replaced as a whole: so it may be nothing but an older photo set.

    Raises PhotoError for a file, for a folder that holds other things too, for one that holds the originals, and for
    one that cannot be replaced because somebody is in it.
    """
    if is_no_folder(out):
        raise PhotoError(
            f"{out} is there already and is no photo set, nor a folder at all.",
            "Write the photo set to a new folder.",
        )
    for place in originals:
        if place.resolve().is_relative_to(out.resolve()):
            raise PhotoError(
                f"{out} holds the originals ({place}), and would be replaced by the photo set.",
                "Write the photo set to another folder.",
            )
    if is_around(out):
        raise PhotoError(
            f"{out} is the current folder, or holds it; the photo set would replace it as a whole.",
            "Write the photo set to a folder inside it (--out photo-set).",
        )
    if out.is_dir() and any(out.iterdir()) and not is_photo_set(out):
        raise PhotoError(
            f"{out} is there already and is no photo set.", "Write the photo set to a new or an empty folder."
        )
    foreign = first_foreign(out, _own_files(out)) if out.is_dir() else None
    if foreign is not None:
        raise PhotoError(
            f"{out} is a photo set, but {foreign} in it is no part of one, and would be lost with the old set.",
            "Move it away, or write the photo set to a new folder.",
        )


def _own_files(out: Path) -> re.Pattern[str]:
    """What the manifest in ``out`` names: other pictures there are somebody's, whatever they are called. Where it is
    damaged, what looks like part of a set."""
    try:
        tree = read_json(out / MANIFEST)
        names = [name for entry in tree["photos"] for name in (entry["file"], entry["mask"]) if name]
        hashes = [entry["source_sha256"] for entry in tree["photos"]]
        hashes += [item["source_hash"] for item in tree["rejected"]]
        names += [thumbnail_name(digest) for digest in hashes]
        return re.compile("|".join(map(re.escape, [MANIFEST, BEFORE, *SHEETS, *names])))
    except (RunDamaged, KeyError, TypeError):
        return OWN


def looks_for_faces(settings: Photos) -> str:
    """With what faces would be looked for now, "" where nobody would: what is prepared is not the same without."""
    reader, _ = _reader(settings)
    return "" if reader is None else f"{type(reader).__name__} {reader.version}"


def _reader(settings: Photos) -> tuple[FaceReader | None, str]:
    """Who looks for faces, and what to say when nobody can."""
    if settings.screen.faces == "ignored":
        return None, ""
    domain: Domain = "drawings" if settings.domain == "drawings" else "photographs"
    reader = reader_for(domain)
    missing = reader.missing()
    return (reader, "") if missing is None else (None, f"Nobody looked for faces: {missing}")


def _cores() -> int:
    """Cores that this process may use; where the system does not tell (macOS, Windows), all there are."""
    told = getattr(os, "sched_getaffinity", None)
    return (os.cpu_count() or 1) if told is None else len(told(0))


def _developed(developer: Developer, sources: Sequence[Source], progress: Progress | None) -> list[Done]:
    """Every source, in order, on all cores."""
    done: list[Done] = []
    with ThreadPoolExecutor(max(1, min(8, _cores()))) as pool:
        results = pool.map(lambda source: developer.develop(source.path, source.name), sources)
        for result in results:
            done.append(result)
            if progress is not None:
                progress(len(done), len(sources))
    return done


def _agreed(developer: Developer, sources: Sequence[Source], done: list[Done]) -> tuple[list[Done], bool]:
    """What the photos have in common settled: is it a person, and which face is theirs? Few photos change."""
    seen = [item.outcome for item in done if item.outcome.seen]
    with_face = [outcome for outcome in seen if outcome.seen["subject"] is not None]
    people = developer.settings.screen.faces == "required" or of_people(outcome.seen for outcome in seen)
    choices: dict[str, Choice] = {}
    if not people and not _frames_heads(developer.settings):
        choices = {outcome.name: Choice(faces=False) for outcome in with_face}
    elif developer.reader is not None:
        limit = _same_person(developer.settings, developer.reader)
        choices = {name: Choice(index) for name, index in choose_subjects(seen, limit).items()}
    again = [
        developer.develop(source.path, source.name, choices[source.name]) if source.name in choices else item
        for source, item in zip(sources, done, strict=True)
    ]
    return again, people


def _frames_heads(settings: Photos) -> bool:
    """Whether heads are asked for, also where most photos show none: then a face that is there counts."""
    return any(isinstance(step, Head) for step in settings.steps_for("smart"))


def _same_person(settings: Photos, reader: FaceReader) -> float:
    own = settings.screen.same_person
    return reader.same_person if own is None else own


def _compared(
    done: Sequence[Done], settings: Photos, domain: str, people: bool, reader: FaceReader | None
) -> tuple[list[Photo], list[Rejected]]:
    """Photos that stay, and all others, after the screens that need more than one photo."""
    rejected = [item.outcome for item in done if isinstance(item.outcome, Rejected)]
    photos = [item.outcome for item in done if isinstance(item.outcome, Photo)]
    alike = limits(settings.screen, domain).duplicate
    # Whatever is screened, and whatever is to be kept: what is held out is not trained on.
    seen_twice = held_out_copies(photos, alike)
    photos, seen_twice = _without(photos, seen_twice, frozenset())
    rejected += seen_twice
    if not settings.screen.enabled:
        return photos, rejected
    wanted = frozenset(settings.keep)
    aside: list[Rejected] = []
    if people and reader is not None:
        aside += [no_face(photo) for photo in photos if photo.subject is None]
        aside += strangers(photos, _same_person(settings, reader))
    photos, aside = _without(photos, aside, wanted)
    held = frozenset(photo.name for photo in photos if photo.is_reference)
    twins = duplicates(photos, alike, held, wanted)
    photos, more = _without(photos, twins, wanted)
    return photos, [*rejected, *aside, *more]


def _without(
    photos: Sequence[Photo], aside: Sequence[Rejected], wanted: frozenset[str]
) -> tuple[list[Photo], list[Rejected]]:
    real = [item for item in aside if item.name not in wanted]
    gone = {item.name for item in real}
    return [photo for photo in photos if photo.name not in gone], real


def choose_held_out(photos: Sequence[Photo], settings: Photos) -> frozenset[str]:
    """Names of the photos that will not be trained on: the references, or a seeded draw.

    The draw does not depend on file names; :meth:`Photos.held_out_of` says how many. Photos that are nearly the same,
    of which there are some where screening is off or some are to be kept, count as one and are held out together.
    """
    if settings.references is not None:
        return frozenset(photo.name for photo in photos if photo.is_reference)
    if not settings.held_out_of(len(photos)):
        return frozenset()
    domain = "drawings" if settings.domain == "drawings" else "photographs"
    pictures = together(photos, limits(settings.screen, domain).duplicate)
    chosen = random.Random(derive(settings.split_seed, "split")).sample(pictures, settings.held_out_of(len(pictures)))
    return frozenset(photo.name for group in chosen for photo in group)


def _hash(item: Done) -> str:
    return item.outcome.source_hash


def _about(
    places: Sequence[Place],
    words: Words,
    done: Sequence[Done],
    kept: Sequence[Photo],
    score: Variety,
    remark: str,
    domain: str,
) -> dict[str, Any]:
    """The manifest's account of everything that is not a photo or a reason against one."""
    lasting = {photo.name for photo in kept} | {one.outcome.name for one in done if isinstance(one.outcome, Rejected)}
    other = [
        *(
            {"name": place.prefix + name, "sha256": None, "fate": why}
            for place in places
            for name, why in place.listing.ignored
        ),
        *(
            _told(path, place.named(path), words.fates[place.named(path)])
            for place in places
            for path in place.listing.words
        ),
    ]
    return {
        # Who was set aside only beside the others is looked at anew where these are not there any more.
        "recipes": {item.outcome.name: item.recipe for item in done if item.recipe and item.outcome.name in lasting},
        "other_files": sorted(other, key=lambda item: str(item["name"])),
        "domain": domain,
        "variety": score.as_dict(),
        "remark": remark,
    }


def _told(path: Path, name: str, fate: str) -> dict[str, Any]:
    """The manifest's line on a file with words; nobody's may be one that cannot be read, which stops nothing."""
    try:
        return {"name": name, "sha256": sha256_file(path), "fate": fate}
    except OSError as error:
        return {"name": name, "sha256": None, "fate": f"{fate}; cannot be read: {error.strerror}"}


def _too_few(folder: Path, kept: Sequence[Photo], rejected: Sequence[Rejected], minimum: int) -> tuple[str, str]:
    usable = "no usable photo" if not kept else f"{len(kept)} usable photo{'s' if len(kept) > 1 else ''}"
    lines = [f"{folder} has {usable}; at least {minimum} {'is' if minimum == 1 else 'are'} needed."]
    lines += [f"  - {item.name} {item.reason}" for item in rejected[:10]]
    if len(rejected) > 10:
        lines.append(f"  - and {len(rejected) - 10} more")
    screened = [item for item in rejected if item.code in SCREENED]
    if screened and len(kept) + len(screened) >= minimum:
        return "\n".join(lines), (
            f"Look at them; to use one all the same, keep it: {to_keep(screened[0].name)}, "
            "or change what screening refuses (photos.screen)."
        )
    hint = "Put photos (JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP, GIF) there"
    hint += "." if minimum == 1 else ", or lower photos.minimum (--set photos.minimum=1)."
    return "\n".join(lines), hint
