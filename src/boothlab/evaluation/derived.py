"""Numbers made from other numbers: normalised identity, what leaks, what narrows, what drifts. (Torch-free.)

Raw likeness means nothing by itself: dlib, ArcFace and the built-in encoder each have a scale of their own. On the
normalised scale 0 is "some person of the class", as the base model draws them, and 1 is "as alike as two photos of
this person".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from boothlab.evaluation.lots import BASE, COPIES, PHOTOS
from boothlab.evaluation.scores import Score
from boothlab.evaluation.summaries import Cell, Pairs
from boothlab.metrics.metric import Better

IDENTITY = "identity"
SMALLEST_SPAN = 0.02
"""Where "two photos of this person" is hardly above "some person" (in units of identity), the scale is refused."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a reader must know about a number: the same as for a metric."""

    name: str
    question: str
    better: Better
    unit: str
    source: str
    caution: str


@dataclass(frozen=True, slots=True)
class Derived(Facts):
    """A number made from other scores. ``compute`` sees all scores of one run and subject.

    ``pairs``, where there is one, does the same with what these scores are means over, so that the interval too can
    be computed anew.
    """

    compute: Callable[[Table], list[Score]]
    pairs: Callable[[Table], list[Pairs]] | None = None


COPIED = Facts(
    name="copied",
    question="Is the picture nearly one of the training photos?",
    better="lower",
    unit="1 or 0",
    source="nearest neighbour in LPIPS at 64 px, mirrored and cropped views too (boothlab 2026)",
    caution="Compared with the smallest distance between two training photos; look at the pairs themselves.",
)

MEMORISATION = Facts(
    name="memorisation_p",
    question="Could pictures be as much nearer to training than to held-out photos by chance, beyond "
    "what pictures of the untrained model are?",
    better="neither",
    unit="p value, one-sided, raw",
    source="label permutation after Meehan et al. 2020 (arXiv:2004.05675), adjusted for a control (Rosenbaum 2002)",
    caution="Below 0.05: learned by heart, if chance decided which photos are held out; other photos differ in more. "
    "With few photos it cannot become small; then nothing was tested.",
)


class Table:
    """Scores by (source, role, metric, reference), and what they are means over, where they are such."""

    def __init__(self, scores: Sequence[Score], pairs: Sequence[Pairs] = ()) -> None:
        self.cells: dict[Cell, list[Score]] = {}
        self.pairs: dict[Cell, Pairs] = {found.cell: found for found in pairs}
        for score in scores:
            key = (score.snapshot, score.pictures, score.metric, score.reference)
            self.cells.setdefault(key, []).append(score)

    def values(self, source: str, role: str, metric: str, reference: str) -> NDArray[np.float64]:
        """(n,) values, NaN where a picture has none; empty when the cell does not exist."""
        return np.array([score.value for score in self.cells.get((source, role, metric, reference), [])], dtype=float)

    def mean(self, source: str, role: str, metric: str, reference: str) -> float | None:
        """Mean over the pictures that have a value; None when there is none."""
        values = self.values(source, role, metric, reference)
        present = values[~np.isnan(values)]
        return float(present.mean()) if len(present) else None

    def like(self, metric: str) -> list[list[Score]]:
        """All cells of one metric, in order."""
        return [cell for (_, _, name, _), cell in self.cells.items() if name == metric]


