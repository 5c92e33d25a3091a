"""Traps that other trainers fell into, in class images; numbered as in docs/traps.md.

What a base model draws is made from its seeds here, so that every picture is known beforehand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from boothlab.errors import TrainingError
from boothlab.training import class_images as room
from boothlab.training.class_images import BLOCK, ClassRequest, class_images


def request_for(count: int) -> ClassRequest:
    """So many pictures of 16 px."""
    return ClassRequest("base", ("a photo of a person",), 16, count, "dpm++", 2, 7.5, 0)


def picture(seed: int) -> np.ndarray[Any, Any]:
    """What the stand-in draws for a seed."""
    return np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)


class Artist:
    """Stands for the base model: draws :func:`picture`, counts, and may be interrupted or draw black."""

    def __init__(self, interrupted_at: int | None = None, black: Sequence[int] = (), seconds: float = 0.0) -> None:
        self.interrupted_at, self.black, self.seconds = interrupted_at, black, seconds
        self.drawn: list[int] = []

    def sample(self, model: object, prompts: Sequence[str], seeds: Sequence[int], *how: object) -> Any:
        if self.interrupted_at is not None and len(self.drawn) >= self.interrupted_at:
            raise KeyboardInterrupt
        time.sleep(self.seconds)
        made = []
        for seed in seeds:
            made.append(picture(seed) * (len(self.drawn) not in self.black))
            self.drawn.append(seed)
        return np.stack(made)


def draw(artist: Artist, count: int, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setattr(room, "sample", artist.sample)
    return [found.path for found in class_images(request_for(count), lambda: None)]  # type: ignore[arg-type, return-value]


def pixels(path: Path) -> np.ndarray[Any, Any]:
    with Image.open(path) as image:
        return np.array(image)


def test_c1_black_and_flat_pictures_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    artist = Artist(black=(0, 3, 9))
    paths = draw(artist, 12, monkeypatch)
    assert [path.stem for path in paths] == [f"{index:05d}" for index in range(15) if index not in (0, 3, 9)]
    assert all(pixels(path).std() > 50 for path in paths)


def test_c1_a_model_that_draws_black_only_is_no_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    artist = Artist(black=range(1000))
    with pytest.raises(TrainingError, match="only 0 usable pictures of 'a photo of a person'; 8 are needed"):
        draw(artist, 8, monkeypatch)
    assert len(artist.drawn) <= 4 * BLOCK


def test_c3_pictures_are_kept_without_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    artist = Artist()
    paths = draw(artist, BLOCK, monkeypatch)
    assert [np.array_equal(pixels(path), picture(seed)) for path, seed in zip(paths, artist.drawn, strict=True)] == [
        True
    ] * BLOCK


def test_c5_an_interrupted_generation_goes_on_without_repeats(
    monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        draw(Artist(interrupted_at=2 * BLOCK), 4 * BLOCK, monkeypatch)
    (folder,) = (own_home / "cache" / "class-images").iterdir()
    assert len(list(folder.glob("*.png"))) == 2 * BLOCK
    (folder / f"{2 * BLOCK - 1:05d}.png").unlink()  # as if the process had died inside the second block
    second = Artist()
    paths = draw(second, 4 * BLOCK, monkeypatch)
    assert len(second.drawn) == 3 * BLOCK, "the whole first block is not made again"
    assert len({pixels(path).tobytes() for path in paths}) == 4 * BLOCK
    whole = [room.derive(0, "class-images", index) for index in range(4 * BLOCK)]
    assert [np.array_equal(pixels(path), picture(seed)) for path, seed in zip(paths, whole, strict=True)] == [
        True
    ] * (4 * BLOCK)


def test_c6_two_at_once_draw_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    artist = Artist(seconds=0.05)
    monkeypatch.setattr(room, "sample", artist.sample)
    found: list[list[Path]] = []

    def one() -> None:
        drawn = class_images(request_for(2 * BLOCK), lambda: None)  # type: ignore[arg-type, return-value]
        found.append([picture.path for picture in drawn])

    both = [threading.Thread(target=one) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert found[0] == found[1]
    assert len(artist.drawn) == len(set(artist.drawn)) == 2 * BLOCK


def test_prompts_take_turns_and_stay_with_their_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flat picture is left out; the prompts of those behind it must not move up."""
    artist = Artist(black=[1])
    asked: list[str] = []

    def listening(model: object, prompts: Sequence[str], seeds: Sequence[int], *how: object) -> Any:
        asked.extend(prompts)
        return artist.sample(model, prompts, seeds, *how)

    monkeypatch.setattr(room, "sample", listening)
    three = replace(request_for(BLOCK), prompts=("at sea", "in the rain", "at home"))
    found = class_images(three, lambda: None)  # type: ignore[arg-type, return-value]
    assert asked == [three.prompts[k % 3] for k in range(2 * BLOCK)], "one is flat, so a second block is drawn"
    assert [int(picture.path.stem) for picture in found] == [0, *range(2, BLOCK + 1)]
    assert [picture.prompt for picture in found] == [three.prompts[int(p.path.stem) % 3] for p in found]
    assert three.key() != request_for(BLOCK).key()
