"""Shards of drawings on disk: pixels as one memory-mapped array per shard, truth as JSON lines.

Separate from drawing because the later stages read pictures many times and truth only here.
Shapes: pixels (N, H, W, 3) uint8.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pretraining import atomic, draw

WORDS = 2
"""Number of the way in which drawings are put into words; 2: a hair colour only where it shows."""


@dataclass(frozen=True)
class Record:
    """One drawing's truth as read back from a shard."""

    number: int
    noun: str
    style: str
    words: dict[str, str]
    heads: tuple[draw.Head, ...]


def to_json(number: int, drawing: draw.Drawing) -> str:
    """One JSON line without pixels."""
    heads = [{"box": head.box, "points": head.points, "yaw": head.yaw} for head in drawing.heads]
    facts = {"number": number, "noun": drawing.noun, "style": drawing.style, "words": drawing.words, "heads": heads}
    return json.dumps(facts | {"format": WORDS})


def from_json(line: str) -> Record:
    """The inverse of :func:`to_json`."""
    raw = json.loads(line)
    heads = tuple(
        draw.Head(tuple(head["box"]), tuple(map(tuple, head["points"])), head["yaw"]) for head in raw["heads"]
    )
    return Record(raw["number"], raw["noun"], raw["style"], raw["words"], heads)


def write_shard(folder: Path, shard: int, length: int, size: int, stream_name: str = "train") -> None:
    """Draw pictures ``shard * length ...`` unless the shard is there already; truth is written last."""
    truth_path = folder / f"shard-{shard:04d}.jsonl"
    if truth_path.exists():
        return
    pixels = np.empty((length, size, size, 3), np.uint8)
    lines = []
    for offset in range(length):
        number = shard * length + offset
        drawing = draw.of(stream_name, number, size)
        pixels[offset] = drawing.pixels
        lines.append(to_json(number, drawing))
    atomic.write(truth_path.with_suffix(".npy"), lambda path: np.save(path, pixels))
    atomic.write_text(truth_path, "\n".join(lines) + "\n")


def records_of(truth: Path) -> list[Record]:
    """The records of one shard. Raises: ValueError for words of an older recipe."""
    lines = truth.read_text("utf-8").splitlines()
    if json.loads(lines[0]).get("format") != WORDS:
        raise ValueError(f"{truth} was drawn by an older recipe, whose words differ; go on in a new folder")
    return [from_json(line) for line in lines]


class Pictures:
    """All complete, consecutive shards of a folder as one sequence of pictures and records."""

    def __init__(self, folder: Path, at_most: int | None = None) -> None:
        self.folder = folder
        self._arrays: list[np.ndarray] = []
        self.records: list[Record] = []
        shard = 0
        while (truth := folder / f"shard-{shard:04d}.jsonl").exists():
            self._arrays.append(np.load(truth.with_suffix(".npy"), mmap_mode="r"))
            self.records += records_of(truth)
            shard += 1
            if at_most is not None and len(self.records) >= at_most:
                break
        if not self._arrays:
            raise FileNotFoundError(f"no drawings in {folder}; run the stage 'draw' first")
        self.length = len(self._arrays[0])
        self.size = int(self._arrays[0].shape[1])

    def __len__(self) -> int:
        return len(self.records)

    def at(self, indices: np.ndarray) -> np.ndarray:
        """(B,) -> (B, H, W, 3) uint8, copied."""
        return np.stack([self._arrays[int(i) // self.length][int(i) % self.length] for i in indices])
