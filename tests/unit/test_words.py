"""The identifier's word vector is learned, and no other word's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from boothlab.errors import PlanError
from boothlab.files import read_json
from boothlab.models import words
from boothlab.models.costs import costs_of
from boothlab.models.model import Model
from boothlab.strategies import DreamBooth
from jobs_made import SUBJECT, make_job, run, same, settings

Fresh = Callable[[], Model]
RATE = 1e-2
WORD = DreamBooth(learning_rate=1e-3, identifier_learning_rate=RATE)


def row_of(model: Model, word: str) -> int:
    return words.row(model, "text_encoder", word)


def table_of(model: Model) -> torch.Tensor:
    """The token table as a snapshot would hold it, copied."""
    encoder = model.text_encoders()["text_encoder"]
    with words.folded(encoder):
        weight: torch.Tensor = encoder.get_input_embeddings().weight  # type: ignore[operator]
        return weight.detach().clone()


def test_one_vector_moves_and_every_other_number_of_the_text_encoder_stays(fresh: Fresh) -> None:
    model = fresh()
    encoder = model.text_encoders()["text_encoder"]
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    own = row_of(model, "nlwx")
    run(make_job(model, WORD, training=settings(3)))  # with a weight decay, which moves what has no gradient
    with words.folded(encoder):
        after = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    assert after.keys() == before.keys()
    (name,) = [name for name in before if not same(before[name], after[name])]
    assert "token_embedding" in name
    assert [index for index, (a, b) in enumerate(zip(before[name], after[name], strict=True)) if not same(a, b)] == [
        own
    ]
    # Saving put the vector into the table for a while only: beside it the table is the base model's again.
    assert same(encoder.get_input_embeddings().base_layer.weight.detach(), before[name])  # type: ignore[operator]
    assert [p.shape for p in encoder.parameters() if p.requires_grad] == [(1, before[name].shape[1])]


def test_a_first_step_moves_the_vector_by_its_own_rate(fresh: Fresh) -> None:
    model = fresh()
    own = row_of(model, "nlwx")
    before = table_of(model)[own]
    plain = settings(1).optimizer.model_copy(update={"weight_decay": 0.0})
    run(make_job(model, WORD, training=settings(1).model_copy(update={"optimizer": plain})))
    # Adam's first step is the rate times the gradient's sign, wherever the gradient is not tiny.
    assert float((table_of(model)[own] - before).abs().median()) == pytest.approx(RATE, rel=1e-2)


def test_it_starts_as_it_was(fresh: Fresh) -> None:
    model, prompts = fresh(), ["a photo of nlwx person", "a dog", "nlwx nlwx"]
    before = model.encode_text(prompts).states_BLD
    WORD.attach(model, [SUBJECT], 0)
    assert same(model.encode_text(prompts).states_BLD.detach(), before.detach())


def test_a_learned_vector_is_read_in_full_under_autocast(fresh: Fresh) -> None:
    """A product of matrices is what autocast rounds to bf16; the frozen words beside it are looked up as they are."""
    model = fresh()
    own = row_of(model, "nlwx")
    WORD.attach(model, [SUBJECT], 0)
    table = model.text_encoders()["text_encoder"].get_input_embeddings()  # type: ignore[operator]
    with torch.no_grad():
        table.rows += torch.linspace(1e-4, 1e-3, table.rows.shape[1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = table(torch.tensor([[own, own + 1]]))
    assert same(found[0, 0].detach(), table.rows[0].detach())
    assert same(found[0, 1].detach(), table.base_layer.weight[own + 1].detach())
    slopes = torch.linspace(0.1, 0.9, table.rows.shape[1])
    (found[0, 0] * slopes).sum().backward()
    assert table.rows.grad is not None
    assert same(table.rows.grad[0], slopes)


def test_two_subjects_learn_two_words(fresh: Fresh) -> None:
    model = fresh()
    before = table_of(model)
    bob = SUBJECT.model_copy(update={"name": "bob", "identifier": "bsgo"})
    group = WORD.attach(model, [SUBJECT, bob], 0).groups[1]
    (vectors,) = group.parameters.values()
    ours, theirs = (row_of(model, name) for name in ("nlwx", "bsgo"))
    with torch.no_grad():
        vectors[sorted((ours, theirs)).index(theirs)] += 1.0
    after = table_of(model)
    assert {index for index in range(len(before)) if not same(before[index], after[index])} == {theirs}
    assert torch.equal(after[theirs], before[theirs] + 1.0)
    # What is drawn is what is exported: the same prompt, by the table and by the vectors beside it.
    inside = model.encode_text(["a photo of bsgo person beside nlwx person"]).states_BLD.detach()
    with words.folded(model.text_encoders()["text_encoder"]):
        assert same(model.encode_text(["a photo of bsgo person beside nlwx person"]).states_BLD.detach(), inside)


def test_a_word_of_several_tokens_has_no_vector(fresh: Fresh) -> None:
    with pytest.raises(PlanError, match=r"'zl635' is 4 tokens"):
        WORD.attach(fresh(), [SUBJECT.model_copy(update={"identifier": "zl635"})], 0)


def test_what_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="text_encoder or identifier_learning_rate"):
        DreamBooth(text_encoder=True, identifier_learning_rate=RATE)


def test_a_prompt_without_the_identifier_is_read_as_before(fresh: Fresh) -> None:
    model = fresh()
    prompts = ["a photo of a person", "a photo of nlwx person"]
    other, named = (model.encode_text([prompt]).states_BLD.detach().clone() for prompt in prompts)
    run(make_job(model, WORD, training=settings(3)))
    assert same(model.encode_text(prompts[:1]).states_BLD.detach(), other)
    assert not same(model.encode_text(prompts[1:]).states_BLD.detach(), named)


def test_the_estimate_counts_one_vector_and_a_whole_snapshot(fresh: Fresh, tiny_sd: Path) -> None:
    model = fresh()
    costs = costs_of(
        {part: read_json(tiny_sd / part / "config.json") for part in ("unet", "vae", "text_encoder")}, 64
    )
    counted = {role: trained.parameters(costs.part(role)) for role, trained in WORD.trains().items()}
    exported = sum(trained.exported(costs.part(role)) for role, trained in WORD.trains().items())
    attached = WORD.attach(model, [SUBJECT], 0)
    assert sum(counted.values()) == attached.num_parameters
    assert 4 * exported == attached.export_bytes("fp32")
