"""The page of `generate`: what was drawn of one's own prompts, one row per snapshot, equal noise below each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from boothlab.generation.picture import Picture
from boothlab.reports.filling import filled


@dataclass(frozen=True, slots=True)
class Row:
    """Pictures of one prompt by one snapshot or the base model; ``folder`` as seen from the page."""

    source: str
    folder: str
    pictures: Sequence[Picture]

    @property
    def prompt(self) -> str:
        """What the model was told."""
        return self.pictures[0].prompt


def drawn_page(title: str, groups: Mapping[str, Sequence[Row]], settings: Sequence[str]) -> str:
    """HTML that links the pictures beside it: prompt as it was asked → its rows; ``settings`` hold for all of them.

    Pictures of a column began with the same noise, so what differs between two rows is what was trained.
    """
    return filled("drawn.html", title=title, groups=groups, settings=settings)
