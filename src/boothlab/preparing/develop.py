"""One photo's way: read, look, judge, frame. Photos do not know of each other here (see prepare)."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from boothlab.errors import PhotoError
from boothlab.features.faces import FaceReader
from boothlab.files import sha256_file, sha256_json
from boothlab.photos.config import Photos
from boothlab.photos.photo import Photo, Rejected, Trace
from boothlab.photos.read import FORMATS, read_photo
from boothlab.photos.screening import fault
from boothlab.photos.steps import Head, Resize, Smart, Step
from boothlab.preparing.earlier import Done, Earlier
from boothlab.preparing.look import look, smaller

VERSION = 7
"""Raised whenever the same photo and settings would give another outcome."""

THUMBNAIL_PX = 360
"""Longer side of the small copies in the contact sheet."""

LARGE_PIXELS = 30_000_000
"""Photos above this are developed one at a time, so that memory stays below 2 GB whatever the folder holds."""

_large = threading.Lock()


@dataclass(frozen=True, slots=True)
class Choice:
    """What the other photos decided about this one: which face is learned, and whether faces matter at all."""

    subject: int = 0
    faces: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Developer:
    """Develops photos under one plan. ``reader`` is None where faces cannot be looked for."""

    settings: Photos
    size: int
    domain: str
    reader: FaceReader | None
    earlier: Earlier

    def develop(self, path: Path, name: str, choice: Choice | None = None) -> Done:
        """The photo in ``path`` under the name ``name``, or why it is set aside. Taken over where it was done."""
        choice = choice or Choice()
        try:
            digest = sha256_file(path)
        except OSError as error:
            return Done(Rejected(name, "unreadable", f"cannot be read: {error.strerror}"), b"", "")
        recipe = self._recipe(name, digest, choice)
        done = self.earlier.find(recipe)
        if done is not None:
            return done
        with _room_for(path):
            photo = read_photo(path, self.settings.orientation, self.settings.alpha)
            if isinstance(photo, Rejected):
                return Done(replace(photo, name=name), b"", recipe)
            photo = self._seen(replace(photo, name=name), choice)
            thumbnail = _thumbnail(photo)
            kept = name in self.settings.keep
            wrong = (
                None if kept or not self.settings.screen.enabled else fault(photo, self.settings.screen, self.domain)
            )
            return Done(wrong or self._framed(photo, kept), thumbnail, recipe)

    def _recipe(self, name: str, digest: str, choice: Choice) -> str:
        settings = self.settings
        return sha256_json(
            {
                "version": VERSION,
                "name": name,
                "source": digest,
                "choice": [choice.subject, choice.faces],
                "reader": self.reader.version if self.reader else None,
                "domain": self.domain,
                "size": self.size,
                "reading": [settings.orientation, settings.alpha],
                "steps": [
                    [step.model_dump(mode="json") for step in settings.steps_for(k)] for k in ("head", "smart")
                ],
                "screen": settings.screen.model_dump(mode="json"),
                "kept": name in settings.keep,
            }
        )

    def _seen(self, photo: Photo, choice: Choice) -> Photo:
        photo = look(photo, self.reader)
        seen = dict(photo.seen)
        faces = seen["faces"]
        seen["subject"] = min(choice.subject, len(faces) - 1) if choice.faces and faces else None
        chosen = faces[seen["subject"]] if seen["subject"] is not None else None
        numbers: dict[str, Any] = {
            "heads": [face["head"] for face in faces],
            "subject": seen["subject"],
            "sharpness": (chosen or seen)["sharpness"],
            "luma": (chosen or seen)["light"]["mean"],
        }
        if chosen is not None:
            numbers |= {key: chosen[key] for key in ("detector", "roll", "yaw", "pitch")}
        return replace(photo, seen=seen, trail=(*photo.trail, Trace("look", numbers)))

    def _framed(self, photo: Photo, kept: bool) -> Photo | Rejected:
        """All steps. A photo that must be kept is framed by what it has when `head` cannot."""
        framing = "head" if photo.subject is not None else "smart"
        result: Photo | Rejected = photo
        for step in self.settings.steps_for(framing):
            if isinstance(result, Rejected):
                break
            before = result
            if isinstance(step, Resize):
                _require_square(before)
            result = step.apply(before, self.size)
            if kept and isinstance(result, Rejected) and isinstance(step, Head):
                result = _relented(step, before).apply(before, self.size)
        if isinstance(result, Photo) and result.size != (self.size, self.size):
            width, height = result.size
            raise PhotoError(
                f"photos.steps leave {photo.name} at {width}×{height} pixels; {self.size}×{self.size} are wanted.",
                'End them with { kind = "resize" }, after a step that makes photos square.',
            )
        if isinstance(result, Photo) and result.mask is not None and not result.mask.any():
            reason = "is transparent as a whole: nothing of it would be learned"
            return Rejected(result.name, "transparent", reason, "", result.source_hash, result.trail, result.seen)
        return result


def _require_square(photo: Photo) -> None:
    """A plan's own steps may leave out the one that makes photos square; resize would squash what it is given."""
    width, height = photo.size
    if width != height:
        raise PhotoError(
            f"photos.steps: resize is given {photo.name} at {width}×{height} pixels, which it would squash.",
            'Put a step before it that makes photos square, such as { kind = "letterbox" }.',
        )


def _relented(step: Head, photo: Photo) -> Step:
    return step.model_copy(update={"alone": False}) if photo.subject is not None else Smart()


@contextlib.contextmanager
def _room_for(path: Path) -> Iterator[None]:
    """Wait for one's turn when the picture is large. What cannot be opened is not large."""
    large = False
    with contextlib.suppress(Exception), Image.open(path, formats=FORMATS) as image:
        large = image.width * image.height > LARGE_PIXELS
    with _large if large else contextlib.nullcontext():
        yield


def _thumbnail(photo: Photo) -> bytes:
    image = Image.fromarray(smaller(photo)[0])
    scale = min(1.0, THUMBNAIL_PX / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.BOX).save(buffer, "JPEG", quality=82)
    return buffer.getvalue()
