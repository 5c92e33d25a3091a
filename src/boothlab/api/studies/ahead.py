"""Comparisons of whole sets of pictures, made run by run while a study trains, so that its page has not to wait."""

from __future__ import annotations

from dataclasses import replace

from boothlab.api.studies.compared import Compared
from boothlab.api.studies.costs import BESIDE, is_finished
from boothlab.api.studies.looking import Looking
from boothlab.api.studies.reading import points_of, read_one, trunk_run
from boothlab.api.studies.resolving import Study
from boothlab.api.studies.running import Outcome, attempt
from boothlab.studies.compare_sets import compare_ahead
from boothlab.studies.neighbours import Neighbours, neighbours
from boothlab.studies.points import Column, Point
from boothlab.studies.relations import Looked
from boothlab.studies.share import Trunk

LARGEST = BESIDE // 2
"""A set of larger vectors (LPIPS of twenty pictures at 512 px has 212 MB) is left to the page, which looks at each
once: here it would be looked at anew for every neighbour."""


class Ahead:
    """Hears of every training that ended, and makes the comparisons that it was the last one missing in.

    They are those that the page makes, by the same code, and it finds them in the study's folder. Which runs will be
    neighbours is taken from the plan, as if all of them succeed: where some fail, the page has the rest to do.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._looking = Looking(study, BESIDE)
        self._memory = Compared(study)
        self._trunks = {name: trunk for trunk in study.shared.trunks for name in trunk.members}
        self._large: set[str] = set()
        self._expected: list[Neighbours] | None = None
        self._points: dict[tuple[str, str], Point] = {}

    def __call__(self, outcome: Outcome) -> None:
        """What cannot be compared is left to the page, which says why. Raises Cancelled and NoSpace."""
        if outcome.folder:
            attempt(lambda: self._compare(outcome))

    def _compare(self, outcome: Outcome) -> None:
        if self._expected is None:
            self._expected = self._begin()
        self._memory.arrived(outcome.folder)
        self._read(self._trunks[outcome.runs[0]])
        concerned = [
            replace(beside, pairs=tuple((self._now(a), self._now(b)) for a, b in beside.pairs))
            for beside in self._expected
            if any(point.run in outcome.runs for pair in beside.pairs for point in pair)
        ]
        compare_ahead(concerned, outcome.runs, self._look, self._memory)

    def _begin(self) -> list[Neighbours]:
        """All that will be compared. What was trained before is there from the start, so that what was compared
        before is known to be complete."""
        points = list(points_of(self._study))
        self._points = {(point.run, point.subject): point for point in points}
        for trunk in self._study.shared.trunks:
            if is_finished(trunk_run(self._study, trunk)):
                self._read(trunk)
        return neighbours([replace(point, state="done") for point in points])

    def _read(self, trunk: Trunk) -> None:
        own = [point for (run, _), point in self._points.items() if run in trunk.members]
        self._points |= {(point.run, point.subject): point for point in read_one(self._study, trunk, own)}

    def _look(self, point: Point, column: Column) -> Looked | None:
        looked = None if column.key in self._large else self._looking(point, column)
        if looked is None or looked.rows.nbytes <= LARGEST:
            return looked
        self._large.add(column.key)
        return None

    def _now(self, point: Point) -> Point:
        """The point with the numbers that have come in."""
        return self._points[point.run, point.subject]
