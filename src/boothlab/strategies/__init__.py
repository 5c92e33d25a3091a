"""The strategies that exist: one line each, in alphabetical order."""

from boothlab.config.base import members
from boothlab.strategies.config import Strategy
from boothlab.strategies.dreambooth.config import DreamBooth
from boothlab.strategies.lora.config import Lora

STRATEGIES: tuple[type[Strategy], ...] = members(globals(), Strategy)

__all__ = ["STRATEGIES", "DreamBooth", "Lora", "Strategy"]
