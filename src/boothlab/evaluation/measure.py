"""From scores to what a verdict is made of: one `Measured` per snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from boothlab.evaluation.derived import IDENTITY, Scale, Table, identity_scale, no_scale
from boothlab.evaluation.lots import BASE, DESCRIBED, PHOTOS, Judged, Lot
from boothlab.evaluation.summaries import over_pairs, over_pictures
from boothlab.evaluation.thresholds import COPY_FACTOR, COPY_LEAVE_OUT, COPY_SURE
from boothlab.evaluation.vectors import Embedder
from boothlab.evaluation.verdict_data import Count, Measured, PerPicture
from boothlab.features.background import BACKGROUND
from boothlab.features.faces import Domain
from boothlab.features.identity import IDENTITY as FACES
from boothlab.features.lpips import LPIPS_ALEX
from boothlab.metrics.context_glue import most_common
from boothlab.metrics.copies import copy_distances
from boothlab.metrics.distances import present
from boothlab.metrics.identity import similarities
from boothlab.metrics.prompt_following import METRIC as PROMPT_FOLLOWING
from boothlab.seeds import derive
from boothlab.statistics.intervals import Interval, t_interval, within
from boothlab.statistics.memorisation import Copies, Memorisation, copies, memorisation

FEWEST = 2
"""Pictures with a face below which likeness is not measured."""


@dataclass(frozen=True, slots=True)
class Dealt:
    """How a subject's photos were parted: whether by chance, and which were dealt together.

    ``groups`` numbers the photos, those trained on first: photos of one number, nearly the same ones, went together.
    Empty: each by itself.
    """

    at_random: bool = True
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Closeness:
    """How near the bare pictures of one source come to single photos.

    ``copies`` has one flag per picture, against the training photos, ``sure`` the same with a limit that chance
    hardly reaches; ``memorisation`` is None without photos of both kinds.
    """

    copies: Copies
    sure: Copies
    memorisation: Memorisation | None


def closeness(
    seen: Judged, lot: Lot, control: NDArray[np.float64] | None = None, groups: Sequence[int] = ()
) -> Closeness | None:
    """Distances of one lot to all photos, and what follows from them; None without training photos or weights.

    ``control`` are those of :func:`cannot_remember`, ``groups`` those of :class:`Dealt`.
    """
    train, held_out = seen.references["train"], seen.references["held_out"]
    if LPIPS_ALEX.missing() is not None or not len(train):
        return None
    to_train = copy_distances(lot.pixels, train.pixels)
    among = copy_distances(train.pixels, train.pixels)
    # A view of a is compared with whole b and the other way round; the smaller of both is their distance.
    to_others = copy_distances(lot.pixels, held_out.pixels) if len(held_out) else None
    among = np.minimum(among, among.T)
    flagged, sure = (
        copies(to_train, among, factor=factor, leave_out=COPY_LEAVE_OUT, held_out=to_others, groups=groups)
        for factor in (COPY_FACTOR, COPY_SURE)
    )
    if to_others is None:
        return Closeness(flagged, sure, None)
    every = np.concatenate([to_train, to_others], axis=1)
    labels = [True] * len(train) + [False] * len(held_out)
    random = np.random.default_rng(derive(0, "statistics", "memorisation", lot.source))
    return Closeness(flagged, sure, memorisation(every, labels, random, control=control, groups=groups))


def cannot_remember(seen: Judged) -> NDArray[np.float64] | None:
    """Distances (c, |P|) to all photos, trained on and held out, of bare pictures by a model that saw none of them.

    The untrained model's, told the subject's looks where there is a description; None where it drew none, where
    there are no photos of both kinds, or no weights.
    """
    train, held_out = seen.references["train"], seen.references["held_out"]
    lot = seen.lot(DESCRIBED, "bare") or seen.lot(BASE, "bare")
    if lot is None or not len(lot) or LPIPS_ALEX.missing() is not None or not len(train) or not len(held_out):
        return None
    return np.concatenate([copy_distances(lot.pixels, part.pixels) for part in (train, held_out)], axis=1)


@dataclass(frozen=True, slots=True)
class Measurer:
    """Everything about one run and subject that the snapshots' numbers are put together from.

    ``loss_gaps`` maps a step to held-out minus training loss, in parts of the base model's training loss, less the
    base model's own gap. ``dealt`` says how the photos were parted.
    """

    seen: Judged
    table: Table
    domain: Domain
    loss_gaps: Mapping[int, float]
    features: Path | None = None
    dealt: Dealt = field(default_factory=Dealt)

    def measured(self, name: str, step: int, near: Closeness | None) -> Measured:
        """What is known about one snapshot."""
        scale = identity_scale(self.table)
        likeness = None if scale is None else self._likeness(scale, name, "held_out")
        return Measured(
            name=name,
            step=step,
            likeness=likeness,
            likeness_train=None if scale is None else self._likeness(scale, name, "train"),
            likeness_bare=None if scale is None else self._likeness(scale, name, "held_out", "bare"),
            alike=None if scale is None else self._alike(scale, name),
            prompt=self._prompt(name),
            prompt_base=self._prompt(BASE),
            prompt_described=self._prompt(DESCRIBED),
            faceless=self._faceless(name),
            memorisation=None if near is None else near.memorisation,
            at_random=self.dealt.at_random,
            copies=_flagged(near),
            copies_expected=0.0 if near is None else near.copies.expected,
            copies_p=None if near is None else near.copies.p,
            copies_sure=0.0 if near is None else max(0.0, near.sure.flagged - near.sure.expected),
            diversity_base=self._ratio(name, BASE, "bare"),
            diversity_photos=self._ratio(name, PHOTOS, "photos"),
            glued=self._glued(name),
            glued_base=self._glued(BASE),
            glued_photos=self._glued_photos(),
            leak=None if scale is None else self._leak(scale, name),
            loss_gap=self.loss_gaps.get(step),
            pictures=PerPicture(
                likeness=tuple(self.table.values(name, "context", "identity_normalised", "held_out").tolist()),
                prompt=self._prompt_following(name),
                prompt_base=self._prompt_following(BASE),
                prompt_described=self._prompt_following(DESCRIBED),
                prompts=self._prompts(name),
            ),
            unscaled=no_scale(self.table),
        )

    def _vectors(self, lot: Lot | None) -> NDArray[np.floating]:
        if lot is None or not len(lot):
            return np.zeros((0, 1))
        feature = FACES.drawings if self.domain == "drawings" else FACES.photographs
        if feature.missing() is not None:
            return np.zeros((0, 1))
        return present(Embedder(feature, self.features).look(lot.pixels, lot.hashes))

    def _likeness(self, scale: Scale, name: str, part: str, role: str = "context") -> Interval | None:
        """Mean over pictures × photos, normalised, with the very interval of the tables."""
        found = self.table.pairs.get((name, role, IDENTITY, part))
        if found is None or int((~np.isnan(found.matrix).all(axis=1)).sum()) < FEWEST:
            return None
        return within(over_pairs(scale(found.matrix), self.table.cells[found.cell]), scale.limits)

    def _alike(self, scale: Scale, name: str) -> Interval | None:
        """Mean over pairs of different bare pictures: are these faces one person's?"""
        faces = self._vectors(self.seen.lot(name, "bare"))
        if len(faces) < FEWEST:
            return None
        pairs = similarities(faces, faces)[np.triu_indices(len(faces), k=1)]
        return Interval(scale(float(pairs.mean())), None, None, len(faces))

    def _prompt(self, source: str) -> Interval | None:
        """Mean prompt following over context pictures, with the very interval of the tables."""
        cell = self.table.cells.get((source, "context", PROMPT_FOLLOWING.name, "prompt"), [])
        cell = [score for score in cell if not np.isnan(score.value)]
        return within(over_pictures(cell)[0], PROMPT_FOLLOWING.bounds) if cell else None

    def _prompt_following(self, source: str) -> tuple[float, ...]:
        return tuple(self.table.values(source, "context", "prompt_following", "prompt").tolist())

    def _prompts(self, name: str) -> tuple[str, ...]:
        """Whose prompt each context picture is, as the values per picture are in order."""
        lot = self.seen.lot(name, "context")
        return () if lot is None else lot.prompts

    def _faceless(self, name: str) -> Count | None:
        """None where the photos show no face either, as those of a dog or a vase."""
        if not (self.table.values(PHOTOS, "photos", "face_found", "none") == 1).any():
            return None
        found = np.concatenate([self.table.values(name, role, "face_found", "none") for role in ("context", "bare")])
        return Count(int((found == 0).sum()), len(found)) if len(found) else None

    def _ratio(self, name: str, other: str, role: str) -> float | None:
        mine = self.table.mean(name, "bare", "lpips_intra", "none")
        theirs = self.table.mean(other, role, "lpips_intra", "none")
        return mine / theirs if mine is not None and theirs else None

    def _glued(self, name: str) -> Count | None:
        values = self.table.values(name, "bare", "context_glue", "train")
        values = values[~np.isnan(values)]
        return Count(int(values.sum()), len(values)) if len(values) else None

    def _glued_photos(self) -> float | None:
        """The share of the training photos that have their most common background."""
        lot = self.seen.lot(PHOTOS, "photos")
        if lot is None or not len(lot):
            return None
        rows = present(Embedder(BACKGROUND, self.features).look(lot.pixels, lot.hashes))
        return most_common(rows)[1] if len(rows) else None

    def _leak(self, scale: Scale, name: str) -> Interval | None:
        """Mean gain of class faces on the photos over the base model's face at the same seed, normalised."""
        parts = [self.table.values(source, "class", "face_pres", "held_out") for source in (name, BASE)]
        if len(parts[0]) != len(parts[1]):
            return None
        gained = (parts[0] - parts[1]) / (scale.ceiling - scale.floor)
        gained = gained[~np.isnan(gained)]
        return t_interval(gained) if len(gained) else None


def _flagged(near: Closeness | None) -> Count | None:
    if near is None or near.copies.limit is None or not near.copies.flags:
        return None
    return Count(near.copies.flagged, len(near.copies.flags))


def loss_gaps(looks: Sequence[tuple[int, float, float | None]]) -> dict[int, float]:
    """(step, training loss, held-out loss) at fixed noise → step → gap, less that before training.

    In parts of the base model's training loss. Empty without a look at step 0 or without held-out photos.
    """
    start = next(((train, held) for step, train, held in looks if step == 0 and held is not None), None)
    if start is None:
        return {}
    train_0, held_0 = start
    return {step: ((held - train) - (held_0 - train_0)) / train_0 for step, train, held in looks if held is not None}
