"""Which pictures are drawn to judge a model: prompts, roles, seeds. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from boothlab.evaluation.config import Evaluation
from boothlab.evaluation.prompts import BARE
from boothlab.generation.picture import Order, Picture
from boothlab.metrics.metric import Role
from boothlab.seeds import derive
from boothlab.subjects import Subject, fill, fill_described, fill_tuned

Source = Literal["tuned", "base", "described"]
"""Who draws: a snapshot, asked with the identifier; the base model, asked with the class alone; the base model, asked
with the subject's description, which shows what prompting reaches without any training."""

SOURCES: tuple[Source, ...] = ("tuned", "base", "described")

CLASS_PROMPT = "a photo of a CLASS"
UNRELATED_REPEATS = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """One picture to be drawn. ``text`` is the prompt with the identifier left out: what prompt following is
    measured against, because no text encoder but the tuned one knows the identifier."""

    role: Role
    order: Order
    text: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """One picture of the evaluation."""

    role: Role
    picture: Picture
    text: str


Sets = Mapping[Role, list[Drawn]]
"""The pictures of one source, by role."""


def wanted(evaluation: Evaluation, subject: Subject, source: Source) -> list[Wanted]:
    """All pictures of one source. Pictures of equal rank have the same initial noise in every source.

    The class prompt takes the noises of the bare prompt. The base model is asked the same for both, and such
    pictures carry the same name, so they are drawn once.
    """
    noun = subject.class_noun
    found: list[Wanted] = []

    def add(role: Role, name: str, template: str, seed: int) -> None:
        text = fill(template, noun)
        if source == "described" and subject.description:
            prompt = fill_described(template, subject.description, noun)
        else:
            prompt = fill_tuned(template, subject) if source == "tuned" else text
        same = next((w.order for w in found if (w.order.prompt, w.order.seed) == (prompt, seed)), None)
        found.append(Wanted(role, same or Order(name, prompt, seed), text))

    for index, template in enumerate(evaluation.contexts()):
        for k in range(evaluation.repeats()):
            add("context", f"context-{index:02d}-{k:02d}", template, _seed(evaluation, "context", index, k))
    for k in range(evaluation.num_bare()):
        add("bare", f"bare-{k:03d}", BARE, _seed(evaluation, "bare", 0, k))
    if source == "described":
        return found
    for k in range(evaluation.num_class()):
        add("class", f"class-{k:03d}", CLASS_PROMPT, _seed(evaluation, "bare", 0, k))
    for index, template in _unrelated(evaluation, noun):
        for k in range(UNRELATED_REPEATS):
            add("unrelated", f"unrelated-{index:02d}-{k:02d}", template, _seed(evaluation, "unrelated", index, k))
    return found


def _unrelated(evaluation: Evaluation, noun: str) -> list[tuple[int, str]]:
    """Prompts that are not the class prompt itself, where the class moves; numbered by their places in the plan."""
    asked = fill(CLASS_PROMPT, noun)
    return [(k, said) for k, said in enumerate(evaluation.unrelated) if fill(said, noun) != asked]


def _seed(evaluation: Evaluation, role: str, index: int, k: int) -> int:
    return derive(evaluation.seed, "evaluation", role, index, k)


def unique(asked: list[Wanted]) -> list[Order]:
    """The orders to be drawn, each once, in order."""
    return list({w.order.name: w.order for w in asked}.values())


def by_role(asked: list[Wanted], pictures: list[Picture]) -> dict[Role, list[Drawn]]:
    """The drawn pictures of ``unique(asked)``, sorted back into their roles."""
    made = {order.name: picture for order, picture in zip(unique(asked), pictures, strict=True)}
    sets: dict[Role, list[Drawn]] = {}
    for w in asked:
        sets.setdefault(w.role, []).append(Drawn(w.role, made[w.order.name], w.text))
    return sets
