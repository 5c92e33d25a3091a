"""The class images that a plan asks for: `train` draws them, `check` counts what is missing. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Mapping

from boothlab.photos.folder import pictures_in
from boothlab.photos.photoset import PhotoSet
from boothlab.plan import RunPlan
from boothlab.subjects import fill
from boothlab.training.class_request import ClassRequest

CLASS_IMAGE_SEED = 0
"""Class images have a seed of their own, so that runs with different training seeds share them."""


def class_requests(plan: RunPlan, base_fingerprint: str, sets: Mapping[str, PhotoSet]) -> dict[str, ClassRequest]:
    """What is to be drawn by class noun; nothing where a resolved plan draws no class images.

    ``sets`` maps subjects to their photos, whose captions the class prompts follow if the plan says so.
    """
    objective = plan.objective
    if not objective.draws_class_images:
        return {}
    return {
        noun: ClassRequest(
            base_fingerprint=base_fingerprint,
            prompts=_prompts(plan, noun, sets),
            size=plan.photos.size or 0,
            count=objective.class_images,
            sampler=plan.generation.sampler,
            steps=plan.generation.steps,
            guidance=plan.generation.guidance,
            seed=CLASS_IMAGE_SEED,
            spacing=plan.generation.spacing,
        )
        for noun in dict.fromkeys(subject.class_noun for subject in plan.subjects)
    }


def too_few_class_images(plan: RunPlan, base_fingerprint: str, sets: Mapping[str, PhotoSet]) -> list[str]:
    """A sentence per class noun whose class images are too few to be drawn by each of their prompts, or one where
    they are fewer than the plan's own folder holds."""
    folder = plan.objective.class_folder
    if folder is not None:
        there, used = len(pictures_in(folder, "objective.class_folder")), plan.objective.class_images
        told = f"Of the {there} pictures in objective.class_folder the first {used} by name are used: set"
        return [f"{told} objective.class_images = {there} for all of them."] if used < there else []
    return [
        _too_few(noun, request)
        for noun, request in class_requests(plan, base_fingerprint, sets).items()
        if request.count < len(request.prompts)
    ]


def _too_few(noun: str, request: ClassRequest) -> str:
    last = [prompt for prompt in request.prompts[request.count :] if prompt not in request.prompts[: request.count]]
    others = f" and {len(last) - 1} other{'s' if len(last) > 2 else ''}" if len(last) > 1 else ""
    return (
        f"objective.class_images = {request.count} is too few for all prompts of {noun}: no class image shows "
        f"{last[0]!r}{others}, so what {'they say' if others else 'it says'} is not preserved. "
        f"Set objective.class_images to {len(request.prompts)} or more, so that each has one."
    )


def _prompts(plan: RunPlan, noun: str, sets: Mapping[str, PhotoSet]) -> tuple[str, ...]:
    """The class prompt, in turn with the captions that the training photos of a class noun have and further contexts.

    The class prompt alone stays in, so that "a photo of a person" goes on being anybody anywhere.
    """
    plain = fill(plan.objective.class_prompt, noun)
    photos = [photo for s in plan.subjects if s.class_noun == noun for photo in sets[s.name].train]
    templates = [*(plan.objective.class_template(photo.caption) for photo in photos), *plan.objective.class_contexts]
    asked = dict.fromkeys(fill(template, noun) for template in templates)
    return tuple(text for prompt in asked if prompt != plain for text in (plain, prompt)) or (plain,)
