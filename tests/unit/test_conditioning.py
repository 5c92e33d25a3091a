"""Which prompts a job encodes in every step, and which once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from boothlab.models.model import Conditioning, Model
from boothlab.strategies import DreamBooth
from jobs_made import make_job, settings

Fresh = Callable[[], Model]

OWN, CLASS = "a photo of nlwx person", "a photo of a person"


def spied(model: Model, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    asked: list[list[str]] = []
    encode = type(model).encode_text

    def encode_text(self: Model, prompts: Sequence[str]) -> Conditioning:
        asked.append(list(prompts))
        return encode(self, prompts)

    monkeypatch.setattr(type(model), "encode_text", encode_text)
    return asked


def test_only_prompts_with_the_learned_word_are_encoded_in_every_step(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(fresh(), DreamBooth(identifier_learning_rate=1e-2), training=settings(2))
    asked = spied(job.model, monkeypatch)
    job.settle()
    assert asked == [[""], [CLASS]]
    mixed = [CLASS, OWN, CLASS, f"{OWN} with nlwxes", ""]
    found = job.condition(mixed)
    assert asked[2:] == [[OWN, f"{OWN} with nlwxes"]]
    torch.testing.assert_close(found.states_BLD, job.model.encode_text(mixed).states_BLD)
    found.states_BLD.sum().backward()
    (group,) = (group for group in job.attached.groups if group.name != "backbone")
    (vector,) = group.parameters.values()
    assert vector.grad is not None
    assert float(vector.grad.norm()) > 0


def test_with_the_whole_text_encoder_every_prompt_is(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(fresh(), DreamBooth(text_encoder=True), training=settings(2))
    asked = spied(job.model, monkeypatch)
    job.settle()
    job.condition([CLASS, OWN])
    assert asked == [[CLASS, OWN]]


def test_with_none_of_it_no_prompt_is(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(fresh(), DreamBooth(), training=settings(2))
    asked = spied(job.model, monkeypatch)
    job.settle()
    assert asked == [[""], [CLASS], [OWN]]
    found = job.condition([CLASS, OWN])
    assert len(asked) == 3
    assert not found.states_BLD.requires_grad
