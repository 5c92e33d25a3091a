"""Several subjects in one model: does each identifier draw its own person?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from boothlab.evaluation.lots import Judged
from boothlab.evaluation.vectors import Embedder
from boothlab.features.faces import Domain
from boothlab.features.feature import Vectors
from boothlab.features.identity import IDENTITY
from boothlab.metrics.distances import present
from boothlab.metrics.identity import similarities


@dataclass(frozen=True, slots=True)
class Crossing:
    """Mean similarity (as for the metric ``identity``) of one subject's bare pictures to one subject's photos.

    ``pictures`` faces × ``photos`` photos went into it. A snapshot keeps its subjects apart when for each of them the
    own photos are the most alike ones.
    """

    snapshot: str
    drawn: str
    compared: str
    similarity: float
    pictures: int
    photos: int


def crossings(seen: Mapping[str, Judged], domain: Domain, features: Path | None) -> list[Crossing]:
    """Every snapshot × subject drawn × subject compared; empty for one subject, or without a reader of faces."""
    feature = IDENTITY.drawings if domain == "drawings" else IDENTITY.photographs
    if len(seen) < 2 or feature.missing() is not None:
        return []
    looking = Embedder(feature, features)
    photos = {name: _photos(looking, one) for name, one in seen.items()}
    found = []
    for drawn, one in seen.items():
        for lot in one.lots:
            if lot.role != "bare":
                continue
            faces = present(looking.look(lot.pixels, lot.hashes))
            for compared, rows in photos.items():
                if len(faces) and len(rows):
                    mean = float(similarities(faces, rows).mean())
                    found.append(Crossing(lot.source, drawn, compared, mean, len(faces), len(rows)))
    return found


def _photos(looking: Embedder, one: Judged) -> Vectors:
    """The faces on all photos of one subject."""
    lot = one.references["originals"]
    return present(looking.look(lot.pixels, lot.hashes)) if len(lot) else np.zeros((0, looking.width()))
