"""The vectors behind a study's scores of whole sets, from the run folders: kept ones are read, others made again."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from boothlab.api.pictures import keep_threads
from boothlab.api.resolving import domain_of
from boothlab.api.study_reading import drawn_at, trunk_run
from boothlab.api.study_resolving import Study
from boothlab.evaluation.vectors import KEPT, Embedder, picture_hash
from boothlab.features.feature import Feature, Pictures, Vectors
from boothlab.generation.picture import Picture
from boothlab.metrics.metric import feature_of
from boothlab.photos.photoset import read_set
from boothlab.plan import RunPlan
from boothlab.runs.run import Run
from boothlab.studies.compare_sets import RELATED, Looked
from boothlab.studies.points import Column, Point

FEW = 6
"""Sets of vectors too large to be kept on disk (LPIPS) that are held at once."""


class Looking:
    """Answers :data:`boothlab.studies.compare_sets.Look` for the points of one study."""

    def __init__(self, study: Study) -> None:
        self._runs: dict[str, tuple[Run, RunPlan]] = {
            trunk_run(study, trunk).name: (trunk_run(study, trunk), trunk.plan) for trunk in study.shared.trunks
        }
        self._rows: dict[tuple[str, ...], Vectors] = {}
        self._large: dict[tuple[str, ...], Vectors] = {}
        self._photos = lru_cache(maxsize=None)(self._read_photos)
        self._pictures = lru_cache(maxsize=FEW)(self._read_pictures)

    def __call__(self, point: Point, column: Column) -> Looked | None:
        """None where a picture is gone, or weights that the vectors would have to be made with."""
        run, plan = self._runs[point.folder]
        # Vectors that were not kept are made again, in a process that may never have trained or drawn.
        keep_threads(plan)
        metric, _ = RELATED[column.metric]
        feature = feature_of(metric, domain_of(plan.photos, plan.base))
        pictures = self._pictures(point.folder, point.snapshot, point.subject, column.pictures)
        if not pictures or not all(picture.path.is_file() for picture in pictures) or feature.missing() is not None:
            return None
        photos, names = self._photos(point.folder, point.subject, column.reference)
        rows = self._vectors(run, feature, (point.folder, point.snapshot, point.subject, column.pictures), pictures)
        compared = self._vectors(run, feature, (point.folder, point.subject, column.reference), photos)
        plan_of = tuple(f"{picture.prompt} {picture.seed}" for picture in pictures)
        return Looked(rows, compared if len(photos) else rows[:0], plan_of, names)

    def _read_photos(self, folder: str, subject: str, reference: str) -> tuple[Pictures, tuple[str, ...]]:
        """The photos that a score is held against, and their names by content."""
        found = read_set(self._runs[folder][0].path / "photos" / subject)
        parts = {"train": found.train, "held_out": found.held_out, "originals": (*found.train, *found.held_out)}
        pixels = [photo.pixels for photo in parts.get(reference, ())]
        return pixels, tuple(picture_hash(image) for image in pixels)

    def _read_pictures(self, folder: str, snapshot: str, subject: str, role: str) -> tuple[Picture, ...]:
        run, plan = self._runs[folder]
        found = drawn_at(run, plan, subject, snapshot, "tuned")
        return tuple(Picture(path, wanted.text, wanted.order.seed) for wanted, path in found if wanted.role == role)

    def _vectors(
        self, run: Run, feature: Feature, place: tuple[str, ...], shown: tuple[Picture, ...] | Pictures
    ) -> Vectors:
        key = (feature.name, *place)
        for held in (self._rows, self._large):
            if key in held:
                return held[key]
        pixels = [image.pixels() if isinstance(image, Picture) else np.asarray(image) for image in shown]
        rows = Embedder(feature, run.path / "features").look(pixels, [picture_hash(image) for image in pixels])
        held = self._rows if rows.shape[1] <= KEPT else self._large
        held[key] = rows
        while len(self._large) > FEW:
            del self._large[next(iter(self._large))]
        return rows
