"""The prompts that runs are compared on. (Torch-free.)

Contexts say what the subject is to do or to look like: they show whether prompts are still followed, and they hide
copying, because a copy in front of a beach is no copy. So as many pictures are drawn of the bare prompt.
"""

from __future__ import annotations

from typing import Literal

Preset = Literal["study", "standard", "paper"]

BARE = "a photo of {it}"
"""The prompt without any context: memorisation, diversity and glued backgrounds show here."""

TEN = (
    "a photo of {it} on a red background",
    "a photo of {it} on a blue background",
    "a photo of {it} on a yellow background",
    "a photo of {it} on a green background",
    "a portrait of {it} on a white background",
    "a portrait of {it} on a pink background",
    "a photo of {it} with glasses",
    "a photo of {it} wearing a black shirt",
    "a photo of {it} wearing a red cap",
    "a photo of {it} smiling",
)
"""Six backgrounds, whose colour can be checked in the picture, and four changes to the person."""

PAPER = (
    # recontextualisation
    "a photo of {it} on a beach at noon",
    "a photo of {it} in a snowy forest",
    "a photo of {it} in front of a bookshelf",
    "a photo of {it} on a busy street at night",
    "a photo of {it} in a kitchen",
    "a photo of {it} with mountains behind",
    "a photo of {it} in a sunlit garden",
    "a photo of {it} on a red background",
    "a photo of {it} on a blue background",
    "a photo of {it} on a white background",
    # accessories
    "a photo of {it} with glasses",
    "a photo of {it} wearing a red cap",
    "a photo of {it} wearing a black shirt",
    "a photo of {it} wearing a white shirt",
    "a photo of {it} wearing a suit and a tie",
    "a photo of {it} wearing a raincoat",
    "a photo of {it} wearing a chef's hat",
    # properties
    "a photo of {it} smiling",
    "a photo of {it} laughing with closed eyes",
    "a photo of {it} at the age of eighty",
    "a photo of {it} with blue hair",
    "a photo of {it} seen from the side",
    # styles
    "an oil painting of {it}",
    "a pencil sketch of {it}",
    "a portrait of {it} in comic style",
)
"""As many prompts as the DreamBooth paper used per subject, for people: contexts, accessories, properties, styles."""

UNRELATED = (
    "a photo of a plant",
    "a photo of a monster",
    "a photo of a dog",
    "a photo of a house",
    "a photo of a car",
)
"""Nothing to do with the subject, but for the one that names its class, which is not drawn: what changes is drift."""

PRESETS: dict[Preset, tuple[tuple[str, ...], int]] = {"study": (TEN, 2), "standard": (TEN, 8), "paper": (PAPER, 4)}
"""Preset → context prompts and pictures per prompt."""
