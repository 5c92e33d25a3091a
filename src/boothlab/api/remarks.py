"""What a user should know of a plan and its photos before anything starts, in sentences. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from boothlab.evaluation.lots import spoken
from boothlab.evaluation.prompts import BARE
from boothlab.files import read_json
from boothlab.models.config import Base
from boothlab.models.tokens import MOST_TOKENS, cut_off, load_tokenizer
from boothlab.photos.captions import misnamed
from boothlab.photos.config import HELD_OUT_FROM
from boothlab.photos.photoset import MANIFEST, PhotoSet
from boothlab.plan import RunPlan
from boothlab.subjects import IT, Subject, fill_described, fill_tuned

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


def shows_nothing(black: Mapping[str, Sequence[bool]]) -> list[str]:
    """A sentence for who drew black pictures, of "base" and snapshots → whether each of their pictures is black."""
    return [
        f"{sum(found)} of {len(found)} pictures of {spoken(name)} are black: what the model made of them was no "
        "numbers. Weights that went astray do that; take an earlier snapshot, or train with a lower learning rate."
        for name, found in black.items()
        if any(found)
    ]


def untold(plan: RunPlan, sets: Mapping[str, PhotoSet]) -> list[str]:
    """A sentence per setting of captions that finds none to work on."""
    objective, warnings = plan.objective, []
    told = [photo for found in sets.values() for photo in found.train if photo.caption]
    if objective.instance_prompt_share and not told:
        warnings.append(
            "objective.instance_prompt_share does nothing: no photo has a caption, all say instance_prompt."
        )
    elif objective.instance_prompt_share and plan.training.compat == "diffusers":
        warnings.append("objective.instance_prompt_share does nothing with training.compat = 'diffusers'.")
    if objective.caption_lifts_mask and all(photo.mask is None for photo in told):
        what = "no photo with a caption has a mask" if told else "no photo has a caption"
        warnings.append(f"objective.caption_lifts_mask does nothing: {what}.")
    return warnings


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
    prompts = []
    for subject in plan.subjects:
        captions = [photo.caption for photo in sets[subject.name].photos if photo.caption]
        templates = (*templates_of(plan), *captions)
        prompts += [fill_tuned(template, subject) for template in templates]
    described = [text for subject in plan.subjects for text in _cut_by_description(plan, subject)]
    return [*too_long(plan.base, prompts), *described]


def templates_of(plan: RunPlan) -> tuple[str, ...]:
    """The templates that a plan itself says, of everything that is trained on or drawn."""
    objective, evaluation, preview = plan.objective, plan.evaluation, plan.training.validation.preview
    return (
        *(objective.instance_prompt, objective.class_prompt, *objective.class_contexts),
        *(*evaluation.contexts(), *evaluation.unrelated),
        *(preview.prompts if preview.every is not None else ()),
    )


def too_long(base: Base, prompts: Iterable[str]) -> list[str]:
    """A sentence per prompt, each once, of which this base model would never see the end."""
    tokenizer = load_tokenizer(base)
    lost = {prompt: cut_off(tokenizer, prompt) for prompt in dict.fromkeys(prompts)}
    return [
        f"The prompt {prompt[:60]!r}… is longer than the {MOST_TOKENS} tokens that the model reads; "
        f"it never sees {end!r}."
        for prompt, end in lost.items()
        if end
    ]


def _cut_by_description(plan: RunPlan, subject: Subject) -> list[str]:
    """A sentence where a subject's description leaves no room for prompts that are read whole without it."""
    if not subject.description or not plan.evaluation.base:
        return []
    tokenizer, noun = load_tokenizer(plan.base), subject.class_noun
    templates = dict.fromkeys((BARE, *plan.evaluation.contexts()))
    whole = [one for one in templates if not cut_off(tokenizer, fill_tuned(one, subject))]
    cut = too_long(plan.base, (fill_described(one, subject.description, noun) for one in whole))
    # One description may cut every prompt, each at its own word: what it does is clear from the first.
    more = f" The description of {subject.name} cuts {len(cut) - 1} more." if len(cut) > 1 else ""
    return [cut[0] + more] if cut else []
