"""With its draws replayed, boothlab's training equals diffusers' own script: losses, norms, rates, weights.

The recordings in ``reference/`` were made by ``scripts/record_reference.py``, once with AVX2 and once with AVX-512,
because each rounds sums in its own way; ``index.json`` names versions and says how sums are rounded. What the script
drew (order of the pictures, posterior noise, noise, offset, timesteps) is put in place of boothlab's draws;
everything else is the code that trains. docs/precision.md has the figures behind the bounds.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from boothlab.diffusion.config import Objective
from boothlab.models.config import Base
from boothlab.models.load import load
from boothlab.models.model import Model, Posterior
from boothlab.models.sampling import from_uint8
from boothlab.photos.photo import Photo
from boothlab.photos.read import read_photo
from boothlab.runs.events import Stepped
from boothlab.strategies.dreambooth.config import DreamBooth
from boothlab.subjects import Subject
from boothlab.training.assemble import TrainingSet, build_job, build_pool
from boothlab.training.batches import Dealt, Draw, Draws, Pool
from boothlab.training.class_images import ClassImage
from boothlab.training.config import Optimizer, Rate, Training
from boothlab.training.job import Job
from boothlab.training.loop import train
from reference_made import (
    CASES,
    CLASS_NUMBERS,
    CLASS_PROMPT,
    INSTANCE_PROMPT,
    LEARNING_RATE,
    STEPS,
    TOKEN_TABLE,
    Case,
    build_reference_model,
    class_paths,
    made_picture,
    model_digest,
    photo_paths,
    recorded_rows,
    rounding_here,
)

FOLDER = Path(__file__).parent / "reference"
KINDS_OF_PROCESSOR = ("avx2", "avx512")

LOSS_TOLERANCE = 1e-6
"""Relative, of each step's loss and gradient norm. From docs/precision.md."""

WEIGHT_TOLERANCE = 1e-6
"""Absolute; the weights move by up to STEPS · LEARNING_RATE = 2e-3. From docs/precision.md."""

WITHOUT_GRADIENT = "k_proj.bias"
"""One number added to the scores of all keys changes no attention weight: the gradient of this tensor of the text
encoder is nothing but rounding, which Adam turns into steps of any size up to the learning rate."""


@dataclass(frozen=True)
class Bounds:
    """Largest differences allowed: of losses and gradient norms relative, of weights absolute."""

    loss: float
    norm: float
    weight: float


SAME = Bounds(LOSS_TOLERANCE, LOSS_TOLERANCE, WEIGHT_TOLERANCE)
"""Where sums are rounded as in the recording, and in the same order."""

OTHERWISE = Bounds(LOSS_TOLERANCE, 3 * LOSS_TOLERANCE, 1e-5)
"""Where something is rounded otherwise before the first step. The script itself, recorded with other instructions,
is up to 3.0e-7, 9.6e-7 and 4.5e-6 from its own recordings."""

OTHERWISE_IN = {"snr-velocity": Bounds(4e-6, 2e-5, LEARNING_RATE)}
"""The same for cases in which the first gradient of a weight is below Adam's ε = 1e-8 and nothing but rounding: its
first step is of any size up to the learning rate. The script from itself: 2.1e-6, 9.0e-6 and 4.3e-5."""


@cache
def index_of(kind: str) -> dict[str, Any]:
    """What is told about the recordings of one kind of processor."""
    found: dict[str, Any] = json.loads((FOLDER / kind / "index.json").read_text())
    return found


@cache
def same_rounding() -> str | None:
    """The kind of processor whose recordings were made with sums rounded as here; None for a third kind."""
    with tempfile.TemporaryDirectory() as folder:
        here = rounding_here(Path(folder))
    return next((kind for kind in KINDS_OF_PROCESSOR if index_of(kind)["rounding"] == here), None)


def bounds_otherwise(case: Case) -> Bounds:
    """What ``case`` may differ by where something is rounded otherwise than in the recording."""
    return OTHERWISE_IN.get(case.name, OTHERWISE)


SUBJECT = Subject(name="ada", photos=Path("photos"), class_noun="person", identifier="rinn")
KINDS = {"constant": "constant", "constant_with_warmup": "constant", "cosine": "cosine"}
"""The script's name of a schedule → boothlab's."""


