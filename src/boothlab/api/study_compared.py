"""Comparisons of whole sets that an earlier page made, kept in the study's folder and looked up by the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

from boothlab.api.scoring import summary_of
from boothlab.api.study_resolving import Study
from boothlab.api.study_traces import COMPARED
from boothlab.errors import BoothlabError
from boothlab.files import read_json, write_json
from boothlab.runs.run import Run
from boothlab.statistics.permutations import Swap
from boothlab.studies.compare_sets import Swapped
from boothlab.studies.points import Column, Point


class Compared:
    """The :class:`boothlab.studies.compare_sets.Memory` of a study."""

    def __init__(self, study: Study) -> None:
        self._path, self._root = study.place / COMPARED, study.root
        self._keys: dict[str, str] = {}
        self._kept = self._read()

    def name(self, point: Point) -> str:
        """The key of the run's scores names its pictures, its photos, and what looks at them."""
        if point.folder not in self._keys:
            self._keys[point.folder] = str(summary_of(Run(self._root / point.folder))["key"])
        return f"{self._keys[point.folder]} {point.snapshot} {point.subject}"

    def recall(self, column: Column) -> Mapping[str, Swapped]:
        """What is damaged or foreign is as good as nothing."""
        try:
            return {
                name: Swapped(Swap(**one["swap"]), int(one["n"]), int(one["trainings"]))
                for name, one in self._kept.get(column.key, {}).items()
            }
        except (KeyError, TypeError, ValueError, AttributeError):
            return {}

    def keep(self, column: Column, tested: Mapping[str, Swapped]) -> None:
        """What no page needs any more goes."""
        tree = {name: asdict(one) for name, one in tested.items() if isfinite(one.swap.difference)}
        if tree != self._kept.get(column.key, {}):
            self._kept[column.key] = tree
            write_json(self._path, {"format": 1, "tested": self._kept})

    def _read(self) -> dict[str, Any]:
        try:
            tested = read_json(self._path)["tested"]
            return dict(tested) if isinstance(tested, dict) else {}
        except (BoothlabError, KeyError, TypeError):
            return {}
