"""A prompt that is longer than what the model reads is said to be, with the words that are lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from boothlab.api.resolving import resolve
from boothlab.assets import asset
from boothlab.models.tokens import MOST_TOKENS, cut_off, read_tokenizer
from boothlab.plan import plan_from


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """CLIP's."""
    return read_tokenizer(asset("tokenizer"))


def test_the_cut_is_where_transformers_cuts(tokenizer: Tokenizer) -> None:
    from transformers import CLIPTokenizer

    words = [f"word{k}" for k in range(60)]
    prompt = " ".join(words)
    reference = CLIPTokenizer.from_pretrained(asset("tokenizer"), local_files_only=True)
    whole = reference(prompt, add_special_tokens=False).input_ids
    kept = reference(prompt, truncation=True, max_length=77).input_ids[1:-1]
    assert len(kept) == MOST_TOKENS < len(whole)
    expected = reference.decode(whole[len(kept) :]).replace(" ", "")
    assert cut_off(tokenizer, prompt).replace(" ", "") == expected


def test_nothing_is_lost_of_a_prompt_that_fits(tokenizer: Tokenizer) -> None:
    assert cut_off(tokenizer, "a photo of rinn person " + "dog " * 69) == ""
    assert cut_off(tokenizer, "dog " * 77) == "dog dog"


def test_the_plan_is_warned_of_once_for_each_prompt(tiny_sd: Path, photos: Path) -> None:
    long = "a photo of {it} " + "and a dog " * 30 + "under the last tree"
    plan = plan_from(
        {
            "subjects": [{"name": "ada", "photos": str(photos), "identifier": "nlwx"}],
            "base": {"model": str(tiny_sd)},
            "evaluation": {"prompts": [long, "a photo of {it}"]},
        },
        "test",
    )
    (warning,) = (text for text in resolve(plan).warnings if "longer than" in text)
    assert "'a photo of nlwx person and a dog" in warning
    assert warning.endswith("under the last tree'.")
