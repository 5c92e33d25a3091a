"""Prompts × seeds → PNG pictures with a sidecar that says how each one was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from boothlab.errors import RunDamaged
from boothlab.files import read_json, sha256_json, write_bytes, write_json
from boothlab.generation.config import Generation
from boothlab.generation.picture import Order, Picture
from boothlab.models.model import Model
from boothlab.models.sampling import sample
from boothlab.photos.photoset import png_bytes

Progress = Callable[[int, int], None]


def generate(
    model: Callable[[], Model],
    weights: str,
    orders: Sequence[Order],
    settings: Generation,
    folder: Path,
    progress: Progress | None = None,
) -> list[Picture]:
    """Make what is missing of ``orders`` in ``folder`` and return all of it, in order.

    ``weights`` names what the pictures depend on besides the order (base, snapshot); it is kept in the sidecar,
    and a picture made otherwise is made again. ``model`` is called only when something has to be drawn. Batches
    are cut at fixed places, so that an interrupted call ends with the same pictures.
    """
    pictures: list[Picture] = []
    for start in range(0, len(orders), settings.batch_size):
        batch = orders[start : start + settings.batch_size]
        if not all(_is_there(folder, order, weights, settings) for order in batch):
            drawn = sample(
                model(),
                [order.prompt for order in batch],
                [order.seed for order in batch],
                settings.sampler,
                settings.steps,
                settings.guidance,
                settings.spacing,
                [order.negative for order in batch],
            )
            for order, pixels in zip(batch, drawn, strict=True):
                write_bytes(folder / f"{order.name}.png", png_bytes(pixels))
                write_json(folder / f"{order.name}.json", _sidecar(order, weights, settings))
        pictures += [Picture(folder / f"{order.name}.png", order.prompt, order.seed) for order in batch]
        if progress is not None:
            progress(len(pictures), len(orders))
    return pictures


def _sidecar(order: Order, weights: str, settings: Generation) -> dict[str, object]:
    made = {**asdict(order), "weights": weights, "generation": settings.as_made()}
    if not order.negative:  # as before there was one, so that pictures made then are not drawn again
        del made["negative"]
    return {"format": 1, **made, "digest": sha256_json(made)}


def _is_there(folder: Path, order: Order, weights: str, settings: Generation) -> bool:
    sidecar, picture = folder / f"{order.name}.json", folder / f"{order.name}.png"
    if not (sidecar.is_file() and picture.is_file()):
        return False
    try:
        return bool(read_json(sidecar)["digest"] == _sidecar(order, weights, settings)["digest"])
    except (RunDamaged, KeyError, TypeError):
        return False
