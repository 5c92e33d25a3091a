"""What every strategy promises. A new line in ``strategies/__init__.py`` is all it takes to be tested here.

Each strategy is tried with its defaults and with every switch that its config shares with others. One short training
of each is looked at by many tests (:func:`lived`); they must leave it as it is.
"""

from __future__ import annotations

import copy
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from boothlab.diffusion.config import Objective
from boothlab.files import folder_listing, is_temporary
from boothlab.models.model import Model
from boothlab.runs.events import CheckpointSaved, Event, Stepped
from boothlab.runs.run import Run
from boothlab.strategies import STRATEGIES
from boothlab.strategies.config import Strategy
from boothlab.training import checkpoint
from boothlab.training.job import Job
from boothlab.training.optim import Optimizer
from boothlab.training.validation import fixed_loss
from jobs_made import SUBJECT, copied, make_job, plain_names, pool, predictions, run, same, settings, tensors

SWITCHES: dict[str, dict[str, object]] = {
    "text": {"text_encoder": True, "text_encoder_steps": 2},
    "dora": {"dora": True},
    "dora-text": {"dora": True, "text_encoder": True, "text_encoder_steps": 2},
    "word": {"identifier_learning_rate": 2e-2},
}


def variants() -> list[object]:
    """Every strategy with its defaults, and with each switch that it has."""
    found = []
    for kind in STRATEGIES:
        name = str(kind.model_fields["kind"].default)
        found.append(pytest.param(kind(), id=name))
        for label, changes in SWITCHES.items():
            if changes.keys() <= kind.model_fields.keys():
                found.append(pytest.param(kind.model_validate(changes), id=f"{name}-{label}"))
    return found


Fresh = Callable[[], Model]

CLASS_PROMPT = "a photo of a person"

LIFE = 4
"""Steps of the training that many tests look at."""


@dataclass(frozen=True)
class Lived:
    """A finished training: the job, every tensor after each step (0 = before), captions encoded before and after.

    ``text`` is of the subject, ``class_text`` of its class.
    """

    job: Job
    history: dict[int, dict[str, Tensor]]
    text_before: Tensor
    text_after: Tensor
    class_text_before: Tensor
    class_text_after: Tensor


@pytest.fixture(scope="module", params=variants())
def strategy(request: pytest.FixtureRequest) -> Strategy:
    """Each strategy in turn; the tests of one run together, so that they share what they need."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def lived(strategy: Strategy, tiny_base: Model) -> Lived:
    """A training of four steps at a rate that shows."""
    job = make_job(copied(tiny_base), faster(strategy), training=settings(LIFE))
    captions = [job.attached.caption(text) for text in (f"a photo of {SUBJECT.identifier} person", CLASS_PROMPT)]
    before = [job.model.encode_text([caption]).states_BLD.detach().clone() for caption in captions]
    history = {0: tensors(job.model)}
    run(job, until=lambda e: isinstance(e, Stepped) and not history.setdefault(e.step, tensors(job.model)))
    assert history.keys() == set(range(LIFE + 1))
    after = [job.model.encode_text([caption]).states_BLD.detach() for caption in captions]
    return Lived(job, history, before[0], after[0], before[1], after[1])


@pytest.fixture(scope="module")
def exported(lived: Lived, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That training's weights, in full precision."""
    folder = tmp_path_factory.mktemp("exported")
    lived.job.attached.export(folder, "fp32")
    return folder


