"""Latents of pictures: encoded anew, or looked up where an earlier training has encoded the same pixels.

Class images are shared by all runs on the machine: on a CPU a hundred of them take minutes at 512 px. Photos of
people are shared by the trainings of one study only, in its own folder: nothing personal should lie outside photo
sets, run folders and studies. Addressed by the pixels, the base model, the kind of device and the number of threads,
so that a lookup gives the very bits that encoding would have given.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from boothlab.files import sha256_bytes
from boothlab.home import cache
from boothlab.models.model import Model, Posterior
from boothlab.models.sampling import from_uint8
from boothlab.training.kept import Kept, kept_image, maker

VERSION = 1
"""Changes whenever the same pixels would give other latents."""

FILE = "posterior.safetensors"


def encode(model: Model, pixels: NDArray[np.uint8]) -> Posterior:
    """The posterior of one (H, W, 3) picture; each step of a training still draws its own sample from it."""
    return model.encode_image(from_uint8(pixels[None]))


def encode_shared(model: Model, base_fingerprint: str, pixels: NDArray[np.uint8]) -> Posterior:
    """As :func:`encode`, looked up in the shared cache first and kept there; a damaged entry is made again."""
    return _looked_up(model, maker(base_fingerprint, model), pixels, cache("class-latents"))


def encode_kept(model: Model, kept: Kept | None, pixels: NDArray[np.uint8]) -> Posterior:
    """As :func:`encode`, looked up among what the trainings of a study ``kept``; None: encoded anew."""
    if kept is None:
        return encode(model, pixels)
    return _looked_up(model, maker(kept.base, model), pixels, kept.latents)


def _looked_up(model: Model, maker: str, pixels: NDArray[np.uint8], folder: Path) -> Posterior:
    address = sha256_bytes(f"{VERSION} {maker} {pixels.shape} ".encode() + pixels.tobytes())
    found = kept_image(folder, address, FILE, lambda: encode(model, pixels))
    return Posterior(found.mean_BCHW.to(model.device), found.std_BCHW.to(model.device))
