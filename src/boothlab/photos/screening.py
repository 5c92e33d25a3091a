"""Which photos are set aside, and why: arithmetic on what was seen, with the value and the limit in every reason.

Nothing here looks at pixels. The limits of each domain were measured on made-up defects; the figures and the
command that makes them stand in docs/photo-doctor.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from boothlab.photos.config import Screen
from boothlab.photos.measures import alikeness, from_text
from boothlab.photos.photo import Photo, Rejected, to_keep

SAME_SIZE = 1.05
"""Faces and pictures that differ by less than about this factor count as equally large."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers photos are held against."""

    sharpness: float
    yaw: float
    duplicate: float


DOMAINS = {
    "photographs": Limits(sharpness=0.3, yaw=40.0, duplicate=0.97),
    "drawings": Limits(sharpness=0.5, yaw=60.0, duplicate=0.975),
}


def limits(screen: Screen, domain: str) -> Limits:
    """The plan's limits, with the domain's where the plan says nothing."""
    own = DOMAINS[domain]
    return Limits(
        own.sharpness if screen.sharpness is None else screen.sharpness,
        own.yaw if screen.yaw is None else screen.yaw,
        own.duplicate if screen.duplicate is None else screen.duplicate,
    )


def fault(photo: Photo, screen: Screen, domain: str) -> Rejected | None:
    """What is wrong with one photo by itself: blur, light, a face turned away. None when nothing is."""
    subject = photo.subject
    judged: dict[str, Any] = photo.seen if subject is None else subject
    whose = "the picture" if subject is None else "the face"
    allowed = limits(screen, domain)
    if judged["sharpness"] < allowed.sharpness:
        reason = f"is blurred (sharpness of {whose} {judged['sharpness']:.2f}, limit {allowed.sharpness:g})"
        return _aside(photo, "blurred", reason, "Take a sharper photo, or lower photos.screen.sharpness.")
    light = judged["light"]
    if light["bright"] < screen.darkest:
        reason = f"is too dark ({whose} reaches luma {light['bright']:.0f} of 255, limit {screen.darkest:g})"
        return _aside(photo, "dark", reason, "Take it in better light, or lower photos.screen.darkest.")
    if subject is None:
        return None
    if light["clipped"] > screen.clipped:
        reason = f"is overexposed ({light['clipped']:.0%} of the face is burnt out, limit {screen.clipped:.0%})"
        return _aside(photo, "overexposed", reason, "Take it in softer light, or raise photos.screen.clipped.")
    if abs(subject["yaw"]) > allowed.yaw:
        reason = f"has the face turned too far ({abs(subject['yaw']):.0f}°, limit {allowed.yaw:g}°)"
        return _aside(photo, "turned", reason, "Look nearer to the camera, or raise photos.screen.yaw.")
    return None


def of_people(seen: Iterable[Mapping[str, Any]]) -> bool:
    """Whether what was seen in photos is taken for photos of a person: at least half of them show a face."""
    looked = [bool(one["faces"]) for one in seen if one]
    return 2 * sum(looked) >= max(len(looked), 1)


def no_face(photo: Photo) -> Rejected:
    """A photo without a face among photos of a person."""
    reason = "shows no face, although most of these photos do"
    return _aside(photo, "no-face", reason, "Choose a photo where the face can be seen.")


def _aside(photo: Photo, code: str, reason: str, hint: str) -> Rejected:
    hint = f"{hint} To use it all the same: {to_keep(photo.name)}"
    return Rejected(photo.name, code, reason, hint, photo.source_hash, photo.trail, photo.seen)


def choose_subjects(photos: Sequence[Photo | Rejected], same_person: float) -> dict[str, int]:
    """Which face is the subject in each photo with several: the one most like the faces of the other photos.

    Photo name → index into its faces; only photos where that is not the largest face (index 0). One that was set
    aside is asked too, because its largest face may be at fault and somebody else's; no other is compared with it.
    """
    found: dict[str, int] = {}
    for photo in photos:
        faces = photo.seen.get("faces", [])
        if sum(1 for face in faces if face.get("identity")) < 2:
            continue
        others = [
            from_text(face["identity"])
            for other in photos
            if isinstance(other, Photo) and other.name != photo.name and other.source_hash != photo.source_hash
            for face in other.seen.get("faces", [])[:1]
            if face.get("identity")
        ]
        if len(others) < 2:
            continue
        distances = [
            float(np.median([np.linalg.norm(from_text(face["identity"]) - other) for other in others]))
            if face.get("identity")
            else float("inf")
            for face in faces
        ]
        best = int(np.argmin(distances))
        if best != 0 and distances[best] <= same_person < distances[0]:
            found[photo.name] = best
    return found


