"""Latents of class images, encoded once for all runs: on a CPU a hundred of them take minutes at 512 px.

Addressed by the pixels and the base model, so a changed picture is another entry. Photos of people are not kept
here: they are few, and nothing personal should lie outside photo sets and run folders.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boothlab.errors import RunDamaged
from boothlab.files import new_folder, sha256_bytes
from boothlab.home import cache
from boothlab.models.model import Model, Posterior
from boothlab.models.sampling import from_uint8
from boothlab.models.weights import load_tensors, save_tensors

VERSION = 1
"""Changes whenever the same pixels would give other latents."""

FILE = "posterior.safetensors"


def encode(model: Model, pixels: NDArray[np.uint8]) -> Posterior:
    """The posterior of one (H, W, 3) picture; each step of a training still draws its own sample from it."""
    return model.encode_image(from_uint8(pixels[None]))


def encode_shared(model: Model, base_fingerprint: str, pixels: NDArray[np.uint8]) -> Posterior:
    """As :func:`encode`, looked up in the shared cache first and kept there; a damaged entry is made again."""
    address = sha256_bytes(f"{VERSION} {base_fingerprint} {pixels.shape} ".encode() + pixels.tobytes())
    folder = cache("class-latents") / address[:2] / address[:32]
    if folder.is_dir():
        try:
            tensors = load_tensors(folder / FILE)
            return Posterior(tensors["mean"].to(model.device), tensors["std"].to(model.device))
        except (RunDamaged, KeyError):
            pass
    found = encode(model, pixels)
    with new_folder(folder) as temporary:
        save_tensors(temporary / FILE, {"mean": found.mean_BCHW.cpu(), "std": found.std_BCHW.cpu()})
    return found
