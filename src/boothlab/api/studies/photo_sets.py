"""The photo sets of a study side by side: what was done to the photos, and what the runs on them reached."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boothlab.api.studies.reading import photo_file
from boothlab.api.studies.resolving import Study
from boothlab.reports.study import PhotoSetView
from boothlab.runs.run import Run
from boothlab.studies.expand import shown
from boothlab.studies.points import LIKENESS, PROMPT, Point

MOST_PHOTOS = 8


def photo_set_views(study: Study, points: Sequence[Point]) -> tuple[PhotoSetView, ...]:
    """One line per photo set of a subject, in the study's order; empty where all runs share one."""
    groups: dict[str, list[Point]] = {}
    sets = {planned.name: found.sets for planned, found in zip(study.runs, study.resolved, strict=True)}
    for point in points:
        groups.setdefault(sets[point.run][point.subject].content_hash, []).append(point)
    if len(groups) < 2:
        return ()
    own_paths = [path for path in points[0].values if path.startswith("photos.") or path.endswith(".photos")]
    varied = [path for path in own_paths if len({repr(point.values.get(path)) for point in points}) > 1]
    found = []
    for own in groups.values():
        first = own[0]
        photos = sets[first.run][first.subject]
        run = Run(study.root / first.folder)
        there = (run.path / "photos" / first.subject / "manifest.json").is_file()
        files = (
            [photo_file(run, first.subject, k) for k in range(min(MOST_PHOTOS, len(photos.train)))] if there else []
        )
        found.append(
            PhotoSetView(
                facts=tuple((path.rpartition(".")[2], shown(first.values[path])) for path in varied),
                train=len(photos.train),
                held_out=len(photos.held_out),
                rejected=len(photos.rejected),
                runs=len(own),
                likeness=_reached(own, LIKENESS),
                prompt=_reached(own, PROMPT),
                pictures=tuple(path for path in files if path is not None),
            )
        )
    return tuple(found)


def _reached(points: Sequence[Point], key: str) -> tuple[float, float] | None:
    """(mean, best) over the finished runs."""
    values = [point.cells[key].value for point in points if key in point.cells]
    return (float(np.mean(values)), max(values)) if values else None
