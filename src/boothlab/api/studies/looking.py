"""The vectors behind a study's scores of whole sets, from the run folders: kept ones are read, others made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from boothlab.api.pictures import keep_threads
from boothlab.api.resolving import domain_of
from boothlab.api.studies.reading import drawn_at, trunk_run
from boothlab.api.studies.resolving import Study
from boothlab.errors import PhotoError, RunDamaged
from boothlab.evaluation.vectors import KEPT, Embedder, picture_hash
from boothlab.features.feature import Vectors
from boothlab.files import read_json
from boothlab.generation.picture import Picture
from boothlab.metrics.metric import feature_of
from boothlab.photos.photo import Photo
from boothlab.photos.photoset import MANIFEST, PhotoSet, read_set
from boothlab.plan import RunPlan
from boothlab.runs.run import Run
from boothlab.studies.points import Column, Point
from boothlab.studies.relations import RELATED, Looked

FEW = 2
"""Photo sets whose vectors are held at once where these are too large to be kept on disk (LPIPS)."""


PARTS: Mapping[str, Callable[[PhotoSet], tuple[Photo, ...]]] = {
    "train": lambda found: found.train,
    "held_out": lambda found: found.held_out,
    "originals": lambda found: (*found.train, *found.held_out),
}
"""Which photos of a set a reference is."""


class Looking:
    """Answers :data:`boothlab.studies.relations.Look` for the points of one study.

    Small vectors are held, because several scores are made of them; large ones of pictures are not: who asks, holds.
    With ``room`` pictures' vectors of either size are held up to so many bytes, those that were asked for last.
    """

    def __init__(self, study: Study, room: int | None = None) -> None:
        self._room = room
        self._runs: dict[str, tuple[Run, RunPlan]] = {
            trunk_run(study, trunk).name: (trunk_run(study, trunk), trunk.plan) for trunk in study.shared.trunks
        }
        self._rows: dict[tuple[str, ...], Vectors] = {}
        self._large: dict[tuple[str, ...], Vectors] = {}
        self._last: dict[tuple[str, ...], Vectors] = {}
        self._hashes: dict[tuple[str, ...], list[str]] = {}
        self._contents: dict[Path, str] = {}
        self._names: dict[tuple[str, str], tuple[str, ...]] = {}

    def __call__(self, point: Point, column: Column) -> Looked | None:
        """None where a picture is gone, a photo damaged, or weights gone that vectors would have to be made with."""
        run, plan = self._runs[point.folder]
        # Vectors that were not kept are made again, in a process that may never have trained or drawn.
        keep_threads(plan)
        metric, _ = RELATED[column.metric]
        feature = feature_of(metric, domain_of(plan.photos, plan.base))
        pictures = self._pictures(point, column.pictures)
        if not pictures or not all(picture.path.is_file() for picture in pictures) or feature.missing() is not None:
            return None
        embedder = Embedder(feature, run.path / "features")
        place = (point.folder, point.snapshot, point.subject, column.pictures)
        rows = self._rows_of(embedder, place, pictures)
        try:
            compared, names = self._compared(embedder, point, column.reference)
        except (PhotoError, RunDamaged):
            return None
        plan_of = tuple(f"{picture.prompt} {picture.seed}" for picture in pictures)
        return Looked(rows, compared if names else rows[:0], plan_of, names)

    def _pictures(self, point: Point, role: str) -> tuple[Picture, ...]:
        run, plan = self._runs[point.folder]
        found = drawn_at(run, plan, point.subject, point.snapshot, "tuned")
        return tuple(Picture(path, wanted.text, wanted.order.seed) for wanted, path in found if wanted.role == role)

    def _rows_of(self, embedder: Embedder, place: tuple[str, ...], pictures: tuple[Picture, ...]) -> Vectors:
        key = (embedder.feature.name, *place)
        if key in self._rows:
            return self._rows[key]
        if key in self._last:
            self._last[key] = self._last.pop(key)
            return self._last[key]
        # What is known is known by content, so a picture is read once to name it, and again only to look at it.
        rows = embedder.known(self._hashes[place]) if place in self._hashes else None
        if rows is None:
            pixels = [picture.pixels() for picture in pictures]
            self._hashes[place] = [picture_hash(image) for image in pixels]
            rows = embedder.look(pixels, self._hashes[place])
        if self._room is not None:
            self._last[key] = rows
            while sum(held.nbytes for held in self._last.values()) > self._room:
                del self._last[next(iter(self._last))]
        elif rows.shape[1] <= KEPT:
            self._rows[key] = rows
        return rows

    def _compared(self, embedder: Embedder, point: Point, reference: str) -> tuple[Vectors, tuple[str, ...]]:
        """The vectors of the photos that a score is held against, and the photos' names by content.

        Every run folder has its own copy of the photos, and most of a study's are of one content.
        """
        if reference not in PARTS:
            return np.zeros((0, 0)), ()
        place = self._runs[point.folder][0].path / "photos" / point.subject
        if place not in self._contents:
            self._contents[place] = str(read_json(place / MANIFEST)["content_hash"])
        content = (self._contents[place], reference)
        key = (embedder.feature.name, *content)
        known = self._rows.get(key, self._large.get(key))
        if known is not None:
            return known, self._names[content]
        pixels = [photo.pixels for photo in PARTS[reference](read_set(place))]
        self._names[content] = tuple(picture_hash(image) for image in pixels)
        rows = embedder.look(pixels, self._names[content])
        held = self._rows if rows.shape[1] <= KEPT else self._large
        held[key] = rows
        while len(self._large) > FEW:
            del self._large[next(iter(self._large))]
        return rows, self._names[content]
