"""Who is learned: the subject, and how prompts name it. (Torch-free.)"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, field_validator

from boothlab.config.base import Config
from boothlab.files import safe_name

IT = "{it}"
"""Template word that stands for "identifier class", e.g. "rinn person"."""

CLASS = "CLASS"
"""Template word that stands for the class noun alone."""


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
    description: str | None = None
    """The subject in words the base model knows ("a woman with red curly hair and freckles"): what prompting alone
    reaches, the level that tuning has to beat. Left out, that level is not measured."""
    weight: float = Field(1.0, gt=0)
    """Weight of this subject's photos in the loss, relative to the other subjects."""

    @field_validator("name")
    @classmethod
    def _file_name(cls, value: str) -> str:
        # It names a folder inside the run folder, on every operating system.
        if safe_name(value) != value.replace(" ", "-"):
            raise ValueError(f"use letters, digits, spaces and - _ . only, for example {safe_name(value)!r}")
        return value

    @field_validator("identifier")
    @classmethod
    def _one_word(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"\S+", value):
            raise ValueError("an identifier is one word without spaces")
        return value


def fill(template: str, identifier: str | None, class_noun: str) -> str:
    """The prompt a template stands for; without an identifier ``{it}`` is the class noun alone.

    >>> fill("a photo of {it} on a beach", "rinn", "person")
    'a photo of rinn person on a beach'
    >>> fill("a photo of a {it}", None, "person")
    'a photo of a person'
    """
    it = f"{identifier} {class_noun}" if identifier else class_noun
    return re.sub(rf"\b{CLASS}\b", class_noun, template.replace(IT, it))
