"""What is drawn and compared to judge a run. (Torch-free.)"""

from __future__ import annotations

from pydantic import Field, model_validator

from boothlab.config.base import Config
from boothlab.config.templates import require_known_words
from boothlab.evaluation.prompts import PRESETS, UNRELATED, Preset


class Evaluation(Config):
    """The pictures that every run and the base model draw, from the same seeds."""

    preset: Preset = "study"
    """study: 10 prompts × 2 seeds, as many pictures as the source study had; standard: 10 × 8; paper: 25 × 4."""
    prompts: tuple[str, ...] | None = Field(None, min_length=1)
    """Your own context prompts in place of the preset's; {it} is "identifier class" for the tuned model (or the
    identifier alone, as the subject says) and the class alone for the base model."""
    seeds_per_prompt: int | None = Field(None, ge=1, le=100)
    """Pictures per context prompt, each from another initial noise; left out, the preset's number."""
    bare: int | None = Field(None, ge=0, le=1000)
    """Pictures of the bare prompt "a photo of {it}"; left out, as many as there are context pictures."""
    class_pictures: int | None = Field(None, ge=0, le=1000)
    """Pictures of the class prompt, without identifier; left out, half as many as bare ones."""
    unrelated: tuple[str, ...] = UNRELATED
    """Prompts that have nothing to do with the subject, drawn twice each; () for none. One that is the class prompt
    itself ("a photo of a dog" for a dog) is left out."""
    seed: int = Field(0, ge=0)
    """Chooses the initial noises; a stream of its own, never shared with training or class images."""
    base: bool = True
    """Draw the base model's pictures too: without them no change can be seen."""
    references_at_random: bool = False
    """Say that chance decided which photos went to `photos.references` and which are trained on. Only then the test
    of memorisation is exact: other photos, of another day say, differ from those trained on in more than that."""

    @model_validator(mode="after")
    def _templates_are_known(self) -> Evaluation:
        require_known_words("prompts", self.prompts or ())
        for name, said in (("prompts", self.prompts or ()), ("unrelated", self.unrelated)):
            if any(not prompt.strip() for prompt in said):
                raise ValueError(f"{name}: one of them is empty; say what is drawn")
        return self

    def contexts(self) -> tuple[str, ...]:
        """The context prompts."""
        return PRESETS[self.preset][0] if self.prompts is None else self.prompts

    def repeats(self) -> int:
        """Pictures per context prompt."""
        return PRESETS[self.preset][1] if self.seeds_per_prompt is None else self.seeds_per_prompt

    def num_bare(self) -> int:
        """Pictures of the bare prompt."""
        return len(self.contexts()) * self.repeats() if self.bare is None else self.bare

    def num_class(self) -> int:
        """Pictures of the class prompt."""
        return self.num_bare() // 2 if self.class_pictures is None else self.class_pictures
