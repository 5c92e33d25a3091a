"""Which prompts a job encodes in every step, and which once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from boothlab.diffusion.config import Objective
from boothlab.models.model import Conditioning, Model
from boothlab.strategies import DreamBooth
from jobs_made import make_job, run, settings

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
    mixed = [CLASS, OWN, CLASS, f"{OWN} smiling", "a photo of nlwxes person", ""]
    found = job.condition(mixed)
    assert asked[2:] == [["a photo of nlwxes person"], [OWN, f"{OWN} smiling"]], "by its token, not by its letters"
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


def test_a_batch_without_the_word_still_is_a_step_for_its_vector(fresh: Fresh) -> None:
    """As when every prompt was encoded in every step: moments are kept and weights decay."""
    silent = Objective(caption_dropout=0.999)
    job = make_job(fresh(), DreamBooth(identifier_learning_rate=1e-2), training=settings(2), objective=silent)
    assert all(
        job.draws.draw(step, dealt).without_prompt
        for step in range(2)
        for batch in job.draws.deal(step)
        for dealt in batch
        if dealt.role == "instance"
    )
    (group,) = (group for group in job.attached.groups if group.name != "backbone")
    ((name, vector),) = group.parameters.items()
    before = vector.detach().clone()
    run(job)
    assert float(job.optimizer.state()[f"{name}/exp_avg"].abs().max()) == 0
    torch.testing.assert_close(vector.detach(), before * (1 - 1e-2 * 0.1) ** 2, rtol=1e-6, atol=0)
