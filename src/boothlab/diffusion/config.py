"""Settings of the objective: what is minimised. (Torch-free.)"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from boothlab.config.base import Config
from boothlab.config.templates import require_known_words


class Objective(Config):
    """What the training minimises."""

    instance_prompt: str = "a photo of {it}"
    """Prompt of a photo that has no caption of its own; {it} stands for "identifier class", or for what
    the subject's ``identifier_alone`` leaves of it."""
    instance_prompt_share: float = Field(0.0, ge=0, le=1)
    """Share of the samples of photos with captions that are trained under ``instance_prompt`` alone. Where all
    captions have words in common ("on a … background"), the identifier else means the subject only beside these."""
    caption_lifts_mask: bool = False
    """Under its caption let all of a photo count that its mask weighs less, such as what a spotlight leaves in the
    dark; under ``instance_prompt`` alone the mask holds. The caption says what is around the subject; the instance
    prompt does not, and would learn it as a part of the subject. What a mask leaves out wholly stays out."""
    class_prompt: str = "a photo of a CLASS"
    """Prompt of the class images; CLASS stands for the class noun."""
    class_captions: bool = True
    """Where photos have captions, draw and train class images under these, without the identifier, in turn with the
    class prompt, which keeps half of them (``class_contexts`` share the other half). Else the captions' own words
    would tell the subject from its class, and the identifier would stay without meaning."""
    class_contexts: tuple[str, ...] = ()
    """More templates that class images are drawn and trained under, in turn with the class prompt and the captions,
    such as "a photo of a CLASS on a beach". What no class image shows is not preserved: words that neither captions
    nor class prompt say drift away from what they meant."""
    prior_preservation: bool = True
    """Train on pictures of the class that the base model drew itself, so that it does not forget the class."""
    prior_from: Literal["class_images", "prediction"] = "class_images"
    """Learn from pictures that the base model drew, or, without pictures, from what it predicts for the photos,
    noised anew, when it is given the class prompt. The latter holds a frozen copy of the model in memory."""
    prior_weight: float = Field(1.0, ge=0)
    """λ: weight of the class images in the loss, mean(instance) + λ·mean(class)."""
    class_images: int = Field(100, ge=1, le=10_000)
    """How many class images per class noun."""
    class_folder: Path | None = None
    """Folder with class pictures of your own, used instead of generated ones: the first ``class_images`` by name."""
    snr_gamma: float | None = Field(None, gt=0)
    """Min-SNR-γ weighting (5 is customary); left out, every timestep weighs the same."""
    offset_noise: float = Field(0.0, ge=0, le=1)
    """Strength of the per-channel constant added to the noise (0.1 is customary where it is used)."""
    timesteps: Literal["uniform", "logit_normal"] = "uniform"
    """How timesteps are drawn: all equally often, or those in the middle more often."""
    caption_dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the samples that are trained with an empty prompt."""

    @model_validator(mode="after")
    def _templates_are_known(self) -> Objective:
        require_known_words("instance_prompt", [self.instance_prompt])
        require_known_words("class_prompt", [self.class_prompt])
        require_known_words("class_contexts", self.class_contexts)
        return self

    @model_validator(mode="after")
    def _contexts_are_drawn(self) -> Objective:
        odd = [context for context in self.class_contexts if not re.search(r"\bCLASS\b", context)]
        if odd:
            raise ValueError(f"class_contexts: {odd[0]!r} does not say CLASS, which stands for the class noun")
        if self.class_contexts and not self.draws_class_images:
            raise ValueError(
                "class_contexts are for class images that the base model draws; there are none without prior "
                "preservation, with prior_from 'prediction' or with a class_folder"
            )
        return self

    @model_validator(mode="after")
    def _folder_is_read(self) -> Objective:
        if self.class_folder is not None and (not self.prior_preservation or self.predicts_prior):
            setting, more = "prior_from = 'prediction'", ""
            if not self.prior_preservation:
                setting, more = "prior_preservation = false", "; a study of both varies prior_weight (0: none)"
            raise ValueError(f"class_folder is not read with {setting}: leave one of the two out{more}")
        return self

    @property
    def predicts_prior(self) -> bool:
        """Whether a frozen copy of the model says what the class looked like, and no class image is wanted."""
        return self.prior_preservation and self.prior_from == "prediction"

    @property
    def draws_class_images(self) -> bool:
        """Whether the base model draws class images: no folder of them is given, no prediction stands for them."""
        return self.prior_preservation and not self.predicts_prior and self.class_folder is None

    def class_template(self, caption: str | None) -> str:
        """The template of the class prompt that goes with a photo of this caption (None: it has none)."""
        return caption if caption is not None and self.class_captions else self.class_prompt
