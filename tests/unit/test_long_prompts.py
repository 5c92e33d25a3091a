"""A prompt that is longer than what the model reads is said to be, with the words that are lost."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from boothlab import api
from boothlab.api.resolving import resolve
from boothlab.api.studies.resolving import resolve_all
from boothlab.assets import asset
from boothlab.cli.main import main
from boothlab.models import words
from boothlab.models.config import Base
from boothlab.models.load import load
from boothlab.models.model import Model
from boothlab.models.tokens import MOST_TOKENS, cut_off, read_tokenizer
from boothlab.plan import plan_from
from boothlab.studies.expand import Planned


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


LONG = "and a dog " * 30 + "under the last tree"


def warnings_of(base: Path, photos: Path, subject: dict[str, Any] | None = None, **rooms: Any) -> list[str]:
    """What is said of long prompts of a plan with these settings."""
    own = {"name": "ada", "photos": str(photos), "identifier": "nlwx", **(subject or {})}
    plan = plan_from({"subjects": [own], "base": {"model": str(base)}, **rooms}, "test")
    return [text for text in resolve(plan).warnings if "longer than" in text]


def test_the_plan_is_warned_of_once_for_each_prompt(tiny_sd: Path, photos: Path) -> None:
    long = f"a photo of {{it}} {LONG}"
    (warning,) = warnings_of(tiny_sd, photos, evaluation={"prompts": [long, "a photo of {it}"]})
    assert "'a photo of nlwx person and a dog" in warning
    assert warning.endswith("under the last tree'.")


@pytest.mark.parametrize(
    "rooms",
    [
        {"evaluation": {"unrelated": [f"a house {LONG}"]}},
        {"objective": {"class_contexts": [f"a photo of a CLASS {LONG}"]}},
        {"training": {"validation": {"preview": {"every": 50, "prompts": [f"a photo of {{it}} {LONG}"]}}}},
    ],
    ids=lambda rooms: next(iter(rooms)),
)
def test_every_prompt_that_a_plan_says_is_looked_at(rooms: dict[str, Any], tiny_sd: Path, photos: Path) -> None:
    (warning,) = warnings_of(tiny_sd, photos, **rooms)
    assert warning.endswith("under the last tree'.")


def test_previews_that_are_not_drawn_are_not_looked_at(tiny_sd: Path, photos: Path) -> None:
    preview = {"prompts": [f"a photo of {{it}} {LONG}"]}
    assert warnings_of(tiny_sd, photos, training={"validation": {"preview": preview}}) == []


def test_a_long_description_is_said_once_for_all_prompts_that_it_cuts(tiny_sd: Path, photos: Path) -> None:
    subject = {"description": f"a woman {LONG}"}
    prompts = [f"a photo of {{it}} on a {colour} background" for colour in ("red", "blue")]
    (warning,) = warnings_of(tiny_sd, photos, subject, evaluation={"prompts": prompts})
    assert "'a photo of a woman and a dog" in warning
    assert "under the last tree'. The description of ada cuts 2 more." in warning
    # Without pictures of the base model nothing is drawn from a description.
    assert warnings_of(tiny_sd, photos, subject, evaluation={"prompts": prompts, "base": False}) == []


def test_runs_of_a_study_that_differ_in_such_a_prompt_are_each_looked_at(tiny_sd: Path, photos: Path) -> None:
    subject = {"name": "ada", "photos": str(photos), "identifier": "nlwx"}
    base = {"subjects": [subject], "base": {"model": str(tiny_sd)}}
    contexts = ["a photo of a CLASS on a beach"], [f"a photo of a CLASS {LONG}"]
    plans = [plan_from(base | {"objective": {"class_contexts": found}}, "test") for found in contexts]
    runs = [Planned(f"run {k}", f"run {k}", 0, {}, None, named=True, plan=plan) for k, plan in enumerate(plans)]
    cut = [[text for text in found.warnings if "longer than" in text] for found in resolve_all(runs)]
    assert list(map(len, cut)) == [0, 1]


def test_a_prompt_of_the_command_line_that_is_too_long_is_told(
    tiny_sd: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = {
        "subjects": [{"name": "ada", "photos": str(photos), "identifier": "nlwx"}],
        "base": {"model": str(tiny_sd), "device": "cpu"},
        "objective": {"prior_preservation": False},
        "training": {"steps": 1, "threads": 1},
        "generation": {"steps": 1},
    }
    run = api.train(plan_from(tree, "test"), tmp_path / "runs")
    long = f"a photo of {{it}} {LONG}"

    (said,) = api.generate(run.path, [long, "a photo of {it}"], 1).warnings
    assert said.startswith("The prompt 'a photo of nlwx person and a dog")
    assert said.endswith("and a dog under the last tree'.")
    words = ["boothlab", "generate", str(run.path), "--prompt", long, "--seeds", "1"]
    monkeypatch.setattr(sys, "argv", words)
    assert main() == 0
    out, err = capsys.readouterr()
    assert f"warning: {said}" in err
    assert [Path(line).suffix for line in out.splitlines()] == [".png", ".html"]


def test_a_tokenizer_that_does_not_say_where_it_ends_ends_where_the_text_encoder_does(
    tiny_sd: Path, tiny_base: Model, tmp_path: Path
) -> None:
    """Without tokenizer_config.json transformers takes any length: training died of a number too large to convert."""
    folder = Path(shutil.copytree(tiny_sd, tmp_path / "model"))
    (folder / "tokenizer" / "tokenizer_config.json").unlink()
    found = load(Base(model=str(folder), device="cpu"))
    prompts = ["a photo of a dog", "dog " * 90 + "nlwx"]
    assert torch.equal(found.encode_text(prompts).states_BLD, tiny_base.encode_text(prompts).states_BLD)
    number = words.row(found, "text_encoder", "nlwx")
    assert not words.holding(found, "text_encoder", [number])(prompts[1]), "the model never sees it"
