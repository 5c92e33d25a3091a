"""Attributes as class numbers: what judges and auxiliary heads predict, and where an attribute exists.

Separate because the judge, CLIP's auxiliary heads and the gates must number values alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pretraining import palette, styles
from pretraining.dataset import Record

ABSENT = -100
"""Label of an attribute that a drawing does not have (cross entropy ignores it)."""


def _union(name: str) -> tuple[str, ...]:
    return tuple(sorted({value for sheet in styles.PORTRAITS.values() for value in getattr(sheet, name)}))


VALUES: dict[str, tuple[str, ...]] = {
    "noun": styles.CLASS_NOUNS,
    "style": styles.STYLE_NAMES,
    "background": tuple(palette.BACKGROUNDS),
    "hair": _union("hair"),
    "hair color": tuple(palette.HAIR),
    "glasses": ("none", *_union("glasses")),
    "clothes color": tuple(palette.CLOTHES),
    "clothes": _union("clothes"),
    "beard": ("none", *_union("beards")),
    "expression": _union("expressions"),
    "skin": tuple(palette.SKIN),
    "body": tuple(palette.BODIES),
    "top": tuple(styles.MONSTER_TOPS),
    "kind": tuple(styles.PLANTS),
    "pot": tuple(palette.BODIES),
}


def label(record: Record, attribute: str) -> int:
    """The value's number, or ``ABSENT``; a two-colour background has no single one."""
    if attribute in ("noun", "style"):
        return VALUES[attribute].index(getattr(record, attribute))
    if attribute in ("glasses", "beard"):
        if record.noun != "person" or (attribute == "glasses" and not styles.PORTRAITS[record.style].glasses):
            return ABSENT
        return VALUES[attribute].index(record.words.get(attribute, "none"))
    if attribute == "background" and "background 2" in record.words:
        return ABSENT
    value = record.words.get(attribute)
    return VALUES[attribute].index(value) if value is not None else ABSENT


def labels(records: Sequence[Record]) -> dict[str, Tensor]:
    """attribute -> (B,) int64."""
    return {name: torch.tensor([label(record, name) for record in records]) for name in VALUES}


def total() -> int:
    """Width of one linear layer that holds all attributes' logits side by side."""
    return sum(len(values) for values in VALUES.values())


def cross_entropy(logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
    """Mean over the attributes present in the batch. Shapes: logits (B, total())."""
    losses, known, start = [], [], 0
    for name, values in VALUES.items():
        part = logits[:, start : start + len(values)]
        count = (targets[name] != ABSENT).sum()
        total = torch.nn.functional.cross_entropy(part, targets[name], ignore_index=ABSENT, reduction="sum")
        losses.append(total / count.clamp(min=1))
        known.append(count > 0)
        start += len(values)
    return torch.stack(losses).sum() / torch.stack(known).sum()


def predictions(logits: Tensor) -> dict[str, Tensor]:
    """attribute -> (B,) predicted number. Shapes: logits (B, total())."""
    found, start = {}, 0
    for name, values in VALUES.items():
        found[name] = logits[:, start : start + len(values)].argmax(1)
        start += len(values)
    return found
