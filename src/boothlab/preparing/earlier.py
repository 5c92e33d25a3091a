"""What earlier preparations have already done: unchanged photos are taken over, not processed again.

The only memory is the photo sets themselves, so deleting a set forgets everything about its photos.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from boothlab.errors import BoothlabError
from boothlab.files import read_json
from boothlab.photos.photo import Photo, Rejected, Trace
from boothlab.photos.photoset import MANIFEST, read_entry

BEFORE = "before"
"""Folder inside a set with small copies of the photos as they came, for the contact sheet."""


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """One photo's way through preparation: the photo or why not, the small copy of how it came, and its recipe.

    ``recipe`` is the hash of everything that decided the outcome. ``thumbnail`` is JPEG, empty if unreadable.
    """

    outcome: Photo | Rejected
    thumbnail: bytes
    recipe: str


class Earlier:
    """The outcomes in some folders, by recipe."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._places: dict[str, tuple[Path, dict[str, Any]]] = {}
        for folder in folders:
            with contextlib.suppress(BoothlabError, KeyError, TypeError, AttributeError):
                tree = read_json(folder / MANIFEST)
                for entry in (*tree["photos"], *tree["rejected"]):
                    recipe = tree["recipes"].get(entry.get("source", entry.get("name")))
                    if recipe:
                        self._places.setdefault(recipe, (folder, entry))

    def find(self, recipe: str) -> Done | None:
        """The outcome of ``recipe`` when it is here and whole, with its small copy."""
        if recipe not in self._places:
            return None
        folder, entry = self._places[recipe]
        try:
            outcome: Photo | Rejected
            if "source" in entry:
                outcome = read_entry(folder, entry)
            else:
                outcome = Rejected(**{**entry, "trail": tuple(Trace(**trace) for trace in entry["trail"])})
            # What could not be decoded has no trail, and never had a small copy.
            return Done(outcome, thumbnail_of(folder, outcome.source_hash) if outcome.trail else b"", recipe)
        except (OSError, ValueError, KeyError, TypeError):
            return None


def thumbnail_name(source_hash: str) -> str:
    """Where a set keeps the small copy of a source, relative to the set."""
    return f"{BEFORE}/{source_hash[:16]}.jpg"


def thumbnail_of(folder: Path, source_hash: str) -> bytes:
    """The small copy in a set. Raises OSError where there is none that can be shown."""
    path = folder / thumbnail_name(source_hash)
    data = path.read_bytes()
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            image.load()
    except Exception as error:  # noqa: BLE001 - decoders raise anything on damaged input (struct, index, zlib …)
        raise OSError(f"{path} is damaged") from error
    return data
