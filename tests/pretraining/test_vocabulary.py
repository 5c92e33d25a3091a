"""The tokenizer is CLIP's: the same numbers as open_clip's SimpleTokenizer, 49,408 words, padded as SD v1 pads."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from pretraining import vocabulary

TEXTS = ("a photo of a sks person", "it's 123 o'clock!!", "Ünïcode  and\n日本", "", "a " * 100)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    vocabulary.save_tokenizer(folder)
    return folder


@pytest.mark.parametrize("text", TEXTS)
def test_parity_with_open_clip(text: str, saved: Path) -> None:
    from open_clip.tokenizer import SimpleTokenizer

    ours = CLIPTokenizer.from_pretrained(saved)(text, truncation=True, max_length=77).input_ids
    theirs = SimpleTokenizer()(text)[0].tolist()[: len(ours)]
    assert ours == theirs


def test_size_ends_and_padding(saved: Path) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(saved)
    assert len(tokenizer) == 49408
    ids = tokenizer("a person", padding="max_length").input_ids
    assert len(ids) == 77
    assert ids[0] == 49406
    assert set(ids[3:]) == {49407}


def test_hidden_words_are_single_tokens_and_not_noise() -> None:
    tokenizer = vocabulary.tokenizer()
    for word in vocabulary.MEANINGS:
        assert len(tokenizer(word).input_ids) == 3, word
    assert not set(vocabulary.MEANINGS) & set(vocabulary.meaningless_words())
    assert len(vocabulary.meaningless_words()) > 5000