@dataclass(frozen=True, slots=True)
class Scale:
    """Likeness of "some person" and of "two photos of this person" to one set of photos."""

    floor: float
    ceiling: float

    @overload
    def __call__(self, value: float) -> float: ...

    @overload
    def __call__(self, value: NDArray[np.float64]) -> NDArray[np.float64]: ...

    def __call__(self, value: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        return (value - self.floor) / (self.ceiling - self.floor)

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the most that a value can be, for what is measured in [0, 1]."""
        return self(0.0), self(1.0)


def identity_scale(table: Table) -> Scale | None:
    """From the base model's class pictures and from the photos; None where :func:`no_scale` says why.

    Measured to the held-out photos, and used for training photos too, so that the two can be compared.
    """
    floor, ceiling = _ends(table)
    return None if floor is None or ceiling is None or no_scale(table) else Scale(floor, ceiling)


def no_scale(table: Table) -> str:
    """Why there is no scale of likeness, and what it takes; "" where there is one."""
    floor, ceiling = _ends(table)
    faces = table.values(PHOTOS, "photos", "face_found", "none")
    if len(faces) and not (faces == 1).any():
        return "no photo shows a face, and likeness is that of faces"
    if ceiling is None:
        return (
            "no photo trained on and no held-out one, both with a face, can be compared; it takes eight usable "
            "photos, or others as references"
        )
    if floor is None:
        return "no face by the base model says what some person is like; evaluation.base draws them"
    if ceiling - floor < SMALLEST_SPAN:
        return (
            f"the base model's people are as like the photos ({floor:.2f}) as these are one another ({ceiling:.2f}), "
            f"and it takes {SMALLEST_SPAN:g} between the two"
        )
    return ""


def _ends(table: Table) -> tuple[float | None, float | None]:
    floors = [table.mean(BASE, *cell, "held_out") for cell in (("bare", IDENTITY), ("class", "face_pres"))]
    return next((mean for mean in floors if mean is not None), None), table.mean(
        PHOTOS, "photos", IDENTITY, "held_out"
    )


def _each(cell: Sequence[Score], name: str, change: Callable[[float], float]) -> list[Score]:
    return [replace(score, metric=name, value=change(score.value)) for score in cell]


def _normalised(table: Table) -> list[Score]:
    scale = identity_scale(table)
    if scale is None:
        return []
    return [score for cell in table.like(IDENTITY) for score in _each(cell, "identity_normalised", scale)]


def _normalised_pairs(table: Table) -> list[Pairs]:
    scale = identity_scale(table)
    if scale is None:
        return []
    own = [found for found in table.pairs.values() if found.metric == IDENTITY]
    return [
        replace(found, metric="identity_normalised", matrix=scale(found.matrix), limits=scale.limits) for found in own
    ]


STRICT = ("context", "bare")
"""Pictures of the subject: where a face was asked for, and its absence is a fault."""


def _strict(table: Table) -> list[Score]:
    scale = identity_scale(table)
    if scale is None:
        return []

    def change(value: float) -> float:
        return 0.0 if math.isnan(value) else scale(value)

    cells = [cell for cell in table.like(IDENTITY) if cell[0].pictures in STRICT]
    return [score for cell in cells for score in _each(cell, "identity_strict", change)]


def _strict_pairs(table: Table) -> list[Pairs]:
    own = [found for found in _normalised_pairs(table) if found.pictures in STRICT]
    return [replace(found, metric="identity_strict", matrix=np.nan_to_num(found.matrix, nan=0.0)) for found in own]


def _against_base(metric: str, name: str) -> Callable[[Table], list[Score]]:
    """Per picture: the value minus the base model's at the same prompt and seed."""

    def compute(table: Table) -> list[Score]:
        found = []
        for cell in table.like(metric):
            first = cell[0]
            base = table.values(BASE, first.pictures, metric, first.reference)
            if first.snapshot in (BASE, PHOTOS, COPIES) or len(base) != len(cell):
                continue
            found += [replace(s, metric=name, value=s.value - b) for s, b in zip(cell, base.tolist(), strict=True)]
        return found

    return compute


def _ratio_to_base(metric: str, name: str) -> Callable[[Table], list[Score]]:
    """Per set: the value over the base model's."""

    def compute(table: Table) -> list[Score]:
        found = []
        for cell in table.like(metric):
            first = cell[0]
            base = table.mean(BASE, first.pictures, metric, first.reference)
            if first.snapshot in (BASE, PHOTOS, COPIES) or not base:
                continue
            found += [replace(first, metric=name, value=first.value / base)]
        return found

    return compute


DERIVED: tuple[Derived, ...] = (
    Derived(
        name="identity_normalised",
        question="How much of the way from some person of the class to this person?",
        better="higher",
        unit="0 = the base model's people, 1 = two photos of this person",
        source="after Anti-DreamBooth's ISM (Van Le et al. 2023), scaled between impostor and genuine levels",
        caution="Over pictures with a face: read it with face_found. To training photos it also rewards copying.",
        compute=_normalised,
        pairs=_normalised_pairs,
    ),
    Derived(
        name="identity_strict",
        question="The same, with pictures without a face counted as some person?",
        better="higher",
        unit="0 = the base model's people, 1 = two photos of this person",
        source="FastComposer (Xiao et al. 2023) counts failures as 0",
        caution="A picture without a face counts as some person (0), and so above one that is less alike than that.",
        compute=_strict,
        pairs=_strict_pairs,
    ),
    Derived(
        name="clip_t_change",
        question="Is the prompt followed less than by the base model at the same seed?",
        better="higher",
        unit="cosine, paired difference to the base model",
        source="DreamBooth's CLIP-T (Ruiz et al. 2023), paired",
        caution="Negative when the subject overrides the prompt.",
        compute=_against_base("clip_t", "clip_t_change"),
    ),
    Derived(
        name="diversity_ratio",
        question="How much of the base model's variety is left?",
        better="higher",
        unit="ratio of LPIPS among pictures to the base model's",
        source="DIV of Ruiz et al. 2023, relative to the base model",
        caution="Below 1 is natural on bare pictures: one person varies less than all. On class pictures it is not.",
        compute=_ratio_to_base("lpips_intra", "diversity_ratio"),
    ),
)


def derived(scores: Sequence[Score]) -> list[Score]:
    """All derived numbers of one run and subject, in the order of the list."""
    table = Table(scores)
    return [score for one in DERIVED for score in one.compute(table)]


def derived_pairs(scores: Sequence[Score], pairs: Sequence[Pairs]) -> list[Pairs]:
    """What the derived numbers that are means over pictures × photos are means over.

    The ends of the scale of likeness are taken as known: an interval is about the pictures and photos of its cell.
    """
    table = Table(scores, pairs)
    return [found for one in DERIVED if one.pairs is not None for found in one.pairs(table)]
