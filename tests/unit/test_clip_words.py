"""The light tokenizer is CLIP's, id for id."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from boothlab.assets import asset
from boothlab.errors import NoWeights
from boothlab.models.config import Base
from boothlab.models.load import load
from boothlab.models.tokens import WORD_END, load_tokenizer, read_tokenizer, split, suggest

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


def saved_by_transformers(folder: Path) -> Path:
    """As version 5 does it after it has encoded for the model: one file, with truncation and padding in it."""
    from transformers import CLIPTokenizer

    words = CLIPTokenizer.from_pretrained(asset("tokenizer"))
    words("a dog", padding="max_length", truncation=True, max_length=77)
    words.save_pretrained(folder)
    assert not (folder / "vocab.json").exists()
    assert json.loads((folder / "tokenizer.json").read_text("utf-8"))["padding"] is not None
    return folder


def test_ids_are_the_same_from_the_one_file_that_transformers_5_writes(tmp_path: Path) -> None:
    two, one = read_tokenizer(asset("tokenizer")), read_tokenizer(saved_by_transformers(tmp_path))
    assert [text for text in texts() if split(one, text) != split(two, text)] == []
    assert suggest(one, 3) == suggest(two, 3)


def test_a_base_model_that_stock_diffusers_saved_is_taken(tiny_sd: Path, tmp_path: Path) -> None:
    """What the model reads, padding and end included, is the same too."""
    from transformers import CLIPTokenizer

    base = Base(model=str(shutil.copytree(tiny_sd, tmp_path / "base")))
    shutil.rmtree(tmp_path / "base" / "tokenizer")
    saved_by_transformers(tmp_path / "base" / "tokenizer")
    assert [piece.rank for piece in split(load_tokenizer(base), "hello")] == [3306]
    found, reference = load(base).tokenizers()["text_encoder"], CLIPTokenizer.from_pretrained(asset("tokenizer"))
    long = {"padding": "max_length", "truncation": True, "max_length": found.model_max_length}
    for text in ("", "a photo of ohwx person", "hello " * 90):
        assert found(text, **long).input_ids == reference(text, **long).input_ids
    assert (found.pad_token_id, found.eos_token_id, found.model_max_length) == (49407, 49407, 77)


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


def test_the_one_file_is_read_again_when_it_was_changed(tmp_path: Path) -> None:
    file = saved_by_transformers(tmp_path) / "tokenizer.json"
    first = read_tokenizer(tmp_path)
    assert read_tokenizer(tmp_path) is first
    tree = json.loads(file.read_text("utf-8"))
    ranks = tree["model"]["vocab"]
    ranks["hello</w>"], ranks["world</w>"] = ranks["world</w>"], ranks["hello</w>"]
    file.write_text(json.dumps(tree), "utf-8")
    assert split(read_tokenizer(tmp_path), "hello")[0].rank == split(first, "world")[0].rank
    file.write_text("{", "utf-8")
    with pytest.raises(NoWeights, match="Cannot read the tokenizer"):
        read_tokenizer(tmp_path)


def test_suggestions_belong_to_whoever_asked() -> None:
    tokenizer = read_tokenizer(asset("tokenizer"))
    first = suggest(tokenizer, 3)
    first.clear()
    rarest, second, third = suggest(tokenizer, 3)
    assert suggest(tokenizer, 2, [rarest]) == [second, third]
