"""The identifier's word vector is learned, and no other word's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from boothlab.diffusion.config import Objective
from boothlab.errors import PlanError
from boothlab.models import words
from boothlab.models.model import Model
from boothlab.runs.events import Stepped
from boothlab.strategies import DreamBooth
from jobs_made import SUBJECT, make_job, run, same, settings

Fresh = Callable[[], Model]
RATE = 1e-2
WORD = DreamBooth(learning_rate=1e-3, identifier_learning_rate=RATE)


def row_of(model: Model, word: str) -> int:
    return words.row(model, "text_encoder", word)


def table_of(model: Model) -> torch.Tensor:
    return words.table(model.text_encoders()["text_encoder"]).detach()


def test_one_row_moves_and_all_others_stay_bit_for_bit(fresh: Fresh) -> None:
    model = fresh()
    before = table_of(model).clone()
    job = make_job(model, WORD, training=settings(3))  # with a weight decay that moves what has no gradient
    run(job)
    moved = [index for index in range(len(before)) if not same(before[index], table_of(model)[index])]
    assert moved == [row_of(model, "nlwx")]
    frozen = [p for name, p in model.text_encoders()["text_encoder"].named_parameters() if "token" not in name]
    assert frozen
    assert all(not p.requires_grad for p in frozen)


def test_a_first_step_moves_the_vector_by_its_own_rate(fresh: Fresh) -> None:
    model = fresh()
    own = row_of(model, "nlwx")
    before = table_of(model)[own].clone()
    training = settings(1).model_copy(
        update={"optimizer": settings(1).optimizer.model_copy(update={"weight_decay": 0.0})}
    )
    run(make_job(model, WORD, training=training))
    # Adam's first step is the rate times the gradient's sign, wherever the gradient is not tiny.
    steps = (table_of(model)[own] - before).abs()
    assert float(steps.median()) == pytest.approx(RATE, rel=1e-2)


def test_the_clipped_norm_knows_nothing_of_other_words(fresh: Fresh) -> None:
    """Its square is the denoiser's and the one row's, though every word of the prompts has a gradient."""
    model = fresh()
    job = make_job(model, WORD, training=settings(1))
    weight = words.table(model.text_encoders()["text_encoder"])
    seen: list[float] = []
    clip = job.optimizer.clip

    def look(step: int) -> float | None:
        assert weight.grad is not None
        others = weight.grad.clone()
        others[row_of(model, "nlwx")] = 0.0
        assert float(others.abs().max()) == 0.0
        squares = [float(p.grad.square().sum()) for p in model.backbone().parameters() if p.grad is not None]
        seen.append((sum(squares) + float(weight.grad.square().sum())) ** 0.5)
        return clip(step)

    job.optimizer.clip = look  # type: ignore[method-assign]
    (event,) = (event for event in run(job) if isinstance(event, Stepped))
    assert event.norm == pytest.approx(seen[0], rel=1e-4)


def test_two_subjects_learn_two_words(fresh: Fresh) -> None:
    model = fresh()
    before = table_of(model).clone()
    attached = WORD.attach(model, [SUBJECT, SUBJECT.model_copy(update={"name": "bob", "identifier": "bsgo"})], 0)
    with torch.no_grad():
        words.table(model.text_encoders()["text_encoder"]).add_(1.0)
    attached.hold()
    moved = {index for index in range(len(before)) if not same(before[index], table_of(model)[index])}
    assert moved == {row_of(model, "nlwx"), row_of(model, "bsgo")}


def test_a_word_of_several_tokens_has_no_vector(fresh: Fresh) -> None:
    with pytest.raises(PlanError, match=r"'zl635' is 4 tokens"):
        WORD.attach(fresh(), [SUBJECT.model_copy(update={"identifier": "zl635"})], 0)


def test_what_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="text_encoder or identifier_learning_rate"):
        DreamBooth(text_encoder=True, identifier_learning_rate=RATE)


def test_a_prompt_without_the_identifier_is_read_as_before(fresh: Fresh, tmp_path: Path) -> None:
    model = fresh()
    before = model.encode_text(["a photo of a person"]).states_BLD.detach().clone()
    named = model.encode_text(["a photo of nlwx person"]).states_BLD.detach().clone()
    run(make_job(model, WORD, training=settings(3), objective=Objective()))
    assert same(model.encode_text(["a photo of a person"]).states_BLD.detach(), before)
    assert not same(model.encode_text(["a photo of nlwx person"]).states_BLD.detach(), named)
