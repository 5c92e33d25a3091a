"""Comparisons of whole sets that were made while runs came in or for an earlier page, kept in the study's folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from boothlab.api.scoring import summary_of
from boothlab.api.studies.resolving import Study
from boothlab.api.studies.traces import COMPARED, PAIRS
from boothlab.errors import BoothlabError
from boothlab.evaluation.arrays import read_arrays, write_arrays
from boothlab.files import read_json, sha256_json, write_json
from boothlab.runs.run import Run
from boothlab.statistics.permutations import Swap
from boothlab.studies.compare_sets import SWAPPING, Swapped
from boothlab.studies.neighbours import Pair
from boothlab.studies.points import Column, Point
from boothlab.studies.relations import Relations

PARTS = ("own", "cross", "among")


class Compared:
    """The :class:`boothlab.studies.compare_sets.Memory` of a study."""

    def __init__(self, study: Study) -> None:
        self._path, self._root = study.place / COMPARED, study.root
        self._pairs = study.place / PAIRS
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

    def arrived(self, folder: str) -> None:
        """The run was scored, perhaps anew: what it was known by may be another word now."""
        self._keys.pop(folder, None)

    def keep(self, column: Column, tested: Mapping[str, Swapped]) -> None:
        """What no page needs any more goes."""
        self._write({column.key: _tree(tested)})

    def add(self, tested: Mapping[str, Mapping[str, Swapped]]) -> None:
        self._write({key: {**self._kept.get(key, {}), **_tree(found)} for key, found in tested.items()})

    def relations(self, column: Column, pair: Pair) -> Relations | None:
        """What is damaged or foreign is as good as nothing."""
        found = read_arrays(self._file(column, pair))
        return Relations(*(found[part] for part in PARTS)) if set(found) == set(PARTS) else None

    def keep_relations(self, column: Column, pair: Pair, found: Relations) -> None:
        write_arrays(self._file(column, pair), {part: getattr(found, part) for part in PARTS})

    def forget_relations(self) -> None:
        """They are for comparisons that wait for another run; who has all runs has no use for them."""
        shutil.rmtree(self._pairs, ignore_errors=True)

    def _file(self, column: Column, pair: Pair) -> Path:
        """Named by all that the relations depend on."""
        name = sha256_json([SWAPPING, column.identity, *(self.name(point) for point in pair)])
        return self._pairs / f"{name[:32]}.npz"

    def _write(self, changed: Mapping[str, Mapping[str, Any]]) -> None:
        if any(tree != self._kept.get(key, {}) for key, tree in changed.items()):
            self._kept |= changed
            write_json(self._path, {"format": 1, "tested": self._kept})

    def _read(self) -> dict[str, Any]:
        try:
            tested = read_json(self._path)["tested"]
            return dict(tested) if isinstance(tested, dict) else {}
        except (BoothlabError, KeyError, TypeError):
            return {}


def _tree(tested: Mapping[str, Swapped]) -> dict[str, Any]:
    return {name: asdict(one) for name, one in tested.items() if isfinite(one.swap.difference)}
