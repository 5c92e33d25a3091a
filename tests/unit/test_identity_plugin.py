"""A face encoder of another package is found by its entry point and judged on the same scale."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from boothlab.evaluation.vectors import BATCH, Embedder
from boothlab.features import identity_plugin
from boothlab.features.faces import Face
from boothlab.features.identity_plugin import PLUGIN
from boothlab.metrics.identity_plugin import METRIC


class Reader:
    """Sees a face wherever the picture is not black; who it is, is its red and green."""

    version = "1"
    same_person = 10.0

    def missing(self) -> str | None:
        return None

    def find(self, pixels: np.ndarray) -> list[Face]:
        box = (0.0, 0.0, 4.0, 4.0)
        return [Face(box, box, np.zeros((5, 2), np.float32), 0, 0, 0, 1.0, "test")] if pixels.any() else []

    def identify(self, pixels: np.ndarray, face: Face) -> np.ndarray:
        return pixels[0, 0, :2].astype(np.float32)


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    point = EntryPoint("arcface", f"{__name__}:Reader", identity_plugin.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: Reader)
    monkeypatch.setattr(identity_plugin, "entry_points", lambda group: [point])
    identity_plugin._reader.cache_clear()
    yield
    identity_plugin._reader.cache_clear()


def picture(red: int) -> np.ndarray:
    return np.full((4, 4, 3), (red, 0, 0), np.uint8)


def test_without_a_plug_in_the_metric_says_so() -> None:
    assert "boothlab.faces" in str(PLUGIN.missing())


def test_a_plug_in_is_used_on_the_scale_of_identity(plugged: None) -> None:
    assert PLUGIN.missing() is None
    rows = PLUGIN.extract([picture(20), picture(30), picture(0)])
    np.testing.assert_allclose(rows[:2, 0], [2.0, 3.0])
    assert np.isnan(rows[2]).all(), "no face"
    values = METRIC.values(rows, PLUGIN.extract([picture(20)]))
    np.testing.assert_allclose(values, [1.0, 0.5, np.nan], err_msg="10 apart is the reader's limit: one half")


def test_faceless_pictures_fit_whichever_batch_they_come_in(plugged: None) -> None:
    """The seventeenth picture is a batch of its own, in which nothing says how long a vector is."""
    pictures = [picture(20 + k) for k in range(BATCH)] + [picture(0)]
    rows = Embedder(PLUGIN, None).look(pictures, [str(k) for k in range(len(pictures))])
    assert rows.shape == (BATCH + 1, 2)
    assert np.isnan(rows[-1]).all()


def test_another_encoders_vectors_are_not_taken_for_this_ones(
    plugged: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Embedder(PLUGIN, tmp_path)
    first.look([picture(20)], ["a"])
    first.keep()
    assert Embedder(PLUGIN, tmp_path).look([picture(30)], ["a"])[0, 0] == 2.0, "kept by content"
    monkeypatch.setattr(Reader, "version", "2")
    assert Embedder(PLUGIN, tmp_path).look([picture(30)], ["a"])[0, 0] == 3.0
