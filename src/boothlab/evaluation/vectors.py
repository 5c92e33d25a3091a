"""Features of pictures, each computed once: in memory during an evaluation, and kept for the next one where small."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from boothlab.errors import NoWeights
from boothlab.evaluation.arrays import read_arrays, write_arrays
from boothlab.features.feature import Feature, Vectors
from boothlab.features.supplied import State, state_of
from boothlab.features.transforms import same_size
from boothlab.files import sha256_file

KEPT = 8192
"""Vectors of more numbers are not kept on disk: LPIPS at 512 px has 2.6 million a picture."""

BATCH = 16
"""Pictures given to an extractor at once."""


def picture_hash(pixels: NDArray[np.uint8]) -> str:
    """Names a picture by its content: shape and pixels."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()[:32]


def known_by(feature: Feature) -> str:
    """Name, version, and which weights where a user supplied them: what its vectors depend on."""
    given = feature.weights() if feature.weights is not None else None
    tag = f"-{_hash(given, state_of(given))[:8]}" if given and given.is_file() else ""
    if feature.variant is not None and (variant := feature.variant()):
        tag += f"-{variant}"
    return f"{feature.name}-{feature.version}{tag}".replace("/", "-")


@cache
def _hash(path: Path, state: State) -> str:
    """SHA-256 of a file in this ``state``: weights of some hundred megabytes are asked for by every metric."""
    return sha256_file(path)


class Embedder:
    """Looks at pictures with one feature; knows again what it has seen, now or in an earlier evaluation.

    Vectors depend on the picture alone (a contract test says so), so they are kept by content under
    ``folder/NAME-VERSION.npz``. A damaged or foreign file is as good as none.
    """

    def __init__(self, feature: Feature, folder: Path | None) -> None:
        self.feature = feature
        self._known_by = known_by(feature)
        self._path = None if folder is None else folder / f"{self._known_by}.npz"
        self._rows: dict[str, NDArray[np.floating]] = self._read()
        self._on_disk = set(self._rows)
        self._texts: dict[str, NDArray[np.floating]] = {}

    def _read(self) -> dict[str, NDArray[np.floating]]:
        stored = {} if self._path is None else read_arrays(self._path)
        try:
            return {str(name): row for name, row in zip(stored["names"], stored["rows"], strict=True)}
        except (KeyError, ValueError, TypeError):
            return {}

    def look(self, pictures: Sequence[NDArray[np.uint8]], hashes: Sequence[str]) -> Vectors:
        """(N, D), one row per picture; only what is new is computed. Raises NoWeights."""
        if len({pixels.shape for pixels in pictures}) > 1:
            same_size(pictures)
        new = {h: pixels for h, pixels in zip(hashes, pictures, strict=True) if h not in self._rows}
        names = list(new)
        for start in range(0, len(names), BATCH):
            part = names[start : start + BATCH]
            rows = self.feature.extract([new[n] for n in part])
            self._require_same_weights()
            self._rows |= dict(zip(part, rows, strict=True))
        if new:
            self._widen()
        return np.stack([self._rows[h] for h in hashes]) if hashes else np.zeros((0, self.width()))

    def _require_same_weights(self) -> None:
        """Raises NoWeights where `fetch` put others there meanwhile: of which the vectors are, nobody knows."""
        if known_by(self.feature) != self._known_by:
            raise NoWeights(
                f"The weights of {self.feature.name} were exchanged while pictures were looked at with them.",
                "Give the same command again.",
            )

    def known(self, hashes: Sequence[str]) -> Vectors | None:
        """(N, D) of pictures that were all looked at before; None where one is new."""
        if not hashes or any(name not in self._rows for name in hashes):
            return None
        return np.stack([self._rows[name] for name in hashes])

    def _widen(self) -> None:
        """Rows of pictures that hold nothing are as wide as the others, whichever batch they came in."""
        width = max(len(row) for row in self._rows.values())
        for name, row in self._rows.items():
            if len(row) < width and np.isnan(row).all():
                self._rows[name] = np.full(width, np.nan, row.dtype)

    def read(self, texts: Sequence[str]) -> Vectors:
        """(N, D), one row per text. Raises ValueError for a feature that reads no texts."""
        if self.feature.texts is None:
            raise ValueError(f"{self.feature.name} reads no texts")
        new = [text for text in dict.fromkeys(texts) if text not in self._texts]
        if new:
            rows = self.feature.texts(new)
            self._require_same_weights()
            self._texts |= dict(zip(new, rows, strict=True))
        return np.stack([self._texts[text] for text in texts])

    def width(self) -> int:
        """Numbers per vector; 1 before the first picture."""
        return len(next(iter(self._rows.values()))) if self._rows else 1

    def keep(self) -> None:
        """Write what is new and small enough. Rows of another width (another picture size) are left out."""
        if self._path is None or self.width() > KEPT or self._rows.keys() == self._on_disk:
            return
        names = [name for name, row in self._rows.items() if len(row) == self.width()]
        rows = np.stack([self._rows[name] for name in names])
        write_arrays(self._path, {"names": np.array(names), "rows": rows})
