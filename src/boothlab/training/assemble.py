"""From photo sets and class images to the pool that the loop deals from: latents encoded once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from boothlab.diffusion.config import Objective
from boothlab.errors import PhotoError
from boothlab.models.model import Model, Posterior
from boothlab.photos.photo import Photo
from boothlab.strategies.config import Strategy
from boothlab.subjects import Subject, fill, fill_tuned
from boothlab.training import threads
from boothlab.training.batches import Example, Pool, seeded_draws
from boothlab.training.class_images import ClassImage, read_class_image
from boothlab.training.config import Training
from boothlab.training.ema import Ema
from boothlab.training.job import Job
from boothlab.training.kept import Kept
from boothlab.training.latents import encode, encode_kept, encode_shared
from boothlab.training.optim import Optimizer
from boothlab.training.prior import FrozenPrior

Progress = Callable[[int, int], None]

Mask = NDArray[np.uint8]
"""(H, W) of pixels: 255 where the loss counts fully, 0 where not at all."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """The photos that one subject is trained on."""

    subject: Subject
    photos: tuple[Photo, ...]


def build_pool(
    model: Model,
    objective: Objective,
    sets: Sequence[TrainingSet],
    classes: Mapping[str, Sequence[ClassImage]],
    progress: Progress | None = None,
    base_fingerprint: str | None = None,
    kept: Kept | None = None,
) -> Pool:
    """Encode every photo and class image once; each step still draws its own sample from the posterior.

    With the base model's fingerprint, latents of class images that it drew are shared with other runs; those of
    photos and of a class folder of one's own only with the trainings that ``kept`` belongs to.
    """
    total = sum(len(s.photos) for s in sets) + sum(len(found) for found in classes.values())
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    # Relative to each other: weights of 2 and 2 are no weights, and λ means what it says. This mean is exact: equal
    # ones give 1 to the last bit.
    usual = mean(s.subject.weight for s in sets for _ in s.photos)
    instances = []
    for training_set in sets:
        for photo in training_set.photos:
            example = _instance(model, objective, training_set.subject, photo, kept)
            instances.append(replace(example, weight=training_set.subject.weight / usual))
            tick()
    if objective.predicts_prior:
        return Pool(tuple(instances), photos_as_class(instances, objective.class_prompt))
    encoded: dict[str, tuple[Example, ...]] = {}
    for noun, found in classes.items():
        examples = []
        for picture in found:
            pixels = read_class_image(picture.path, model.size)
            if pixels is not None:
                posterior = _class_posterior(model, objective, pixels, base_fingerprint, kept)
                examples.append(Example(f"{noun}/{picture.path.name}", posterior, picture.prompt, noun))
            tick()
        if not examples:
            raise PhotoError(f"None of the {len(found)} class images of {noun!r} is usable.")
        encoded[noun] = tuple(examples)
    return Pool(tuple(instances), encoded)


def _class_posterior(
    model: Model, objective: Objective, pixels: NDArray[np.uint8], base_fingerprint: str | None, kept: Kept | None
) -> Posterior:
    """Latents of what the base model drew show nobody, and are shared with all runs on this machine. Pictures of the
    user's own folder may: theirs stay where those of photos do."""
    if objective.class_folder is not None:
        return encode_kept(model, kept, pixels)
    return encode(model, pixels) if base_fingerprint is None else encode_shared(model, base_fingerprint, pixels)


def photos_as_class(instances: Sequence[Example], class_prompt: str) -> dict[str, tuple[Example, ...]]:
    """The photos once more, masks and all, under their class prompts: what a frozen model predicts is their target.

    ``class_prompt`` is the template of those without captions, which takes turns with a caption's.
    """
    classes: dict[str, tuple[Example, ...]] = {}
    for photo in instances:
        named = f"{photo.id} as {photo.class_noun}"
        bare = fill(class_prompt, photo.class_noun) if photo.bare_prompt else ""
        again = replace(photo, id=named, prompt=photo.class_prompt, bare_prompt=bare, weight=1.0)
        classes[photo.class_noun] = (*classes.get(photo.class_noun, ()), again)
    return classes


def encode_held_out(
    model: Model, objective: Objective, sets: Sequence[TrainingSet], kept: Kept | None = None
) -> tuple[Example, ...]:
    """Held-out photos, encoded for the validation loss; ``sets`` holds them in place of the training photos."""
    return tuple(_instance(model, objective, s.subject, photo, kept) for s in sets for photo in s.photos)


def _instance(model: Model, objective: Objective, subject: Subject, photo: Photo, kept: Kept | None) -> Example:
    bare = fill_tuned(objective.instance_prompt, subject)
    prompt = fill_tuned(photo.caption, subject) if photo.caption else bare
    shape = model.latent_shape[1:]
    mask = None if photo.mask is None else latent_mask(photo.mask, shape)
    lifts = objective.caption_lifts_mask and prompt != bare
    return Example(
        id=f"{subject.name}/{photo.name}",
        posterior=encode_kept(model, kept, photo.pixels),
        prompt=prompt,
        class_noun=subject.class_noun,
        class_prompt=fill(objective.class_template(photo.caption), subject.class_noun),
        mask_11HW=latent_mask(lifted(photo.mask), shape) if lifts and photo.mask is not None else mask,
        silent_mask_11HW=mask,
        bare_prompt=bare if objective.instance_prompt_share > 0 and prompt != bare else "",
    )


def lifted(mask: Mask) -> Mask:
    """The pixel mask with all that counts a little counting fully, 255; what is left out wholly stays out, 0."""
    return np.where(mask > 0, np.uint8(255), np.uint8(0))


def latent_mask(mask: Mask, shape: Sequence[int]) -> Tensor:
    """(1, 1, H, W) share of each latent's area that counts, 0…1, from a pixel mask of 0…255.

    Raises PhotoError when nothing is left to learn from.
    """
    height, width = shape
    small = np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.BOX))
    tensor = torch.from_numpy(small.astype(np.float32) / 255.0)[None, None]
    if float(tensor.sum()) <= 0.0:
        raise PhotoError("A photo is masked out completely; nothing of it would be learned.")
    return tensor


def build_job(
    model: Model,
    strategy: Strategy,
    subjects: Sequence[Subject],
    objective: Objective,
    settings: Training,
    pool: Pool,
    folder: Path | None,
    kept: Kept | None = None,
) -> Job:
    """Attach the strategy and make the optimizer. ``model`` must be fresh: nothing attached before.

    Prompts that frozen text encoders read are looked up among what other trainings ``kept``.
    """
    threads.take(settings)
    # Copied before the strategy changes anything.
    prior = FrozenPrior(model, kept) if objective.predicts_prior else None
    attached = strategy.attach(model, subjects, settings.seed)
    if settings.compute.gradient_checkpointing:
        model.checkpoint_gradients()
    parameters = {name: p for group in attached.groups for name, p in group.parameters.items()}
    decay = settings.optimizer.ema_decay
    return Job(
        model=model,
        attached=attached,
        optimizer=Optimizer(attached.groups, settings.optimizer, fp16=settings.compute.precision == "fp16"),
        pool=pool,
        draws=seeded_draws(pool, objective, settings, len(model.schedule)),
        objective=objective,
        settings=settings,
        steps=settings.total_steps(len(pool.instances)),
        folder=folder,
        prior=prior,
        kept=kept,
        ema=None if decay is None else Ema(parameters, decay),
    )
