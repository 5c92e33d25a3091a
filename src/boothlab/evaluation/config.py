"""What is drawn and compared to judge a run. (Torch-free.)"""

from __future__ import annotations

from pydantic import Field

from boothlab.config.base import Config

STUDY_PROMPTS = (
    "a photo of {it} with a red background",
    "a photo of {it} with a blue background",
    "a photo of {it} with a yellow background",
    "a photo of {it} with a green background",
    "a photo of {it} wearing glasses",
    "a photo of {it} wearing a hat",
    "a photo of {it} wearing a white shirt",
    "a photo of {it} wearing a black shirt",
    "a portrait of {it}",
    "a photo of {it} smiling",
)
"""Ten contexts for a person; with two seeds each as many pictures as the source study judged by."""


class Evaluation(Config):
    """The pictures that every run and the base model draw, from the same seeds."""

    prompts: tuple[str, ...] = Field(STUDY_PROMPTS, min_length=1)
    """Prompt templates; {it} is "identifier class" for the tuned model and the class alone for the base model."""
    seeds_per_prompt: int = Field(2, ge=1, le=100)
    """Pictures per prompt, each from another initial noise."""
    seed: int = Field(0, ge=0)
    """Chooses the initial noises; a stream of its own, never shared with training or class images."""
    base: bool = True
    """Draw the base model's pictures too: without them no change can be seen."""
