"""Weights that do not ship: where a user puts them, and how their absence is said. (Torch-free.)

Everything lies in one folder below boothlab's home, where `boothlab fetch` puts it. No message says where that is:
pages show these messages, and scores are not other scores because somebody's home folder has another name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from boothlab.errors import NoWeights, RunDamaged
from boothlab.features.feature import Feature, Pictures, Vectors
from boothlab.files import read_json
from boothlab.home import home

T = TypeVar("T")

State = tuple[tuple[str, int, int, int, int], ...]
"""(name, inode, bytes, mtime, ctime in ns) of every file: a copy may have the size and the date of another."""


def weights_folder() -> Path:
    """Below :func:`boothlab.home.home`; it need not exist."""
    return home() / "weights"


def configuration(folder: Path) -> dict[str, Any]:
    """``config.json`` of a folder in transformers' format; empty where it cannot be read."""
    try:
        told = read_json(folder / "config.json")
    except RunDamaged:
        return {}
    return told if isinstance(told, dict) else {}


def pretrained(kind: Any, where: Path, name: str, **options: Any) -> Any:
    """The model of a folder in transformers' format, in float32, for looking only.

    Raises NoWeights for one that cannot be read and for one that lacks tensors: transformers would fill these with
    random numbers.
    """
    from safetensors import SafetensorError
    from transformers.utils import logging

    logging.set_verbosity_error()  # it prints a table of what is lacking; here that is one sentence
    try:
        model, told = kind.from_pretrained(
            where, local_files_only=True, use_safetensors=True, output_loading_info=True, **options
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise NoWeights(f"{name} in {where} cannot be read: {error}.", "Get the whole folder again.") from error
    lacking = sorted(told["missing_keys"])
    if lacking:
        raise NoWeights(
            f"{name} in {where} lacks {len(lacking)} of its tensors ({lacking[0]} …).", "Get the whole folder again."
        )
    return model.float().eval()


def state_of(path: Path) -> State:
    """What of a file, or of the files in a folder, does not stay as it is when another takes its place."""
    found = [(one.name, one.stat()) for one in (path, *sorted(path.glob("*"))) if one.is_file()]
    return tuple((name, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in found)


def remembered(load: Callable[[Path], T]) -> Callable[[Path], T]:
    """``load``, which reads a folder once, and again only where a file in it was exchanged: what `fetch` replaced
    would go on looking at pictures, and its vectors would be kept as those of the new weights."""

    @lru_cache(maxsize=1)
    def read(where: Path, state: State) -> T:
        return load(where)

    return lambda where: read(where, state_of(where))


def demand(reason: str | None) -> None:
    """Raise :class:`NoWeights` with ``reason``, unless it is None."""
    if reason is not None:
        raise NoWeights(reason)


def unfit(name: str, reason: str) -> Feature:
    """A feature that never exists, for the kind of pictures that a metric was not made for."""

    def extract(pictures: Pictures) -> Vectors:
        raise NoWeights(reason)

    return Feature(name=name, version="0", extract=extract, missing=lambda: reason, source="none")
