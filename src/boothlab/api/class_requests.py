"""The class images that a plan asks for: `train` draws them, `check` counts what is missing. (Torch-free.)"""

from __future__ import annotations

from boothlab.plan import RunPlan
from boothlab.subjects import fill
from boothlab.training.class_request import ClassRequest

CLASS_IMAGE_SEED = 0
"""Class images have a seed of their own, so that runs with different training seeds share them."""


def class_requests(plan: RunPlan, base_fingerprint: str) -> dict[str, ClassRequest]:
    """What is to be drawn by class noun; nothing where a resolved plan draws no class images."""
    objective = plan.objective
    if not objective.prior_preservation or objective.prior_from == "prediction" or objective.class_folder is not None:
        return {}
    return {
        noun: ClassRequest(
            base_fingerprint=base_fingerprint,
            prompt=fill(objective.class_prompt, None, noun),
            size=plan.photos.size or 0,
            count=objective.class_images,
            sampler=plan.generation.sampler,
            steps=plan.generation.steps,
            guidance=plan.generation.guidance,
            seed=CLASS_IMAGE_SEED,
        )
        for noun in dict.fromkeys(subject.class_noun for subject in plan.subjects)
    }
