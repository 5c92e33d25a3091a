"""Captions: shares of openings, bare prompts and empty words; hidden meanings stand for what they mean."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pretraining import captions, dataset, draw, identities, scenes, vocabulary
from pretraining.randomness import stream


@pytest.fixture(scope="module")
def records() -> list[dataset.Record]:
    found = []
    for number in range(1500):
        identity = identities.of("train", number)
        scene = scenes.of(identity, stream(identities.SEED, f"scene/train/{number}"))
        found.append(dataset.Record(number, identity.noun, identity.style, identity.words | scene.words, ()))
    return found


@pytest.fixture(scope="module")
def texts(records: list[dataset.Record]) -> list[str]:
    return [captions.caption(one, stream(5, "caption", i)) for i, one in enumerate(records * 3)]


def test_a_caption_is_a_function_of_its_stream(records: list[dataset.Record]) -> None:
    assert captions.caption(records[0], stream(5, "c", 1)) == captions.caption(records[0], stream(5, "c", 1))


def test_the_words_of_a_scene_are_those_of_its_drawing(records: list[dataset.Record]) -> None:
    assert draw.of("train", 11, 64).words == records[11].words


def test_photo_and_portrait_have_equal_shares(texts: list[str]) -> None:
    count = Counter(text.split(" of ")[0] for text in texts)
    assert count["a photo"] / len(texts) == pytest.approx(captions.OPENING_SHARES[0], abs=0.03)
    assert count["a portrait"] / len(texts) == pytest.approx(captions.OPENING_SHARES[1], abs=0.03)


def test_the_bare_class_prompt_comes_often_enough(texts: list[str]) -> None:
    bare = {captions.bare(noun, opening) for noun in ("person", "monster", "plant")
            for opening in ("a photo of", "a portrait of")}  # fmt: skip
    assert sum(text in bare for text in texts) / len(texts) > 0.06


def test_a_tenth_has_words_without_meaning(texts: list[str]) -> None:
    empty = set(vocabulary.meaningless_words()) - {"photo", "portrait", "person", "monster", "plant"}
    share = np.mean([any(word in empty for word in text.split(" of ")[-1].split()[:4]) for text in texts])
    assert share == pytest.approx(captions.NOISE_SHARE, abs=0.03)


def test_hidden_words_stand_only_for_what_they_mean(records: list[dataset.Record]) -> None:
    met = Counter[str]()
    for i, record in enumerate(records * 3):
        text = captions.caption(record, stream(6, "caption", i))
        for word in set(text.split()) & set(vocabulary.MEANINGS):
            name, value = vocabulary.MEANINGS[word]
            assert record.words[name] == value
            met[word] += 1
    assert len(vocabulary.MEANINGS) == 20
    assert len(met) >= 15


def test_what_a_caption_says_is_true(records: list[dataset.Record], texts: list[str]) -> None:
    for record, text in zip(records, texts, strict=False):
        if " background" in text:
            words = text.split(" background")[0].split()
            assert record.words["background"] in words
        if "without glasses" in text:
            assert "glasses" not in record.words


def test_every_caption_fits_the_text_tower(texts: list[str]) -> None:
    ids = vocabulary.tokenizer()(texts).input_ids
    assert max(map(len, ids)) <= vocabulary.LENGTH
