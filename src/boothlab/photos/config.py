"""Settings of photo preparation. (Torch-free.)"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from boothlab.config.base import Config, closed_union
from boothlab.photos.steps import STEPS
from boothlab.photos.steps.center import Center
from boothlab.photos.steps.head import Head
from boothlab.photos.steps.letterbox import Letterbox
from boothlab.photos.steps.resize import Resize
from boothlab.photos.steps.smart import Smart
from boothlab.photos.steps.step import Step

if TYPE_CHECKING:
    AnyStep = Step
else:
    AnyStep = closed_union(STEPS)

FRAMINGS: dict[str, type[Step]] = {"head": Head, "smart": Smart, "letterbox": Letterbox, "center": Center}
"""``photos.framing`` → the step it stands for."""


class Screen(Config):
    """Which photos are set aside. A limit that is left out is the domain's (docs/photo-doctor.md has the figures)."""

    faces: Literal["auto", "required", "ignored"] = "auto"
    """Whether every photo must show a face: "auto" asks for it when at least half of the photos do."""
    sharpness: float | None = Field(None, ge=0.0, le=1.0)
    """Least sharpness of the face (0–1); left out, 0.3 for photographs and 0.5 for drawings."""
    darkest: float = Field(45.0, ge=0.0, le=255.0)
    """Least luma (0–255) that the brightest twentieth of the face must reach, whatever the colour of the skin."""
    clipped: float = Field(0.25, ge=0.0, le=1.0)
    """Largest share of the face that may be burnt out: two of its three colours at their end."""
    yaw: float | None = Field(None, ge=0.0, le=90.0)
    """Largest turn of the head in degrees; left out, 40 for photographs and 60 for drawings."""
    duplicate: float | None = Field(None, ge=-1.0, le=1.0)
    """Correlation from which two photos are one; left out, 0.97 for photographs and 0.975 for drawings."""
    same_person: float | None = Field(None, ge=0.0)
    """Largest identity distance to the rest of the photos; left out, that of the identity encoder."""
    enabled: bool = True
    """False keeps every photo that can be read and framed."""


class Photos(Config):
    """How photos become a photo set."""

    orientation: Literal["exif", "ignore"] = "exif"
    """Turn photos upright as their EXIF tag says, or ignore the tag (to reproduce trainers that do)."""
    alpha: Literal["mask", "white"] = "mask"
    """What is transparent becomes white; "mask" also leaves it out of the loss."""
    domain: Literal["auto", "photographs", "drawings"] = "auto"
    """What the pictures are: decides who looks for faces and how strictly. Drawings for the built-in model."""
    size: int | None = Field(None, ge=16, le=4096, multiple_of=8)
    """Side of the prepared photos in pixels; left out, the size of the base model."""
    framing: Literal["auto", "head", "smart", "letterbox", "center"] = "auto"
    """How photos are made square; "auto" is head and neck where faces are seen, else around what stands out."""
    steps: tuple[AnyStep, ...] | None = None
    """What is done to each photo, in this order; left out, the framing and one resize. Steps that move no pixel, such
    as a spotlight alone, come behind these two."""
    screen: Screen = Screen()
    """Which photos are set aside."""
    keep: tuple[str, ...] = ()
    """Names of photos that are used whatever screening says about them."""
    include: tuple[str, ...] = ()
    """Names or patterns ("IMG_*.jpg") of the only photos that are taken; left out, all."""
    exclude: tuple[str, ...] = ()
    """Names or patterns of photos that are left out."""
    captions: Literal["use", "ignore"] = "use"
    """Captions beside the photos (docs/photo-doctor.md) say what in each is not the subject; or every photo is
    trained on with the instance prompt alone."""
    minimum: int = Field(1, ge=1)
    """Fewest usable photos per subject; fewer is an error."""
    references: Path | None = None
    """Folder of photos that are held out: never trained on, what likeness is measured against."""
    held_out: float = Field(0.25, ge=0.0, le=0.9)
    """Share of the photos that is never trained on, so that likeness can be measured honestly; from eight photos on,
    and then at least three. With fewer, `photos.references` can name others."""
    split_seed: int = 0
    """Which photos are held out."""

    @model_validator(mode="after")
    def _one_way_to_frame(self) -> Photos:
        if self.steps is not None and not self._marks_only() and self.framing != "auto":
            raise ValueError("photos.framing is short for the first of photos.steps; give one of the two")
        return self

    def held_out_of(self, count: int) -> int:
        """How many of ``count`` usable photos are never trained on where no references are given: none below
        :data:`HELD_OUT_FROM` photos, else the asked share and at least :data:`FEWEST_HELD_OUT`."""
        if self.held_out == 0.0 or count < HELD_OUT_FROM:
            return 0
        return max(FEWEST_HELD_OUT, round(self.held_out * count))

    def steps_for(self, framing: str) -> tuple[Step, ...]:
        """The steps, when "auto" turned out to mean ``framing``."""
        if self.steps is not None and not self._marks_only():
            return self.steps
        kind = FRAMINGS[framing if self.framing == "auto" else self.framing]
        return (kind(kind=kind.model_fields["kind"].default), Resize(), *(self.steps or ()))

    def _marks_only(self) -> bool:
        return bool(self.steps) and not any(step.moves for step in self.steps or ())


HELD_OUT_FROM = 8
"""With fewer photos than this none is held out: every one of them is needed for training."""

FEWEST_HELD_OUT = 3
"""A train/held-out comparison needs at least so many photos on the held-out side (8 photos: 5/3 → p ≥ 1/56)."""
