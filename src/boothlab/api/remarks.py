"""What a user should know of a plan and its photos before anything starts, in sentences. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Mapping

from boothlab.files import read_json
from boothlab.models.tokens import MOST_TOKENS, cut_off, load_tokenizer
from boothlab.photos.captions import misnamed
from boothlab.photos.config import HELD_OUT_FROM
from boothlab.photos.photoset import MANIFEST, PhotoSet
from boothlab.plan import RunPlan
from boothlab.subjects import IT, fill

MOST_NAMED = 3
"""So many photos that are set aside are named."""


def set_aside(sets: Mapping[str, PhotoSet]) -> list[str]:
    """Per subject with photos that cannot be used: which, and why, one on a line."""
    return [
        f"Set aside of {name}:"
        + "".join(f"\n  {one.name} {one.reason}" for one in found.rejected[:MOST_NAMED])
        + (f"\n  and {len(found.rejected) - MOST_NAMED} more" if len(found.rejected) > MOST_NAMED else "")
        for name, found in sets.items()
        if found.rejected
    ]


def lost_captions(sets: Mapping[str, PhotoSet]) -> list[str]:
    """A sentence per table of captions that seems to mean photos, and does not name them in full.

    Of other names nothing is said: a study leaves photos out on purpose, and their captions with them.
    """
    return [
        f"{words['name']} of {name}: {words['fate']} Photos are named in full there, with their endings."
        for name, found in sets.items()
        for words in read_json(found.path / MANIFEST).get("other_files", ())
        if misnamed(str(words["fate"]))
    ]


def remarks_on(sets: Mapping[str, PhotoSet]) -> list[str]:
    """A sentence per subject without held-out photos."""
    return [
        f"All scores of {name} are to training photos: none is held out. They reward copying, and no snapshot can be "
        f"recommended. Give {HELD_OUT_FROM} usable photos or more, or a folder of others as photos.references."
        for name, found in sets.items()
        if not found.held_out
    ]


def unnamed(plan: RunPlan, sets: Mapping[str, PhotoSet]) -> list[str]:
    """A sentence per subject that no prompt names where it is learnt, or where it is looked at."""
    objective, warnings = plan.objective, []
    for subject in plan.subjects:
        names = (IT, *([subject.identifier] if subject.identifier else []))
        bare = [photo for photo in sets[subject.name].train if not photo.caption]
        if (bare or objective.instance_prompt_share) and not any(name in objective.instance_prompt for name in names):
            warnings.append(
                f"objective.instance_prompt is {objective.instance_prompt!r}: it does not say {IT}, so nothing names "
                f"{subject.name} in the training."
            )
        if not any(name in template for name in names for template in plan.evaluation.contexts()):
            warnings.append(
                f"No prompt of evaluation.prompts says {IT}: none of these pictures is asked to show {subject.name}."
            )
    return warnings


def long_prompts(plan: RunPlan, sets: dict[str, PhotoSet]) -> list[str]:
    """What the model would never see of the plan's prompts and the photos' captions, because they are too long."""
    tokenizer = load_tokenizer(plan.base)
    warnings = []
    for subject in plan.subjects:
        captions = [photo.caption for photo in sets[subject.name].photos if photo.caption]
        own = [plan.objective.instance_prompt, plan.objective.class_prompt]
        templates = [*own, *plan.evaluation.contexts(), *captions]
        for template in dict.fromkeys(templates):
            prompt = fill(template, subject.identifier, subject.class_noun)
            lost = cut_off(tokenizer, prompt)
            if lost:
                warnings.append(
                    f"The prompt {prompt[:60]!r}… is longer than the {MOST_TOKENS} tokens that the model reads; "
                    f"it never sees {lost!r}."
                )
    return warnings
