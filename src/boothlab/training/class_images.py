"""Class images for prior preservation: drawn once by the base model, kept losslessly, shared by all runs.

The cache is addressed by everything that the pictures depend on. Pictures are made in fixed blocks with one seed
per picture, so an interrupted generation goes on where it stopped and gives the very same pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from boothlab.errors import TrainingError, disk_errors
from boothlab.files import sweep_temporaries, write_bytes, write_json
from boothlab.models.model import Model
from boothlab.models.sampling import sample
from boothlab.photos.folder import pictures_in
from boothlab.photos.photo import Rejected
from boothlab.photos.photoset import png_bytes
from boothlab.photos.read import read_photo
from boothlab.photos.steps import Center, Resize
from boothlab.seeds import derive
from boothlab.training.class_request import BLOCK, ClassRequest

FLATTEST = 2.0
"""A picture whose grey levels deviate less than this (of 255) from their mean is black or flat, and is not used."""

Progress = Callable[[int, int], None]


def is_flat(pixels: NDArray[np.uint8]) -> bool:
    """Whether a picture shows nothing (all black, all one colour)."""
    return float(pixels.std()) < FLATTEST


@dataclass(frozen=True, slots=True)
class ClassImage:
    """A class picture and the prompt that it is trained under."""

    path: Path
    prompt: str


def class_images(
    request: ClassRequest, model: Callable[[], Model], progress: Progress | None = None
) -> list[ClassImage]:
    """``request.count`` pictures, made now where they are not there yet.

    ``model`` is called only when something has to be drawn. Raises TrainingError when the base model draws
    almost nothing but flat pictures.
    """
    folder = request.folder()
    with disk_errors(folder, "make class images"):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            sweep_temporaries(folder)
            write_json(folder / "manifest.json", {"format": 2, **request.described()})
            paths = _fill(folder, request, model, progress)
    return [ClassImage(path, request.prompt(path)) for path in paths]


def _fill(folder: Path, request: ClassRequest, model: Callable[[], Model], progress: Progress | None) -> list[Path]:
    good: list[Path] = []
    for block in range(2 + 2 * request.count // BLOCK):
        paths = request.block(block)
        pictures = _read_block(paths)
        if pictures is None:
            seeds = [derive(request.seed, "class-images", block * BLOCK + k) for k in range(BLOCK)]
            prompts = [request.prompt(path) for path in paths]
            drawn = sample(model(), prompts, seeds, request.sampler, request.steps, request.guidance, request.spacing)
            for path, pixels in zip(paths, drawn, strict=True):
                write_bytes(path, png_bytes(pixels))
            pictures = list(drawn)
        good += [path for path, pixels in zip(paths, pictures, strict=True) if not is_flat(pixels)]
        if progress is not None:
            progress(min(len(good), request.count), request.count)
        if len(good) >= request.count:
            return good[: request.count]
    raise TrainingError(
        f"The base model drew only {len(good)} usable pictures of {request.prompts[0]!r}; "
        f"{request.count} are needed.",
        "Look at them, change objective.class_prompt, or give objective.class_folder.",
    )


def _read_block(paths: list[Path]) -> list[NDArray[np.uint8]] | None:
    """The block's pictures; None when one is missing or damaged, and the block is to be made again."""
    pictures = []
    for path in paths:
        try:
            with Image.open(path) as image:
                pictures.append(np.array(image.convert("RGB")))
        except OSError:
            return None
    return pictures


def read_class_image(path: Path, size: int) -> NDArray[np.uint8] | None:
    """A class picture as (size, size, 3) pixels; None where the file is no usable picture."""
    photo = read_photo(path)
    for step in (Center(), Resize(largest_enlargement=64.0)):
        if isinstance(photo, Rejected):
            return None
        photo = step.apply(photo, size)
    return None if isinstance(photo, Rejected) or is_flat(photo.pixels) else photo.pixels


def own_class_images(folder: Path, count: int, prompt: str) -> list[ClassImage]:
    """Up to ``count`` pictures of a user's own folder, all under one prompt. Raises PhotoError when it holds none."""
    return [ClassImage(path, prompt) for path in pictures_in(folder, "objective.class_folder")[:count]]
