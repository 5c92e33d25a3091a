"""Which class images are wanted, and where they are kept. (Torch-free.)"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boothlab.files import sha256_json
from boothlab.home import cache
from boothlab.models.config import Sampler, Spacing

BLOCK = 8
"""Pictures per batch; fixed, because the last bits of a picture depend on the batch it is made in."""


@dataclass(frozen=True, slots=True)
class ClassRequest:
    """Everything class images depend on. ``prompts`` take turns, picture by picture."""

    base_fingerprint: str
    prompts: tuple[str, ...]
    size: int
    count: int
    sampler: Sampler
    steps: int
    guidance: float
    seed: int
    spacing: Spacing | None = None

    def key(self) -> str:
        """Address in the cache; the count is not part of it: more pictures extend the same folder."""
        return sha256_json({"format": 2, "block": BLOCK, **self.described()})[:16]

    def described(self) -> dict[str, Any]:
        """What ``manifest.json`` says."""
        names = ("base_fingerprint", "prompts", "size", "sampler", "steps", "guidance", "seed")
        told = {name: getattr(self, name) for name in names}
        return told if self.spacing is None else {**told, "spacing": self.spacing}

    def folder(self) -> Path:
        """Where the pictures lie, or will."""
        return cache("class-images") / self.key()

    def block(self, number: int) -> list[Path]:
        """The pictures that are drawn together as the ``number``-th batch."""
        return [self.folder() / f"{index:05d}.png" for index in range(number * BLOCK, (number + 1) * BLOCK)]

    def prompt(self, path: Path) -> str:
        """What the picture at ``path`` is drawn by."""
        return self.prompts[int(path.stem) % len(self.prompts)]

    def undrawn(self) -> int:
        """How many pictures are still to be drawn, in whole batches; black ones are not looked for."""
        blocks = range(math.ceil(self.count / BLOCK))
        return sum(BLOCK for number in blocks if not all(path.is_file() for path in self.block(number)))
