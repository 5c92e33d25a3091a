"""The photo steps that exist: one line each, in alphabetical order."""

from boothlab.config.base import members
from boothlab.photos.steps.center import Center
from boothlab.photos.steps.head import Head
from boothlab.photos.steps.letterbox import Letterbox
from boothlab.photos.steps.resize import Resize
from boothlab.photos.steps.script import Script
from boothlab.photos.steps.smart import Smart
from boothlab.photos.steps.spotlight import Spotlight
from boothlab.photos.steps.step import Step

STEPS: tuple[type[Step], ...] = members(globals(), Step)

__all__ = ["STEPS", "Center", "Head", "Letterbox", "Resize", "Script", "Smart", "Spotlight", "Step"]