@dataclass(frozen=True)
class Recording:
    """What one run of the script drew and gave. ``passes`` are the row ranges of its micro-steps."""

    tensors: dict[str, Tensor]
    steps: tuple[tuple[range, ...], ...]
    """Row ranges of the micro-steps of each optimizer step."""

    def loss(self, step: int) -> Tensor:
        """Losses of the micro-steps of ``step``."""
        ends = [0, *self.tensors["window"].tolist()]
        return self.tensors["loss"][ends[step] : ends[step + 1]]


@cache
def recording(name: str) -> Recording:
    """The recording of a case, made with sums rounded as here where there is one."""
    kind = same_rounding() or KINDS_OF_PROCESSOR[0]
    tensors = load_file(FOLDER / kind / f"{name}.safetensors")
    ends = torch.cumsum(tensors["batch"], 0).tolist()
    rows = [range(first, last) for first, last in zip([0, *ends], ends, strict=False)]
    windows = tensors["window"].tolist()
    steps = tuple(tuple(rows[a:b]) for a, b in zip([0, *windows], windows, strict=False))
    return Recording(tensors, steps)


@torch.no_grad()
def encoded_together(model: Model, pixels_B3HW: Tensor) -> Posterior:
    """What ``model.encode_image`` gives, left in memory as the autoencoder leaves it."""
    autoencoder: Any = model.parts()["autoencoder"]
    found, scale = autoencoder.encode(pixels_B3HW).latent_dist, autoencoder.config.scaling_factor
    return Posterior(found.mean * scale, found.std * scale)


def replayed(found: Recording, pool: Pool, model: Model, offset_strength: float, *, alone: bool = False) -> Draws:
    """The script's draws in place of boothlab's. A slot is a row of the recording.

    The script encodes the pictures of a batch together; so do these draws, because convolutions round differently
    for other batch sizes, and leaves them in memory as its autoencoder does, which decides what convolutions come
    next. ``alone`` leaves each picture as boothlab encodes it: once, alone, in plain order.
    """
    (classes,) = pool.classes.values() or ((),)
    drawn = found.tensors

    def deal(step: int) -> list[list[Dealt]]:
        return [together(rows) for rows in found.steps[step]]

    def together(rows: range) -> list[Dealt]:
        numbers = drawn["picture"][rows.start : rows.stop].tolist()
        pixels = from_uint8(np.stack([made_picture(number) for number in numbers]))
        whole = encoded_together(model, pixels.contiguous())
        batch = []
        for index, (row, number) in enumerate(zip(rows, numbers, strict=True)):
            is_class = number >= CLASS_NUMBERS
            cached = classes[number - CLASS_NUMBERS] if is_class else pool.instances[number]
            one = slice(index, index + 1)
            if not alone:
                cached = replace(cached, posterior=Posterior(whole.mean_BCHW[one], whole.std_BCHW[one]))
            batch.append(Dealt(cached, "class" if is_class else "instance", row))
        return batch

    def draw(step: int, slot: Dealt) -> Draw:
        noise = drawn["noise"][slot.slot]
        if offset_strength:
            noise = noise + offset_strength * drawn["offset"][slot.slot]
        return Draw(drawn["posterior"][slot.slot], noise, int(drawn["timestep"][slot.slot]))

    return Draws(deal, draw)


def objective_of(case: Case) -> Objective:
    """The case in boothlab's words."""
    return Objective(
        prior_preservation=case.class_images > 0,
        prior_weight=case.prior_weight,
        snr_gamma=case.snr_gamma,
        offset_noise=0.1 if case.offset_noise else 0.0,
    )


def settings_of(case: Case) -> Training:
    return Training(
        steps=STEPS,
        threads=1,
        batch_size=case.batch_size,
        accumulate=case.accumulate,
        rate=Rate(kind=KINDS[case.rate], warmup=case.warmup),
        optimizer=Optimizer(),
        compat="diffusers",
    )


def photo(path: Path) -> Photo:
    found = read_photo(path)
    assert isinstance(found, Photo)
    return found


