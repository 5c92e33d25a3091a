"""Who is learned: the subject, and how prompts name it. (Torch-free.)"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, field_validator

from boothlab.config.base import Config
from boothlab.config.templates import IT as IT
from boothlab.files import safe_name

CLASS = "CLASS"
"""Template word that stands for the class noun alone."""

NO_ARTICLE = frozenset(
    ("people", "men", "women", "children", "police", "feet", "teeth", "geese", "mice", "sheep", "fish", "cattle")
    + ("hair", "food", "furniture", "water", "clothing", "jewelry", "jewellery", "art", "money", "luggage")
)
"""Nouns without "a" that do not end like a plural."""

DETERMINERS = frozenset(("a", "an", "the", "my", "your", "his", "her", "its", "our", "their", "this", "that", "some"))
"""Words after which no article is missing."""

ALONE = re.compile(
    r"(?:^|(?<=[,.;:(] )|(?<=\b(?:of|as|by|in|on|at|to) )|(?<=\b(?:and|for) )|(?<=\b(?:with|like|from|near) ))"
    + re.escape(IT)
)
"""``{it}`` at the beginning, after a stop or a preposition: nothing before it can be its article or adjective."""

ARTICLE_BEFORE = re.compile(rf"\b([Aa]n?) {CLASS}\b")
ARTICLE_BEFORE_IT = re.compile(r"\b([Aa]n?) " + re.escape(IT))


class Subject(Config):
    """One person, pet or thing to be learned."""

    name: str = Field(min_length=1, max_length=48)
    """What you call the subject: used in folder names and reports, never shown to the model."""
    photos: Path
    """Folder of photos as they come from the camera, or a photo set made by `boothlab prepare`."""
    class_noun: str = Field("person", min_length=1)
    """What the subject is, in a word the base model knows: person, woman, dog, vase …"""
    identifier: str | None = None
    """The rare word that will name the subject; left out, the first suggestion of `boothlab tokens`."""
    identifier_alone: bool = False
    """Whether prompts say the identifier without the class noun after it: "a photo of rinn", not "a photo of rinn
    person". The class noun still is what class images show and what the untrained model is asked for."""
    description: str | None = None
    """The subject in words the base model knows ("a woman with red curly hair and freckles"): what prompting alone
    reaches, the level that tuning has to beat. Left out, that level is not measured."""
    weight: float = Field(1.0, gt=0)
    """Weight of this subject's photos in the loss, relative to the other subjects: it is divided by the mean over all
    photos that are trained on, so a lone subject's does nothing."""

    @field_validator("photos", mode="before")
    @classmethod
    def _somewhere(cls, value: object) -> object:
        # An empty path is the current folder to Python, and whatever lies there would be trained on.
        if value == "":
            raise ValueError("it is empty; name a folder of photos")
        return value

    @field_validator("name")
    @classmethod
    def _file_name(cls, value: str) -> str:
        # It names a folder inside the run folder, on every operating system.
        if safe_name(value) != value.replace(" ", "-"):
            raise ValueError(f"use letters, digits, spaces and - _ . only, for example {safe_name(value)!r}")
        return value

    @field_validator("class_noun")
    @classmethod
    def _a_word(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("a class noun is a word, for example person")
        return _without_braces("a class noun", value)

    @field_validator("identifier")
    @classmethod
    def _one_word(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"\S+", value):
            raise ValueError("an identifier is one word without spaces")
        return value if value is None else _without_braces("an identifier", value)


def _without_braces(what: str, value: str) -> str:
    """Raises ValueError where ``value``, which takes the place of ``{it}`` in prompts, would say it again."""
    if "{" in value or "}" in value:
        raise ValueError(f"{what} has no braces: it stands where prompts say {IT}")
    return value


def called(subject: Subject) -> str:
    """What stands for ``{it}`` where a tuned model is asked: "rinn person", or "rinn" where it stands alone."""
    if subject.identifier is None:
        return subject.class_noun
    return subject.identifier if subject.identifier_alone else f"{subject.identifier} {subject.class_noun}"


def fill_tuned(template: str, subject: Subject) -> str:
    """The prompt with which a tuned model is asked for the subject.

    >>> rinn = Subject(name="ada", photos="photos", identifier="rinn")
    >>> fill_tuned("a photo of {it}, not any CLASS", rinn)
    'a photo of rinn person, not any person'
    >>> fill_tuned("a photo of {it}, not any CLASS", rinn.model_copy(update={"identifier_alone": True}))
    'a photo of rinn, not any person'
    """
    if subject.identifier is not None:
        template = template.replace(IT, called(subject))
    return fill(template, subject.class_noun)


def fill_described(template: str, description: str, class_noun: str) -> str:
    """The prompt with the subject described in words instead of named.

    A description that brings its own article or possessive takes the place of the template's.

    >>> fill_described("a portrait of a {it} beside a CLASS", "a woman with red hair", "owl")
    'a portrait of a woman with red hair beside an owl'
    >>> fill_described("a portrait of the {it}", "my brown dog", "dog")
    'a portrait of my brown dog'
    """
    if description.partition(" ")[0].lower() in DETERMINERS:
        template = re.sub(r"\b(?:an?|the)\s+\{it\}", IT, template, flags=re.IGNORECASE)
    return fill(template.replace(IT, description), class_noun)


def fill(template: str, class_noun: str) -> str:
    """The prompt without an identifier: ``{it}`` is the class noun, with the article it needs.

    A model that was not tuned is asked what people write, "a photo of a person". ``a CLASS`` says "an" where the noun
    asks for it, and a plural or uncountable noun has no article at all.

    >>> fill("a photo of {it} on a beach", "old man")
    'a photo of an old man on a beach'
    >>> fill("a photo of the smiling {it}", "person")
    'a photo of the smiling person'
    >>> fill("a photo of a CLASS", "glasses")
    'a photo of glasses'
    """
    words = ARTICLE_BEFORE.sub(lambda found: _with_article(class_noun, found[1]), template)
    words = ALONE.sub(lambda found: _with_article(class_noun, "A" if found.start() == 0 else "a"), words)
    words = ARTICLE_BEFORE_IT.sub(lambda found: _with_article(class_noun, found[1]), words)
    # A function, because a backslash in a text that replaces would mean a group.
    return re.sub(rf"\b{CLASS}\b", lambda _: class_noun, words.replace(IT, class_noun))


def _with_article(noun: str, like: str) -> str:
    """``noun`` after "a" or "an", capital where ``like`` is; bare where it is plural, uncountable or determined."""
    first, last = noun.split()[0].lower(), noun.split()[-1].lower()
    plural = last.endswith("s") and not last.endswith(("ss", "us", "is", "as"))
    if plural or last in NO_ARTICLE or first in DETERMINERS:
        return noun
    article = "an" if re.match(r"(?!uni|us[aeu]|eu|one\b|once\b)[aeiou]|hon(?:est|o)|hour|heir", first) else "a"
    return f"{article.capitalize() if like[0].isupper() else article} {noun}"