def strangers(photos: Sequence[Photo], limit: float) -> list[Rejected]:
    """Photos whose face is not the person that most of the photos show.

    The person is the largest group of faces that are each within ``limit`` of the group's most typical face.
    Without such a majority (at least three faces and half of all) nobody is called a stranger.
    """
    known = [photo for photo in photos if photo.subject is not None and photo.subject.get("identity")]
    if len(known) < 3:
        return []
    vectors = np.stack([from_text(photo.subject["identity"]) for photo in known if photo.subject is not None])
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    close = distances <= limit
    typical = max(range(len(known)), key=lambda i: (int(close[i].sum()), -float(distances[i].sum())))
    members = np.flatnonzero(close[typical])
    if len(members) < 3 or 2 * len(members) < len(known):
        return []
    found = []
    for index, photo in enumerate(known):
        distance = float(np.median(distances[index, members]))
        nearest = float(np.sort(distances[index, members])[: 3 if index not in members else 4].mean())
        if index not in members and distance > limit and nearest > limit:
            reason = (
                f"shows someone else: identity distance {distance:.2f} to the {len(members)} photos that agree, "
                f"the limit is {limit:g}"
            )
            found.append(_aside(photo, "stranger", reason, "Keep photos of one person per subject."))
    return found


def duplicates(
    photos: Sequence[Photo], limit: float, protected: frozenset[str], wanted: frozenset[str] = frozenset()
) -> list[Rejected]:
    """Near-duplicates but one of each group. ``protected`` (held out) and ``wanted`` names are never set aside.

    Of a pair the better is kept: protected first, then the larger face (or picture), then the sharper, then the
    name. Alike are photos that correlate by ``limit`` (see :func:`likeness`).
    """
    order = sorted(photos, key=lambda photo: (photo.name not in protected, *_merit(photo), photo.name))
    kept: list[Photo] = []
    found = []
    for photo in order:
        twin = next(((other, value) for other in kept if (value := likeness(photo, other)) >= limit), None)
        if twin is None or photo.name in protected | wanted:
            kept.append(photo)
            continue
        other, value = twin
        reason = (
            f"is nearly the same as {other.name} (correlation {value:.3f}, the limit is {limit:g}); "
            f"{other.name} is kept because it is {_advantage(other, photo, protected)}"
        )
        found.append(_aside(photo, "duplicate", reason, "Two copies of a photo teach no more than one."))
    return sorted(found, key=lambda item: item.name)


def held_out_copies(photos: Sequence[Photo], limit: float) -> list[Rejected]:
    """Photos that are nearly the same as one that is held out as a reference: never trained on, whoever asks."""
    held = [photo for photo in photos if photo.is_reference]
    found = []
    for photo in photos:
        value, twin = max(((likeness(photo, other), other.name) for other in held), default=(0.0, ""))
        if not photo.is_reference and value >= limit:
            reason = f"is nearly the same as {twin}, which is held out (correlation {value:.3f}, limit {limit:g})"
            hint = "Scores would be read off a photo trained on. To train on it, take it out of the references."
            found.append(Rejected(photo.name, "duplicate", reason, hint, photo.source_hash, photo.trail, photo.seen))
    return found


def together(photos: Sequence[Photo], limit: float) -> list[list[Photo]]:
    """``photos`` in groups of nearly the same; most are alone. Groups are in the order of their content, whatever the
    files are called and however they are listed."""
    photos = sorted(photos, key=lambda photo: (photo.source_hash, photo.name))
    groups: list[list[Photo]] = []
    for photo in photos:
        near = [group for group in groups if any(likeness(photo, other) >= limit for other in group)]
        joined = [other for group in near for other in group]
        groups = [group for group in groups if group not in near]
        groups.append([*joined, photo])
    order = {id(photo): place for place, photo in enumerate(photos)}
    return sorted(groups, key=lambda group: order[id(group[0])])


def likeness(a: Photo, b: Photo) -> float:
    """Correlation of two photos: of the whole pictures or, where both have one, of their heads; the larger.

    Heads find crops of one photo; whole pictures do not care how exactly a head was found.
    """
    if a.source_hash == b.source_hash:
        return 1.0
    whole = alikeness(a.seen["patch"], b.seen["patch"])
    first, second = a.subject, b.subject
    return whole if first is None or second is None else max(whole, alikeness(first["patch"], second["patch"]))


def _measured(photo: Photo) -> tuple[float, float]:
    """(pixels, sharpness) of the face, or of the picture."""
    subject = photo.subject
    if subject is None:
        return float(min(photo.seen["size"])), float(photo.seen["sharpness"])
    return float(subject["pixels"]), float(subject["sharpness"])


def _merit(photo: Photo) -> tuple[int, float]:
    """What to sort by, the better first. A face is found a pixel larger or smaller by chance, so that sizes count as
    equal within :data:`SAME_SIZE`."""
    pixels, sharpness = _measured(photo)
    return -round(math.log(max(pixels, 1.0)) / math.log(SAME_SIZE)), -sharpness


def _advantage(better: Photo, worse: Photo, protected: frozenset[str]) -> str:
    if better.name in protected:
        return "held out"
    size, sharp = (b - w for b, w in zip(_merit(better), _merit(worse), strict=True))
    if size < 0:
        return f"larger ({_measured(better)[0]:.0f} against {_measured(worse)[0]:.0f} px)"
    if sharp < 0:
        return f"sharper ({_measured(better)[1]:.2f} against {_measured(worse)[1]:.2f})"
    return "first by name"
