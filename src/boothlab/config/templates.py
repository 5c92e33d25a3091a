"""Templates of prompts: the one word in braces that they may say. (Here, because every floor has templates.)"""

from __future__ import annotations

import re
from collections.abc import Iterable

IT = "{it}"
"""Template word that stands for "identifier class", e.g. "rinn person", or for the identifier alone, "rinn"."""

IN_BRACES = re.compile(r"\{[^{}]*\}")


def require_known_words(setting: str, templates: Iterable[str]) -> None:
    """Raises ValueError for a template with a word in braces other than ``{it}``: the model would be shown it."""
    for template in templates:
        odd = [word for word in IN_BRACES.findall(template) if word != IT]
        if odd:
            raise ValueError(f"{setting}: {template!r} says {odd[0]}; {IT} is the only word in braces that is known")
