"""What is trained on at each step: a pure function of (seed, step), so order survives any interruption.

There are no epochs and no running iterator: the k-th photo dealt since step 0 is looked up in the shuffle of
its pass through the photos. Photos and class images are dealt by the same rule from pools of their own. The loop
sees all of it through :class:`Draws`, so that draws recorded elsewhere can be replayed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Literal

import torch
from torch import Tensor

from boothlab.diffusion.config import Objective
from boothlab.diffusion.objective import Noised
from boothlab.diffusion.timesteps import draw_timestep
from boothlab.models.model import Posterior
from boothlab.seeds import Purpose, derive
from boothlab.training.config import Training

Role = Literal["instance", "class"]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A picture ready for training: ``posterior`` (1, C, H, W), and of the latents ``mask_11HW`` under its own prompt
    and ``silent_mask_11HW`` where its caption is not said (None: all counts).

    ``weight`` is 1 on the mean over a pool's photos.
    ``id`` names it in messages and tests; ``class_noun`` says which class images go with a photo, ``class_prompt``
    what is said of a photo without its identifier, ``bare_prompt`` of one without its caption ("": never).
    """

    id: str
    posterior: Posterior
    prompt: str
    class_noun: str
    weight: float = 1.0
    mask_11HW: Tensor | None = None
    silent_mask_11HW: Tensor | None = None
    class_prompt: str = ""
    bare_prompt: str = ""

    @property
    def prompts(self) -> tuple[str, ...]:
        """Every prompt that it can be trained under."""
        return (self.prompt, self.bare_prompt) if self.bare_prompt else (self.prompt,)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """All photos (over all subjects), and the class images by class noun (empty without prior preservation)."""

    instances: tuple[Example, ...]
    classes: Mapping[str, tuple[Example, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Dealt:
    """One example in one slot of one step. ``slot`` numbers the step's photos from 0 over all passes."""

    example: Example
    role: Role
    slot: int


@lru_cache(maxsize=64)
def _shuffle(seed: int, role: str, turn: int, length: int) -> tuple[int, ...]:
    order = list(range(length))
    random.Random(derive(seed, "order", role, turn)).shuffle(order)
    return tuple(order)


def pick(seed: int, role: str, counter: int, count: int) -> int:
    """Index of the ``counter``-th example dealt from ``count``: each one once per turn, shuffled anew each turn."""
    turn, position = divmod(counter, count)
    return _shuffle(seed, role, turn, count)[position]


def _of_its_noun(pool: Pool, order: Sequence[int], turn: int, position: int) -> int:
    """How many photos of one noun come before that at ``position`` of turn ``turn``, where all turns have ``order``'s
    photos. Class images go by this count: by that of all photos, some would miss a turn, others come twice."""
    nouns = [pool.instances[index].class_noun for index in order]
    noun = nouns[position]
    return turn * nouns.count(noun) + nouns[:position].count(noun)


def deal(pool: Pool, seed: int, step: int, batch_size: int, accumulate: int) -> list[list[Dealt]]:
    """The passes of one optimizer step. Each has ``batch_size`` photos, then as many class images (if any).

    Every pass has the same roles and no pass is short, so the mean over passes is the big batch.
    """
    first, length = step * batch_size * accumulate, len(pool.instances)
    passes = []
    for number in range(accumulate):
        photos, partners = [], []
        for slot in range(number * batch_size, (number + 1) * batch_size):
            turn, position = divmod(first + slot, length)
            order = _shuffle(seed, "instance", turn, length)
            photo = pool.instances[order[position]]
            photos.append(Dealt(photo, "instance", slot))
            candidates = pool.classes.get(photo.class_noun)
            if candidates:
                counter = _of_its_noun(pool, order, turn, position)
                partner = pick(seed, f"class {photo.class_noun}", counter, len(candidates))
                partners.append(Dealt(candidates[partner], "class", slot))
        passes.append(photos + partners)
    return passes


def deal_by_epoch(pool: Pool, seed: int, step: int, batch_size: int, accumulate: int) -> list[list[Dealt]]:
    """The passes of one optimizer step as diffusers' script deals them, with epochs.

    An epoch has as many items as the longer of the two lists, in a new order each time; item i is photo i with
    class image i, each counted around its own list. The last batch of an epoch may be short, and so may its last
    accumulation window. Source: ``DreamBoothDataset`` and accelerate's ``accumulate``. Of several nouns, which it
    does not know, each has a list of class images of its own, and the epoch has items for the whole of each.
    """
    length = len(pool.instances)
    items = max(length, *(_to_the_end(pool, noun) for noun in pool.classes), 1)
    batches = math.ceil(items / batch_size)
    epoch, window = divmod(step, math.ceil(batches / accumulate))
    order = _shuffle(seed, "epoch", epoch, items)
    slots = count()
    passes = []
    for number in range(window * accumulate, min((window + 1) * accumulate, batches)):
        photos, partners = [], []
        for item in order[number * batch_size : (number + 1) * batch_size]:
            turn, position = divmod(item, length)
            photo = Dealt(pool.instances[position], "instance", next(slots))
            photos.append(photo)
            candidates = pool.classes.get(photo.example.class_noun)
            if candidates:
                partner = _of_its_noun(pool, range(length), turn, position) % len(candidates)
                partners.append(Dealt(candidates[partner], "class", photo.slot))
        passes.append(photos + partners)
    return passes


def _to_the_end(pool: Pool, noun: str) -> int:
    """How many items there are, photos in their order again and again, until those of ``noun`` have met each of its
    class images."""
    places = [place for place, photo in enumerate(pool.instances) if photo.class_noun == noun]
    if not places:
        return 0
    turns, rest = divmod(len(pool.classes[noun]) - 1, len(places))
    return turns * len(pool.instances) + places[rest] + 1


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """What is random about one slot of one step: two (C, H, W) standard normals, a timestep, what is said.

    ``noise_CHW`` carries its offset already, if the objective asks for one.
    """

    posterior_CHW: Tensor
    noise_CHW: Tensor
    timestep: int
    without_prompt: bool = False
    without_caption: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Where everything random in a step comes from. Both are functions of the step and of nothing before it.

    ``deal`` gives the passes of a step, ``draw`` what is drawn for one of its slots.
    """

    deal: Callable[[int], list[list[Dealt]]]
    draw: Callable[[int, Dealt], Draw]


def seeded_draws(pool: Pool, objective: Objective, settings: Training, timesteps: int) -> Draws:
    """The draws of a training: pure functions of (seed, step, slot, purpose), for ``timesteps`` timesteps."""
    dealer = deal
    if settings.compat == "diffusers":  # the script knows epochs, and captions or one prompt, not both
        dealer = deal_by_epoch
        objective = objective.model_copy(update={"instance_prompt_share": 0.0})
    return Draws(
        deal=lambda step: dealer(pool, settings.seed, step, settings.batch_size, settings.accumulate),
        draw=lambda step, dealt: draw(dealt, settings.seed, step, objective, timesteps),
    )


def _generator(seed: int, purpose: Purpose, step: int, dealt: Dealt) -> torch.Generator:
    return torch.Generator().manual_seed(derive(seed, purpose, step, dealt.role, dealt.slot))


def draw(dealt: Dealt, seed: int, step: int, objective: Objective, timesteps: int) -> Draw:
    """What is drawn for one slot; each purpose has a stream of its own, so no draw depends on another."""
    shape = dealt.example.posterior.mean_BCHW.shape[1:]
    noise = torch.randn(shape, generator=_generator(seed, "noise", step, dealt))
    if objective.offset_noise:
        offset = torch.randn((shape[0], 1, 1), generator=_generator(seed, "offset", step, dealt))
        noise = noise + objective.offset_noise * offset
    dropout = objective.caption_dropout
    share = objective.instance_prompt_share if dealt.example.bare_prompt else 0.0
    return Draw(
        posterior_CHW=torch.randn(shape, generator=_generator(seed, "posterior", step, dealt)),
        noise_CHW=noise,
        timestep=draw_timestep(objective.timesteps, timesteps, _generator(seed, "timestep", step, dealt)),
        without_prompt=dropout > 0 and _uniform(seed, "caption", step, dealt) < dropout,
        without_caption=share > 0 and _uniform(seed, "instance-prompt", step, dealt) < share,
    )


def _uniform(seed: int, purpose: Purpose, step: int, dealt: Dealt) -> float:
    return random.Random(derive(seed, purpose, step, dealt.role, dealt.slot)).random()


def noised(batch: Sequence[Dealt], draws: Sequence[Draw], prior_weight: float, device: torch.device) -> Noised:
    """Latents drawn from the posteriors, noise, timesteps and weights of one pass, on ``device``."""
    clean = []
    for dealt, drawn in zip(batch, draws, strict=True):
        posterior = dealt.example.posterior
        clean.append(posterior.draw(drawn.posterior_CHW[None].to(posterior.mean_BCHW.device)))
    instances = sum(dealt.role == "instance" for dealt in batch)
    return Noised(
        clean_BCHW=torch.cat(clean).to(device),
        noise_BCHW=torch.stack([drawn.noise_CHW for drawn in draws]).to(device),
        timestep_B=torch.tensor([drawn.timestep for drawn in draws], device=device),
        weight_B=torch.tensor(_weights(batch, prior_weight, instances), device=device),
        num_instance=instances,
        mask_B1HW=_masks(batch, draws, device),
    )


def _weights(batch: Sequence[Dealt], prior_weight: float, instances: int) -> list[float]:
    class_images = len(batch) - instances
    share = prior_weight * instances / class_images if class_images else 0.0
    return [dealt.example.weight * (1.0 if dealt.role == "instance" else share) for dealt in batch]


def _masks(batch: Sequence[Dealt], draws: Sequence[Draw], device: torch.device) -> Tensor | None:
    masks = [_mask(dealt.example, drawn) for dealt, drawn in zip(batch, draws, strict=True)]
    if all(mask is None for mask in masks):
        return None
    whole = torch.ones((1, 1, *batch[0].example.posterior.mean_BCHW.shape[-2:]))
    return torch.cat([whole if mask is None else mask for mask in masks]).to(device)


def _mask(example: Example, drawn: Draw) -> Tensor | None:
    silent = drawn.without_prompt or drawn.without_caption
    return example.silent_mask_11HW if silent else example.mask_11HW


def prompts(batch: Sequence[Dealt], draws: Sequence[Draw]) -> list[str]:
    """The prompt of each slot: its own, that without its caption, or the empty one where it was dropped."""
    return [_prompt(dealt.example, drawn) for dealt, drawn in zip(batch, draws, strict=True)]


def _prompt(example: Example, drawn: Draw) -> str:
    if drawn.without_prompt:
        return ""
    return example.bare_prompt if drawn.without_caption else example.prompt
