"""Where a base model is, what it is called by its content, how large its pictures are. (Torch-free.)

Apart from ``load.py`` because a plan is checked without loading anything: none of this needs torch or
transformers, which take seconds to import.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from boothlab.assets import asset
from boothlab.errors import BoothlabError, NoWeights, PlanError, RunDamaged
from boothlab.files import (
    expanded,
    folder_listing,
    is_litter,
    read_json,
    read_table,
    sha256_file,
    sha256_json,
    write_json,
)
from boothlab.home import cache as shared
from boothlab.models.config import HUB_ID, Base, is_place
from boothlab.models.families import sd_config

PICKLES = frozenset({".ckpt", ".bin", ".pt", ".pth", ".pkl", ".pickle"})

PARTS = ("tokenizer", "text_encoder", "vae", "unet", "scheduler")

WANTED = " ".join(
    f"--include '{pattern}'"
    for pattern in ("*.json", "*.txt", "*/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors")
)
"""What of a repository is to be downloaded, for hf: a tenth of all that lies in that of Stable Diffusion v1.5."""

SINGLE_FILE_SIZE = 512
"""Side in pixels that a single .safetensors file is taken to be made for; it says nothing of it itself."""

Stamp = tuple[tuple[str, int, int, int], ...]
"""(path, bytes, mtime, ctime in ns) of every file: what must not have changed for a remembered hash to hold."""


def toon_folder() -> Path:
    """Where the built-in model lives. Raises NoWeights when this installation has none."""
    folder = asset("toon", "sd")
    if not (folder / "model_index.json").is_file():
        raise NoWeights(
            "The built-in model toon is not part of this installation.",
            "Name another base model: --set base.model=FOLDER",
        )
    return folder


def locate(base: Base) -> Path:
    """The folder or file that holds the base model. Raises PlanError or NoWeights with the remedy."""
    if base.model == "toon":
        return toon_folder()
    path = expanded(Path(base.model))
    if path.suffix.lower() in PICKLES:
        raise PlanError(
            f"base.model is {base.model}: a pickle can run any code when it is opened, so only safetensors is read.",
            "Use the .safetensors edition of the model, or convert it on a machine you can afford to lose.",
        )
    # Nothing is looked for in the current folder: that of a later command may hold another model of this name.
    if path.is_absolute() and path.is_dir():
        _require_parts(path)
        return path
    if path.is_absolute() and path.is_file():
        if path.suffix.lower() != ".safetensors":
            raise PlanError(f"base.model is {base.model}: a file must be .safetensors.")
        return path
    if HUB_ID.fullmatch(base.model):
        return _locate_in_hub_cache(base)
    if is_place(base.model) and not path.is_absolute():
        raise PlanError(
            f"base.model is {base.model!r}: nobody knows any more from which folder this place was meant.",
            "Write the whole path there (of a run: in its plan.json).",
        )
    raise PlanError(
        f"base.model is {base.model!r}: there is no such folder or file.",
        "Give toon, a folder in diffusers format, a .safetensors file, or a hub id like owner/name. "
        "If a run's model was moved: boothlab train PLAN --set base.model=NEWPLACE",
    )


def _require_parts(folder: Path) -> None:
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if missing:
        raise PlanError(
            f"base.model is {folder}: not a Stable Diffusion model in diffusers format; "
            f"it lacks {', '.join(missing)}/.",
        )
    for part in ("text_encoder", "vae", "unet"):
        if not list((folder / part).glob("*.safetensors")):
            pickles = [p.name for p in sorted((folder / part).iterdir()) if p.suffix in PICKLES]
            found = f"only a pickle ({pickles[0]})" if pickles else "no weights"
            raise PlanError(
                f"{folder / part} holds {found}; only .safetensors is read, because a pickle can run any code.",
                "Get the safetensors edition of the model.",
            )


def variant_of(part: Path) -> str | None:
    """``fp16`` where a part's folder holds its weights in half precision alone; None where it has plain ones."""
    names = [path.name for path in part.glob("*.safetensors")]
    return "fp16" if names and all(".fp16." in name for name in names) else None


def base_variant(base: Base) -> str | None:
    """What diffusers' ``from_pretrained`` has to be told as ``variant``: that of parts that have no other weights. It
    takes plain ones where a part has none of that variant."""
    path = locate(base)
    return next((found for part in PARTS if (found := variant_of(path / part))), None)


def _locate_in_hub_cache(base: Base) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    patterns = ["*.json", "*.txt"] + [f"{part}/*" for part in PARTS]
    try:
        path = Path(
            snapshot_download(base.model, revision=base.revision, local_files_only=True, allow_patterns=patterns)
        )
    except (LocalEntryNotFoundError, OSError, ValueError) as error:
        # Of what the repository lists, other formats and the safety checker are not wanted: what is there decides.
        partly = getattr(error, "snapshot_path", None)
        if partly is None:
            raise NoWeights(
                f"The base model {base.model} is not on this machine, and boothlab downloads nothing by itself.",
                f"If that is a hub id, fetch it once: `hf download {base.model} {WANTED}`. "
                "If it is a folder, it is not there.",
            ) from error
        path = Path(partly)
    _require_parts(path)
    return path


