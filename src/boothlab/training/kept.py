"""Encodings that several trainings share: the autoencoder's of a picture, the text encoders' of a prompt.

Both are the base model's, so trainings of one study that move neither would compute them again and again. They are
addressed by content (pixels or words, base model, kind of device, threads), so that a lookup is what encoding would
have given, bit for bit. The folder belongs to the study: latents of photos are personal, and go when its folder goes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from boothlab.errors import RunDamaged
from boothlab.files import new_folder, sha256_bytes
from boothlab.models.model import Conditioning, Model, Posterior
from boothlab.models.weights import load_tensors, save_tensors

VERSION = 1
"""Changes whenever the same prompt would give other numbers."""

FILE = "text.safetensors"


def maker(base: str, model: Model) -> str:
    """The base model with fingerprint ``base``, and everything else but the content that the last bits depend on."""
    return f"{base} {model.device.type} {torch.get_num_threads()}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of encodings by the base model with fingerprint ``base``; an entry is known by its address."""

    folder: Path
    base: str

    @property
    def latents(self) -> Path:
        """Where the posteriors of pictures are."""
        return self.folder / "latents"

    def text(self, model: Model, prompt: str) -> Conditioning:
        """The conditioning of one prompt by text encoders as the base model has them."""

        def make() -> dict[str, Tensor]:
            found = model.encode_text([prompt])
            pooled = {} if found.pooled_BP is None else {"pooled": found.pooled_BP}
            return {"states": found.states_BLD, **pooled}

        address = sha256_bytes(f"{VERSION} {maker(self.base, model)} {prompt}".encode())
        found = looked_up(self.folder / "texts" / address[:32], FILE, ("states",), make)
        moved = {name: tensor.to(model.device) for name, tensor in found.items()}
        return Conditioning(moved["states"], moved.get("pooled"))


def kept_image(folder: Path, address: str, file: str, make: Callable[[], Posterior]) -> Posterior:
    """The posterior at ``address`` (hex) below ``folder``, made and kept where it is not there yet; on the CPU."""

    def tensors() -> dict[str, Tensor]:
        found = make()
        return {"mean": found.mean_BCHW, "std": found.std_BCHW}

    found = looked_up(folder / address[:2] / address[:32], file, ("mean", "std"), tensors)
    return Posterior(found["mean"], found["std"])


def looked_up(
    folder: Path, file: str, names: tuple[str, ...], make: Callable[[], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """The tensors of ``folder/file``, on the CPU; a folder that is missing or damaged is made (again).

    What was just made and what is read back later are the same bits in the same order of memory.
    """
    if folder.is_dir():
        try:
            found = load_tensors(folder / file)
        except RunDamaged:
            found = {}
        if all(name in found for name in names):
            return found
    made = {name: tensor.detach().cpu().contiguous() for name, tensor in make().items()}
    with new_folder(folder) as temporary:
        save_tensors(temporary / file, made)
    return made
