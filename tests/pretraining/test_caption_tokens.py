"""Captions on disk are those of the drawings, as the stock pipeline would tokenise them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pretraining import caption_tokens, captions, dataset, devices, vocabulary
from pretraining.identities import SEED
from pretraining.randomness import stream
from pretraining.sizes import TINY


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captions")
    dataset.write_shard(folder / "drawings", 0, 6, 64)
    caption_tokens.write_shard(TINY, folder, 0)
    return folder


def test_every_turn_is_another_caption_of_the_same_drawing(work: Path) -> None:
    tokens = caption_tokens.Tokens(work / "captions", 6, devices.CPU)
    record = dataset.records_of(work / "drawings" / "shard-0000.jsonl")[4]
    tokenizer = vocabulary.tokenizer()
    for turn in range(2 * TINY.captions):
        (ids,) = tokens.at(np.array([4]), turn, torch.tensor([False]))
        told = captions.caption(record, stream(SEED, "diffusion/caption", 4 * TINY.captions + turn % TINY.captions))
        assert ids.tolist() == tokenizer(told, padding="max_length").input_ids


def test_a_dropped_caption_is_the_empty_text(work: Path) -> None:
    tokens = caption_tokens.Tokens(work / "captions", 6, devices.CPU)
    kept, dropped = tokens.at(np.array([1, 1]), 0, torch.tensor([False, True]))
    assert dropped.tolist() == vocabulary.tokenizer()("", padding="max_length").input_ids
    assert not torch.equal(kept, dropped)


def test_captions_that_are_missing_name_the_stage(work: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run the stage 'captions' first"):
        caption_tokens.Tokens(work / "captions", 7, devices.CPU)
