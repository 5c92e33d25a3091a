"""The light tokenizer is CLIP's, id for id."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from boothlab.assets import asset
from boothlab.errors import NoWeights
from boothlab.models.tokens import WORD_END, read_tokenizer, split, suggest

LETTERS = "abcdefgh ABC '’sßéÉ中ñ😀🏽1234567890.,!?\t\n  -_<>|#©Ω𝔸ﬁ" + "\u0301\u200b\xa0\u3000"


def texts() -> list[str]:
    """Odd characters, whole vocabulary words, special tokens in the middle."""
    draw = random.Random(0)
    words = [word.removesuffix(WORD_END) for word in json.loads((asset("tokenizer") / "vocab.json").read_text())]
    made = ["", " x ", "don't we'll I'D", WORD_END, "<|endoftext|>", "a<|startoftext|>b", "<|ENDOFTEXT|>"]
    made += ["".join(draw.choice(LETTERS) for _ in range(draw.randint(0, 30))) for _ in range(3000)]
    made += [" ".join(draw.choice(words) for _ in range(draw.randint(1, 12))) for _ in range(2000)]
    return made


def test_ids_are_those_of_transformers() -> None:
    from transformers import CLIPTokenizer

    reference = CLIPTokenizer.from_pretrained(asset("tokenizer"))
    light = read_tokenizer(asset("tokenizer"))
    odd = [
        text
        for text in texts()
        if light.encode(text, add_special_tokens=False).ids != reference(text, add_special_tokens=False).input_ids
    ]
    assert odd == []


def test_pieces_and_ranks() -> None:
    found = split(read_tokenizer(asset("tokenizer")), "hello")
    assert [(piece.text, piece.rank) for piece in found] == [("hello</w>", 3306)]


def test_suggestions_are_rare_and_no_part_of_another_token() -> None:
    tokenizer = read_tokenizer(asset("tokenizer"))
    vocabulary = [text.removesuffix(WORD_END) for text in tokenizer.get_vocab()]
    for word in suggest(tokenizer, 5):
        assert len(split(tokenizer, word)) == 1
        assert not any(word in text and word != text for text in vocabulary)


def test_a_missing_vocabulary_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoWeights, match="Cannot read the tokenizer"):
        read_tokenizer(tmp_path)


def test_a_vocabulary_is_read_once_and_again_when_it_was_changed(tmp_path: Path) -> None:
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes((asset("tokenizer") / name).read_bytes())
    first = read_tokenizer(tmp_path)
    assert read_tokenizer(tmp_path) is first
    ranks = json.loads((tmp_path / "vocab.json").read_text("utf-8"))
    ranks["hello</w>"], ranks["world</w>"] = ranks["world</w>"], ranks["hello</w>"]
    (tmp_path / "vocab.json").write_text(json.dumps(ranks), "utf-8")
    assert split(read_tokenizer(tmp_path), "hello")[0].rank == split(first, "world")[0].rank


def test_suggestions_belong_to_whoever_asked() -> None:
    tokenizer = read_tokenizer(asset("tokenizer"))
    first = suggest(tokenizer, 3)
    first.clear()
    rarest, second, third = suggest(tokenizer, 3)
    assert suggest(tokenizer, 2, [rarest]) == [second, third]