@pytest.fixture(scope="module")
def stock(tiny_sd: Path) -> object:
    """diffusers' own pipeline of the base model. Shared: copy it before anything is loaded into it."""
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(tiny_sd, local_files_only=True, use_safetensors=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def declared(job: Job) -> set[str]:
    """Names (as in :func:`tensors`) of everything in the groups."""
    ids = {id(parameter) for group in job.attached.groups for parameter in group.parameters.values()}
    return {
        f"{role}.{name}"
        for role, module in job.model.parts().items()
        for name, parameter in module.named_parameters(remove_duplicate=False)
        if id(parameter) in ids
    }


def faster(strategy: Strategy, rate: float = 2e-2) -> Strategy:
    return (
        strategy.model_copy(update={"learning_rate": rate})
        if "learning_rate" in type(strategy).model_fields
        else strategy
    )


def test_starts_as_the_base_model(strategy: Strategy, fresh: Fresh) -> None:
    expected = predictions(fresh())
    job = make_job(fresh(), strategy)
    assert same(predictions(job.model), expected)
    before, after = tensors(fresh()), tensors(job.model)
    plain = plain_names(after)
    assert before.keys() <= plain.keys()
    assert [name for name in before if not same(before[name], after[plain[name]])] == []


def test_what_is_not_declared_stays_bit_for_bit(lived: Lived) -> None:
    before, after, moved = lived.history[0], lived.history[LIFE], declared(lived.job)
    assert after.keys() == before.keys()
    assert [name for name in before if name not in moved and not same(before[name], after[name])] == []


def sure_to_move(moved: Iterable[str]) -> set[str]:
    """Without what has no gradient here but rounding: in the tiny model's middle a single place attends to itself.

    The softmax of one number is 1 whatever query and key are, and the adapter's B starts at 0, which no decay moves.
    """
    alone = "backbone.mid_block.attentions.0.transformer_blocks.0.attn1.to_"
    return {name for name in moved if not name.startswith((f"{alone}q.lora_B", f"{alone}k.lora_B"))}


def test_what_is_declared_moves(lived: Lived) -> None:
    before, after, moved = lived.history[0], lived.history[LIFE], declared(lived.job)
    assert len(moved) == sum(len(group.parameters) for group in lived.job.attached.groups) > 0
    assert [name for name in sure_to_move(moved) if same(before[name], after[name])] == []
    assert [name for name in moved if after[name].dtype != torch.float32] == []


def test_closed_windows_do_not_move(strategy: Strategy, fresh: Fresh) -> None:
    model = fresh()
    job = make_job(model, strategy, training=settings(4))
    groups = tuple(replace(group, opens=1, closes=3) for group in job.attached.groups)
    job.attached = replace(job.attached, groups=groups)
    job.optimizer = Optimizer(groups, job.settings.optimizer)
    history = [tensors(model)]
    run(job, until=lambda event: isinstance(event, Stepped) and not history.append(tensors(model)) and False)
    moved = declared(job)
    changed = [
        {name for name in moved if not same(old[name], new[name])}
        for old, new in zip(history, history[1:], strict=False)
    ]
    assert changed[0] == set()
    assert sure_to_move(moved) <= changed[1] | changed[2] <= set(moved)
    assert changed[3] == set(), "weight decay and momentum must not reach a closed group"


def test_its_own_windows_close(strategy: Strategy, lived: Lived) -> None:
    limits = {group.name: group.closes for group in lived.job.attached.groups}
    if "text_encoder_steps" in type(strategy).model_fields:
        wanted = getattr(strategy, "text_encoder_steps")  # noqa: B009 - not every strategy has it
        assert limits == {name: None if name == "backbone" else wanted for name in limits}
    history = lived.history
    for group in lived.job.attached.groups:
        last = LIFE if group.closes is None else group.closes
        names = {name for name in declared(lived.job) if name.split(".")[0] == group.name}
        assert [name for name in names if not same(history[last][name], history[LIFE][name])] == []
        assert any(not same(history[0][name], history[last][name]) for name in names)


@pytest.mark.parametrize(
    ("steps", "cuts"),
    [pytest.param(4, (1, 3), id="twice"), pytest.param(8, (3, 4, 7), id="thrice", marks=pytest.mark.slow)],
)
def test_resumes_bit_for_bit(
    strategy: Strategy, fresh: Fresh, tmp_path: Path, steps: int, cuts: tuple[int, ...]
) -> None:
    training = settings(steps, checkpoint_every=1, batch_size=2, rate={"kind": "cosine", "warmup": 2})
    whole = make_job(fresh(), strategy, training=training)
    run(whole)
    for cut in cuts:
        job = resumed(fresh(), strategy, training, tmp_path)
        run(job, until=lambda event, cut=cut: event == CheckpointSaved(cut))
        assert job.step == cut
    job = resumed(fresh(), strategy, training, tmp_path)
    assert job.step == cuts[-1]
    run(job)
    left, right = whole.tensors(), job.tensors()
    assert left.keys() == right.keys()
    assert any(name.startswith("optimizer/") for name in left)
    assert [name for name in left if not same(left[name], right[name])] == []
    ours, theirs = tensors(whole.model), tensors(job.model)
    assert [name for name in ours if not same(ours[name], theirs[name])] == []


def resumed(model: Model, strategy: Strategy, training: object, folder: Path) -> Job:
    """A job in a new process, as far as it can tell: nothing but the folder survives."""
    torch.manual_seed(int.from_bytes(os.urandom(4), "big"))
    job = make_job(model, strategy, folder, training=training)  # type: ignore[arg-type]
    found = checkpoint.newest(folder / "checkpoints", lambda path: pytest.fail(f"{path} is damaged"))
    if found is not None:
        job.restore(found)
    return job


def test_export_restores_into_a_fresh_model(strategy: Strategy, lived: Lived, exported: Path, fresh: Fresh) -> None:
    model = fresh()
    base = predictions(model)
    strategy.restore(model, exported)
    got, expected = predictions(model), predictions(lived.job.model)
    assert not torch.equal(expected, base)
    assert same(got, expected)
    assert not any(p.requires_grad and p.grad is not None for m in model.parts().values() for p in m.parameters())


def test_the_same_weights_are_the_same_files(lived: Lived, exported: Path, tmp_path: Path) -> None:
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        lived.job.attached.export(folder, "fp32")
        assert folder_listing(folder) == folder_listing(exported) != {}


def test_export_in_half_precision_is_close(strategy: Strategy, lived: Lived, fresh: Fresh, tmp_path: Path) -> None:
    lived.job.attached.export(tmp_path, "fp16")
    model = fresh()
    strategy.restore(model, tmp_path)
    torch.testing.assert_close(predictions(model), predictions(lived.job.model), rtol=2e-2, atol=2e-2)


def test_stock_diffusers_loads_the_export(lived: Lived, exported: Path, fresh: Fresh, stock: object) -> None:
    kept = [getattr(stock, name) for name in ("vae", "tokenizer", "scheduler")]
    pipeline = copy.deepcopy(stock, {id(part): part for part in kept})
    loaded = [name for name in ("unet", "text_encoder") if (exported / name).is_dir()]
    for name in loaded:
        part = type(getattr(pipeline, name)).from_pretrained(exported / name, use_safetensors=True)
        setattr(pipeline, name, part.eval())
    if list(exported.glob("*lora*.safetensors")):
        pipeline.load_lora_weights(exported)  # type: ignore[attr-defined]
        loaded.append("lora")
    assert loaded, "the export holds nothing that stock diffusers knows how to load"
    model = fresh()
    base = predictions(model)
    stock_model = replace(model, unet=pipeline.unet, text_encoder=pipeline.text_encoder)  # type: ignore[attr-defined]
    got, expected = predictions(stock_model), predictions(lived.job.model)
    assert float((expected - base).abs().max()) > 1e-3
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_during_export_leaves_no_half(strategy: Strategy, fresh: Fresh, tmp_path: Path) -> None:
    job = make_job(fresh(), strategy, tmp_path, training=settings(3))
    export = job.attached.export

    def export_and_die(folder: Path, precision: object) -> None:
        export(folder, precision)  # type: ignore[arg-type]
        assert list(folder.rglob("*.safetensors"))
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        job.attached = replace(job.attached, export=export_and_die)
        job.save_snapshot(tmp_path)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    left = list((tmp_path / "snapshots").iterdir())
    assert len(left) == 1, "the child died before it wrote anything"
    assert is_temporary(left[0])
    assert Run(tmp_path).snapshot_steps() == []
    job.save_snapshot(tmp_path)
    assert Run(tmp_path).snapshot_steps() == [0]
    model = fresh()
    strategy.restore(model, tmp_path / "snapshots" / "step-000000")


def test_counts_are_counted(strategy: Strategy, fresh: Fresh, tmp_path: Path) -> None:
    job = make_job(fresh(), strategy)
    trainable = {id(p): p for m in job.model.parts().values() for p in m.parameters() if p.requires_grad}
    grouped = [p for group in job.attached.groups for p in group.parameters.values()]
    assert len({id(p) for p in grouped}) == len(grouped), "a parameter is in two groups"
    assert {id(p) for p in grouped} == trainable.keys()
    assert job.attached.num_parameters == sum(p.numel() for p in trainable.values())
    for precision in ("fp32", "fp16"):
        folder = tmp_path / precision
        folder.mkdir()
        job.attached.export(folder, precision)  # type: ignore[arg-type]
        files = sorted(folder.rglob("*.safetensors"))
        written = sum(t.numel() * t.element_size() for file in files for t in load_file(file).values())
        assert job.attached.export_bytes(precision) == written > 0  # type: ignore[arg-type]


def loss_now(job: Job) -> float:
    """Mean loss over fixed draws of timestep and noise that the training does not use."""
    texts = [job.condition([example.prompt]) for example in job.pool.instances]
    return fixed_loss(job.model, job.pool.instances, texts, timesteps=24)


def test_loss_falls_on_one_photo(strategy: Strategy, fresh: Fresh) -> None:
    model = fresh()
    one = pool(model.latent_shape, photos=1, class_images=0)
    job = make_job(model, faster(strategy), training=settings(9), examples=one)
    before = loss_now(job)
    events = run(job)
    assert [event.step for event in events if isinstance(event, Stepped)] == list(range(1, 10))
    assert loss_now(job) < 0.97 * before


def test_depends_on_its_seed_alone(strategy: Strategy, lived: Lived, fresh: Fresh) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    again = make_job(fresh(), faster(strategy), training=settings(LIFE))
    run(again, until=lambda event: isinstance(event, Stepped) and event.step == 2)
    assert torch.equal(torch.get_rng_state(), before), "the global generator was used"
    left, right = lived.history[2], tensors(again.model)
    assert [name for name in left if not same(left[name], right[name])] == []


def test_says_whether_text_moves(lived: Lived) -> None:
    assert lived.job.attached.moves_text is not same(lived.text_before, lived.text_after)


def test_says_which_captions_move(lived: Lived) -> None:
    attached = lived.job.attached
    assert attached.moves(attached.caption(f"a photo of {SUBJECT.identifier} person"))
    said = attached.moves_text and attached.moves(attached.caption(CLASS_PROMPT))
    assert said is not same(lived.class_text_before, lived.class_text_after)


def test_prior_and_accumulation_need_no_help(strategy: Strategy, fresh: Fresh) -> None:
    training = settings(2, batch_size=1, accumulate=3)
    events = run(make_job(fresh(), strategy, training=training, objective=Objective(snr_gamma=5.0)))
    steps: list[Event] = [event for event in events if isinstance(event, Stepped)]
    assert len(steps) == 2
    assert all(isinstance(e, Stepped) and e.class_loss is not None and e.norm > 0 for e in steps)
