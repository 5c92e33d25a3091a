"""Trainings in memory: a fresh tiny model, a pool of made latents, a job, and comparisons bit by bit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor

from boothlab.diffusion.config import Objective
from boothlab.models.model import Conditioning, Model, Posterior
from boothlab.runs.events import Event
from boothlab.strategies.config import Strategy
from boothlab.subjects import Subject
from boothlab.training.assemble import build_job
from boothlab.training.batches import Example, Pool
from boothlab.training.config import Optimizer, Training
from boothlab.training.job import Job
from boothlab.training.loop import train

SUBJECT = Subject(name="ada", photos=Path("photos"), class_noun="person", identifier="nlwx")


def copied(model: Model) -> Model:
    """A model of its own; the tokenizers, which nobody writes to, are shared."""
    shared = {id(tokenizer): tokenizer for tokenizer in model.tokenizers().values()}
    return copy.deepcopy(model, shared)


def example(name: str, shape: tuple[int, int, int], seed: int, prompt: str, noun: str = "person") -> Example:
    """A picture's latents, made from a seed."""
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn((1, *shape), generator=generator)
    return Example(
        name, Posterior(mean, torch.full_like(mean, 0.05)), prompt, noun, class_prompt="a photo of a person"
    )


def pool(shape: tuple[int, int, int], photos: int = 3, class_images: int = 4) -> Pool:
    """``photos`` photos of a person and ``class_images`` class images."""
    instances = [example(f"photo-{k}", shape, k, "a photo of nlwx person") for k in range(photos)]
    others = [example(f"class-{k}", shape, 100 + k, "a photo of a person") for k in range(class_images)]
    return Pool(tuple(instances), {"person": tuple(others)} if others else {})


def make_job(
    model: Model,
    strategy: Strategy,
    folder: Path | None = None,
    *,
    training: Training | None = None,
    objective: Objective | None = None,
    examples: Pool | None = None,
) -> Job:
    """A job on ``model``, which must be fresh."""
    training = training or Training(steps=3, threads=1)
    examples = examples or pool(model.latent_shape)
    return build_job(model, strategy, [SUBJECT], objective or Objective(), training, examples, folder)


def settings(steps: int, checkpoint_every: int = 1000, **more: object) -> Training:
    """Training settings on one thread with a weight decay that would move anything left open."""
    return Training(
        steps=steps,
        threads=1,
        checkpoint_every=checkpoint_every,
        optimizer=Optimizer(weight_decay=0.1),
        **more,  # type: ignore[arg-type]
    )


def run(job: Job, until: Callable[[Event], bool] = lambda event: False) -> list[Event]:
    """Events of the training up to its end, or to the first one that ``until`` wants."""
    seen = []
    for event in train(job):
        seen.append(event)
        if until(event):
            break
    return seen


def tensors(model: Model) -> dict[str, Tensor]:
    """Every tensor of every part, copied; ``role.name``."""
    return {
        f"{role}.{name}": tensor.detach().clone()
        for role, module in model.parts().items()
        for name, tensor in module.state_dict().items()
    }


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Name as it is in the base model → name as it is now (adapters wrap layers: ``.base_layer``)."""
    return {name.replace(".base_layer.", "."): name for name in names}


def same(left: Tensor, right: Tensor) -> bool:
    """Equal bit by bit (so that a NaN equals itself and 0 differs from −0)."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    as_bytes = [t.detach().contiguous().reshape(-1).view(torch.uint8) for t in (left, right)]
    return bool(torch.equal(*as_bytes))


@torch.no_grad()
def predictions(model: Model, prompts: tuple[str, ...] = ("a photo of nlwx person", "a dog")) -> Tensor:
    """What the model predicts for fixed noise, timesteps and prompts, in eval mode."""
    for module in model.parts().values():
        module.eval()
    generator = torch.Generator().manual_seed(5)
    noisy = torch.randn((len(prompts), *model.latent_shape), generator=generator)
    timesteps = torch.tensor([7, 803, 401][: len(prompts)])
    text: Conditioning = model.encode_text(prompts)
    return model.predict(noisy, timesteps, text)