def device_kind(wanted: str) -> str:
    """``cpu``, ``cuda`` or ``mps`` for what a plan asks for. Raises PlanError when it is not there.

    torch, which has the last word, is asked only where there is a sign of a GPU.
    """
    if wanted == "cpu" or (wanted == "auto" and not shows_a_gpu()):
        return "cpu"
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return "cuda" if available["cuda"] else "mps" if available["mps"] else "cpu"
    if not available[wanted]:
        raise PlanError(f"base.device is {wanted!r}, but this machine has none.", "Use auto or cpu.")
    return wanted


def shows_a_gpu() -> bool:
    """Whether the system has a device file of a GPU driver, or is one where that is not how drivers show."""
    if not sys.platform.startswith("linux"):
        return True
    signs = ("nvidiactl", "nvidia0", "kfd", "dxg", "nvhost-gpu", "nvmap")  # NVIDIA, AMD, WSL, Jetson
    return any(os.path.exists(f"/dev/{sign}") for sign in signs)


def fingerprint(base: Base) -> str:
    """Hash of every file of the base model: what two runs must share to have started from the same weights.

    Hashing gigabytes takes seconds, so the result is remembered, by path, size and times of every file, in the
    shared cache.
    """
    path = locate(base)
    files = [path] if path.is_file() else _read_of(path)
    stats = [(p, p.stat()) for p in files]
    return _fingerprint(path, tuple((str(p), s.st_size, s.st_mtime_ns, s.st_ctime_ns) for p, s in stats))


def _read_of(folder: Path) -> list[Path]:
    """The files of a model's folder that decide what it is: a pickle beside the weights, another precision of them, a
    safety checker or a README may come and go, and may be tens of gigabytes; and so may what file browsers leave."""
    found = [folder / "model_index.json"]
    for part in PARTS:
        plain = variant_of(folder / part) is None
        for path in (folder / part).rglob("*"):
            other = path.suffix in PICKLES or (plain and re.search(r"\.(fp16|bf16|non_ema|ema_only)\.", path.name))
            found += [] if other or is_litter(path) else [path]
    return sorted(path for path in found if path.is_file())


@cache
def _fingerprint(path: Path, stamp: Stamp) -> str:
    kept = shared("fingerprints") / f"{sha256_json(str(path.resolve()))[:16]}.json"
    wanted = sha256_json([list(entry) for entry in stamp])
    try:
        found = read_json(kept)
        if found["stamp"] == wanted:
            return str(found["fingerprint"])
    except (BoothlabError, KeyError, TypeError):
        pass  # not there yet, or of no use: hash again
    result = sha256_file(path) if path.is_file() else sha256_json(folder_listing(path, _names(path)))
    write_json(kept, {"format": 1, "stamp": wanted, "fingerprint": result})
    return result


def _names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in _read_of(folder)]


def part_configs(base: Base) -> dict[str, dict[str, Any]] | None:
    """The configs of ``unet``, ``vae``, ``text_encoder`` and ``scheduler``; None for a single file, which has none.

    Raises PlanError where they are not those of Stable Diffusion 1.x or 2.x, NoWeights where they cannot be read.
    """
    path = locate(base)
    if path.is_file():
        _require(base, _single_file(path))
        return None
    configs = {part: _part_config(base, path, part) for part in sd_config.PARTS}
    _require(base, list(sd_config.objections(configs, [place.name for place in path.iterdir() if place.is_dir()])))
    return configs


def scheduler_config(base: Base) -> dict[str, Any]:
    """The scheduler's config alone, which a study asks for with every run; {} of a single file. Raises as above."""
    path = locate(base)
    return {} if path.is_file() else _part_config(base, path, "scheduler")


def _part_config(base: Base, path: Path, part: str) -> dict[str, Any]:
    try:
        return read_table(path / part / ("scheduler_config.json" if part == "scheduler" else "config.json"))
    except RunDamaged as error:
        raise NoWeights(
            f"The base model {base.model} is incomplete or damaged. {error.message}", "Get the whole model again."
        ) from error


def _single_file(path: Path) -> list[str]:
    from safetensors import SafetensorError

    try:
        return list(sd_config.single_file_objections(path))
    except (OSError, SafetensorError) as error:
        raise NoWeights(f"Cannot read the base model {path}: {error}.", "Get the file again.") from error


def _require(base: Base, objections: Sequence[str]) -> None:
    if objections:
        raise PlanError(
            f"base.model is {base.model}, which cannot be trained here: {'; '.join(objections)}.",
            "Give Stable Diffusion 1.x or 2.x for text-to-image, or a model tuned from one of these.",
        )


def base_size(base: Base) -> int:
    """Side of the model's pictures in pixels, read from its configs without loading weights; as for them."""
    configs = part_configs(base)
    if configs is None:
        return SINGLE_FILE_SIZE
    factor: int = 2 ** (len(configs["vae"]["block_out_channels"]) - 1)
    return int(configs["unet"]["sample_size"]) * factor
