"""What trainings of a study share: encodings by content, bit for bit, in the study's own folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from boothlab.models.model import Model, Posterior
from boothlab.training.kept import FILE, Kept
from boothlab.training.latents import FILE as LATENTS
from boothlab.training.latents import encode, encode_kept, encode_shared
from jobs_made import same


def picture(seed: int) -> np.ndarray:
    """A 64-pixel picture of noise."""
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def equal(left: Posterior, right: Posterior) -> bool:
    """Mean and std, bit by bit."""
    return same(left.mean_BCHW, right.mean_BCHW) and same(left.std_BCHW, right.std_BCHW)


@pytest.fixture
def counted(tiny_base: Model, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by a word whenever the model really encodes."""
    calls: list[str] = []
    kind = type(tiny_base)
    image, text = kind.encode_image, kind.encode_text
    monkeypatch.setattr(kind, "encode_image", lambda self, pixels: (calls.append("image"), image(self, pixels))[1])
    monkeypatch.setattr(kind, "encode_text", lambda self, words: (calls.append("text"), text(self, words))[1])
    return calls


@torch.no_grad()
def test_the_second_time_is_a_lookup_of_the_same_bits(tiny_base: Model, counted: list[str], tmp_path: Path) -> None:
    kept = Kept(tmp_path / "encoded", "base")
    first, text = encode_kept(tiny_base, kept, picture(0)), kept.text(tiny_base, "a nlwx person")
    again, other = encode_kept(tiny_base, kept, picture(0)), kept.text(tiny_base, "a nlwx person")
    assert counted == ["image", "text"]
    assert equal(first, again)
    assert equal(first, encode(tiny_base, picture(0)))
    assert same(text.states_BLD, other.states_BLD)
    assert same(text.states_BLD, tiny_base.encode_text(["a nlwx person"]).states_BLD)
    # Equal numbers in another order of memory would still train to other last bits.
    assert text.states_BLD.stride() == other.states_BLD.stride()
    assert first.mean_BCHW.stride() == again.mean_BCHW.stride()


@torch.no_grad()
def test_another_prompt_picture_base_or_number_of_threads_is_another_entry(
    tiny_base: Model, counted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(tmp_path, "base")
    changed = picture(0)
    changed[3, 3, 0] ^= 1
    for store, pixels, prompt in (
        (kept, picture(0), "a"),
        (kept, changed, "b"),
        (dataclasses.replace(kept, base="other"), picture(0), "a"),
    ):
        encode_kept(tiny_base, store, pixels)
        store.text(tiny_base, prompt)
    assert counted == ["image", "text"] * 3
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    encode_kept(tiny_base, kept, picture(0))
    kept.text(tiny_base, "a")
    assert len(counted) == 8


@torch.no_grad()
def test_damaged_entries_are_made_again(tiny_base: Model, counted: list[str], tmp_path: Path) -> None:
    kept = Kept(tmp_path, "base")
    first, text = encode_kept(tiny_base, kept, picture(0)), kept.text(tiny_base, "a")
    for name in (FILE, LATENTS):
        (entry,) = tmp_path.rglob(name)
        entry.write_bytes(entry.read_bytes()[:60])
    assert equal(encode_kept(tiny_base, kept, picture(0)), first)
    assert same(kept.text(tiny_base, "a").states_BLD, text.states_BLD)
    assert len(counted) == 4


def test_without_a_folder_nothing_is_kept(tiny_base: Model, counted: list[str], own_home: Path) -> None:
    for _ in range(2):
        encode_kept(tiny_base, None, np.zeros((64, 64, 3), np.uint8))
    assert counted == ["image"] * 2
    assert not list(own_home.rglob("*.safetensors"))


@torch.no_grad()
def test_class_images_encoded_with_other_threads_are_other_entries(
    tiny_base: Model, counted: list[str], own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They differ in their last bits, and a run must not depend on who came first."""
    for threads in (1, 1, 2):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        encode_shared(tiny_base, "base", picture(0))
    assert counted == ["image"] * 2