def job_of(case: Case, folder: Path) -> Job:
    """The job that boothlab makes of the case, with its own draws."""
    model: Model = load(Base(model=str(build_reference_model(folder / "model", case.prediction)), device="cpu"))
    photos = tuple(photo(path) for path in photo_paths(case, folder))
    drawn = [ClassImage(path, CLASS_PROMPT) for path in class_paths(case, folder)] if case.class_images else []
    classes = {"person": drawn} if drawn else {}
    objective = objective_of(case)
    pool = build_pool(model, objective, [TrainingSet(SUBJECT, photos)], classes)
    strategy = DreamBooth(learning_rate=LEARNING_RATE, text_encoder=case.text_encoder)
    return build_job(model, strategy, [SUBJECT], objective, settings_of(case), pool, None)


def differences(job: Job, found: Recording) -> dict[str, float]:
    """Largest absolute difference of each recorded tensor from the one that was trained here."""
    now = {name: p.detach() for group in job.attached.groups for name, p in group.parameters.items()}
    then = {k.removeprefix("final/"): v for k, v in found.tensors.items() if k.startswith("final/")}
    assert then.keys() == now.keys()
    for name, tensor in now.items():
        if name.endswith(TOKEN_TABLE):
            ids = job.model.tokenizers()["text_encoder"](
                sorted({e.prompt for e in [*job.pool.instances, *job.pool.classes["person"]]}), padding="max_length"
            )
            now[name] = tensor[recorded_rows(torch.tensor(ids.input_ids), len(tensor))]
    return {name: float((now[name] - then[name]).abs().max()) for name in then}


def trained(
    case: Case, folder: Path, *, fused: bool = True, alone: bool = False
) -> tuple[Job, list[Stepped], dict[str, Tensor]]:
    """The case trained with the recorded draws; also its events, and the weights before.

    Pictures and prompts of a pass are encoded together and anew in each step, as the script does it; ``alone``: each
    once and by itself, as boothlab does it.
    """
    job = job_of(case, folder)
    before = {name: p.detach().clone() for group in job.attached.groups for name, p in group.parameters.items()}
    job.draws = replayed(recording(case.name), job.pool, job.model, job.objective.offset_noise, alone=alone)
    if not alone:
        job.attached = replace(job.attached, moves_text=True)  # what moves is not kept, but encoded in every step
    for group in job.optimizer._inner.param_groups:
        group["fused"] = fused
    return job, [event for event in train(job) if isinstance(event, Stepped)], before


def require_equal(found: Recording, job: Job, stepped: list[Stepped], bounds: Bounds) -> None:
    """Losses, norms, rates of each step and the weights at the end are the script's within ``bounds``."""
    assert len(stepped) == len(found.steps) == STEPS
    for step, event in enumerate(stepped):
        assert event.loss == pytest.approx(float(found.loss(step)[-1]), rel=bounds.loss, abs=0)
        assert event.norm == pytest.approx(float(found.tensors["norm"][step]), rel=bounds.norm, abs=0)
        assert event.lr == pytest.approx(float(found.tensors["lr"][step]), rel=1e-12, abs=1e-20)
    apart = {name: d for name, d in differences(job, found).items() if not name.endswith(WITHOUT_GRADIENT)}
    assert {name: d for name, d in apart.items() if d > bounds.weight} == {}


each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@each_case
def test_replay_equals_the_script(case: Case, tmp_path: Path) -> None:
    job, stepped, before = trained(case, tmp_path)
    require_equal(recording(case.name), job, stepped, SAME if same_rounding() else bounds_otherwise(case))
    now = {name: p.detach() for group in job.attached.groups for name, p in group.parameters.items()}
    assert max(float((now[name] - before[name]).abs().max()) for name in now) > 300 * WEIGHT_TOLERANCE


@each_case
def test_replay_is_bit_identical_with_the_same_order_of_operations(case: Case, tmp_path: Path) -> None:
    """With AdamW in the script's unfused form, nothing is left: each gradient norm and each weight is the script's.

    The loss that is told is added up from two means in another order; it is within its own last bit or so.
    """
    if same_rounding() is None:
        pytest.skip("sums are rounded here as on no machine of the recordings")
    job, stepped, _ = trained(case, tmp_path, fused=False)
    found = recording(case.name)
    assert [event.norm for event in stepped] == found.tensors["norm"].tolist()
    assert {name: d for name, d in differences(job, found).items() if d > 0} == {}
    told = [float(found.loss(step)[-1]) for step in range(STEPS)]
    assert [event.loss for event in stepped] == pytest.approx(told, rel=2e-7, abs=0)


