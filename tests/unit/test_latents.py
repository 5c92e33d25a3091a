"""Latents of class images are shared between runs, by content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from boothlab.models.model import Model, Posterior
from boothlab.training.latents import FILE, encode, encode_shared
from jobs_made import same


def picture(seed: int) -> np.ndarray:
    """A 64-pixel picture of noise."""
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def equal(left: Posterior, right: Posterior) -> bool:
    """Mean and std, bit by bit."""
    return same(left.mean_BCHW, right.mean_BCHW) and same(left.std_BCHW, right.std_BCHW)


@pytest.fixture
def counted(tiny_base: Model, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever the autoencoder really encodes."""
    calls: list[int] = []
    original = type(tiny_base).encode_image
    monkeypatch.setattr(
        type(tiny_base), "encode_image", lambda self, pixels: (calls.append(1), original(self, pixels))[1]
    )
    return calls


def test_second_time_is_a_lookup_of_the_same_bits(tiny_base: Model, counted: list[int]) -> None:
    first = encode_shared(tiny_base, "base", picture(0))
    again = encode_shared(tiny_base, "base", picture(0))
    assert counted == [1]
    assert equal(first, again)
    assert equal(first, encode(tiny_base, picture(0)))
    # Equal numbers in another order of memory would still train to other last bits.
    assert [p.mean_BCHW.stride() for p in (first, again)] == [first.mean_BCHW.contiguous().stride()] * 2


def test_another_picture_or_model_is_another_entry(tiny_base: Model, counted: list[int]) -> None:
    """A picture edited in place keeps its name and size; only its content tells."""
    changed = picture(0)
    changed[3, 3, 0] ^= 1
    for base, pixels in (("base", picture(0)), ("base", changed), ("other", picture(0))):
        encode_shared(tiny_base, base, pixels)
    assert len(counted) == 3


def test_damaged_entry_is_made_again(tiny_base: Model, counted: list[int], own_home: Path) -> None:
    first = encode_shared(tiny_base, "base", picture(0))
    (entry,) = own_home.rglob(FILE)
    entry.write_bytes(entry.read_bytes()[:100])
    assert equal(encode_shared(tiny_base, "base", picture(0)), first)
    assert equal(encode_shared(tiny_base, "base", picture(0)), first)
    assert len(counted) == 2
