"""The pictures on the page of a study, by their places in the run folders; nothing is drawn here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boothlab.api.scoring import summary_of
from boothlab.api.studies.reading import drawn_at, photo_file, trunk_run
from boothlab.api.studies.resolving import Study
from boothlab.evaluation.lots import BASE
from boothlab.evaluation.orders import Source
from boothlab.reports.study import GridView, Picture
from boothlab.studies.choose import Choice
from boothlab.studies.points import LIKENESS, Point

MOST_COLUMNS = 12
"""So many runs stand side by side in the picture grid."""

MOST_PROMPTS = 6

NEAREST, NEAREST_PHOTO = "of the bare prompt, nearest to a training photo", "that photo"
"""What stands where other pictures have their prompt."""


class Gallery:
    """The pictures of a study's runs, by their places on disk; nothing is drawn here."""

    def __init__(self, study: Study) -> None:
        self._runs = {
            trunk_run(study, trunk).name: (trunk_run(study, trunk), trunk.plan) for trunk in study.shared.trunks
        }
        self._near: dict[str, Any] = {}

    def _paths(self, point: Point, role: str, source: str | None = None) -> list[tuple[str, Path]]:
        """(prompt, path) of the pictures of one role that are there."""
        run, plan = self._runs[point.folder]
        kind: Source = "tuned" if source is None else "base"
        found = drawn_at(run, plan, point.subject, source or point.snapshot, kind)
        return [(asked.text, path) for asked, path in found if asked.role == role and path.is_file()]

    def _contexts(self, point: Point, source: str | None = None) -> dict[str, tuple[str, Path]]:
        """Template of a context → (prompt, path) of its first picture that is there.

        Runs whose class noun differs are asked other prompts by the same template.
        """
        run, plan = self._runs[point.folder]
        kind: Source = "tuned" if source is None else "base"
        found = drawn_at(run, plan, point.subject, source or point.snapshot, kind)
        contexts = [(asked.text, path) for asked, path in found if asked.role == "context"]
        first: dict[str, tuple[str, Path]] = {}
        for index, (text, path) in enumerate(contexts):
            if path.is_file():
                first.setdefault(plan.evaluation.contexts()[index // plan.evaluation.repeats()], (text, path))
        return first

    def pictures(self, point: Point, most: int) -> list[Picture]:
        """Some pictures of a point: bare ones and contexts."""
        bare, contexts = self._paths(point, "bare"), self._paths(point, "context")
        return _told(point, [*bare[: most // 2], *contexts[: most - most // 2]])

    def card(self, point: Point, most: int) -> list[Picture]:
        """The bare picture that is nearest to a photo, that photo, and contexts."""
        if point.state != "done":
            return []
        near = zip((NEAREST, NEAREST_PHOTO), self.nearest(point), strict=True)
        first = [(text, path) for text, path in near if path is not None]
        return _told(point, [*first, *self._paths(point, "context")])[:most]

    def nearest(self, point: Point) -> tuple[Path | None, Path | None]:
        """(the bare picture that is nearest to a training photo, that photo); None where nothing is known."""
        run, _ = self._runs[point.folder]
        if point.folder not in self._near:
            self._near[point.folder] = summary_of(run)["rulings"]
        near = [
            item
            for ruling in self._near[point.folder]
            if ruling["subject"] == point.subject
            for item in ruling["near"]
            if item["source"] == point.snapshot
        ]
        bare = [path for _, path in self._paths(point, "bare")]
        if not near or not bare:
            return None, None
        item = min(near, key=lambda found: float(found["distance"]))
        return bare[item["picture"]], photo_file(run, point.subject, item["photo"])

    def finals(self, points: Sequence[Point], choice: Choice) -> tuple[tuple[str, tuple[Picture, ...]], ...]:
        """Four runs side by side, four pictures each: the recommended one first, then the highest likeness."""
        done = [point for point in points if point.state == "done"]
        ranked = sorted(
            done, key=lambda p: (p.run != choice.run, -p.cells[LIKENESS].value if LIKENESS in p.cells else math.inf)
        )
        found = [(p.run + (" ★" if p.run == choice.run else ""), tuple(self.pictures(p, 4))) for p in ranked[:4]]
        return tuple(found) if len(found) > 1 else ()

    def grid(self, points: Sequence[Point], choice: Choice) -> GridView | None:
        """Runs side by side, the base model first; the recommended run and the front before all others."""
        done = [point for point in points if point.state == "done"]
        if not done:
            return None
        first = {choice.run, *choice.front}
        ranked = sorted(done, key=lambda point: (point.run != choice.run, point.run not in first))[:MOST_COLUMNS]
        kept = [point for point in done if point in ranked]
        columns = [self._contexts(kept[0], BASE), *(self._contexts(point) for point in kept)]
        templates = list(dict.fromkeys(template for column in columns for template in column))[:MOST_PROMPTS]
        near = [self.nearest(point) for point in kept]
        rows: tuple[tuple[str, tuple[Path | None, ...]], ...] = tuple(
            (_prompt(template, columns), tuple(column.get(template, ("", None))[1] for column in columns))
            for template in templates
        )
        if any(picture is not None for picture, _ in near):
            rows += ((NEAREST, (None, *(picture for picture, _ in near))),)
            rows += ((NEAREST_PHOTO, (None, *(photo for _, photo in near))),)
        titles = ("base model", *(f"{point.run}{' ★' if point.run == choice.run else ''}" for point in kept))
        return GridView(kept[0].subject, titles, rows, len(done) - len(kept))


def _prompt(template: str, columns: Sequence[Mapping[str, tuple[str, Path]]]) -> str:
    """What the columns of a row were asked for; the template where that is not the same for all."""
    texts = {column[template][0] for column in columns if template in column}
    return texts.pop() if len(texts) == 1 else template


def _told(point: Point, pictures: Sequence[tuple[str, Path]]) -> list[Picture]:
    return [Picture(path, f"{text}: {point.run}") for text, path in pictures]