@each_case
def test_replay_with_encodings_kept_equals_the_script_up_to_rounding(case: Case, tmp_path: Path) -> None:
    """As boothlab trains: every picture and every prompt encoded once, by itself, and looked up from then on."""
    job, stepped, _ = trained(case, tmp_path, alone=True)
    require_equal(recording(case.name), job, stepped, bounds_otherwise(case))


def test_cached_texts(tmp_path: Path) -> None:
    """A prompt encoded alone is that prompt in the script's batches up to rounding."""
    case = next(case for case in CASES if case.batch_size > 1 and case.class_images)
    job = job_of(case, tmp_path)
    for count in (1, 2):
        prompts = [INSTANCE_PROMPT] * count + [CLASS_PROMPT] * count
        with torch.no_grad():
            together = job.model.encode_text(prompts).states_BLD
        torch.testing.assert_close(job.condition(prompts).states_BLD, together, rtol=0, atol=5e-7)


def test_cached_latents(tmp_path: Path) -> None:
    """boothlab's own latents, each picture encoded alone, are those of the script's batches up to rounding."""
    case = next(case for case in CASES if case.batch_size > 1 and case.class_images)
    job = job_of(case, tmp_path)
    draws = replayed(recording(case.name), job.pool, job.model, 0.0)
    cached = {e.id: e.posterior for e in [*job.pool.instances, *job.pool.classes["person"]]}
    for dealt in [slot for step in range(STEPS) for batch in draws.deal(step) for slot in batch]:
        torch.testing.assert_close(
            cached[dealt.example.id].mean_BCHW, dealt.example.posterior.mean_BCHW, rtol=1e-5, atol=1e-6
        )
        torch.testing.assert_close(
            cached[dealt.example.id].std_BCHW, dealt.example.posterior.std_BCHW, rtol=1e-5, atol=1e-6
        )


@each_case
def test_compat_deals_windows_like_the_script(case: Case, tmp_path: Path) -> None:
    """Epoch by epoch the same batches and windows in size, and in each epoch the same pictures as often."""
    found = recording(case.name)
    job = job_of(case, tmp_path)
    epoch = max(case.photos, case.class_images)
    ours, theirs = [], []
    for step in range(STEPS):
        passes = job.draws.deal(step)
        assert [len(batch) for batch in passes] == [len(rows) for rows in found.steps[step]]
        ours += [dealt.example.id for batch in passes for dealt in batch if dealt.role == "instance"]
        numbers = [found.tensors["picture"][row].item() for rows in found.steps[step] for row in rows]
        theirs += [number for number in numbers if number < CLASS_NUMBERS]
    for first in range(0, len(ours) - epoch + 1, epoch):
        window = slice(first, first + epoch)
        assert sorted(Counter(ours[window]).values()) == sorted(Counter(theirs[window]).values())


@pytest.mark.parametrize("kind", KINDS_OF_PROCESSOR)
def test_the_model_and_the_versions_are_those_of_the_recording(kind: str, tmp_path: Path) -> None:
    told_of = index_of(kind)
    assert told_of["cpu"].lower() == kind
    assert set(told_of["versions"]) == {"diffusers", "torch", "transformers", "accelerate"}
    assert set(told_of["cases"]) == {case.name for case in CASES}
    for prediction in ("epsilon", "v_prediction"):
        digest = model_digest(build_reference_model(tmp_path / prediction, prediction))
        told = {told_of["cases"][case.name]["model"] for case in CASES if case.prediction == prediction}
        assert told == {digest}
    assert all(told_of["cases"][case.name]["given"] == asdict(case) for case in CASES)


def test_the_recordings_are_small() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(KINDS_OF_PROCESSOR)
    for kind in KINDS_OF_PROCESSOR:
        assert sum(path.stat().st_size for path in (FOLDER / kind).iterdir()) <= 1_650_000
