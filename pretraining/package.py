"""Stage `package`: everything that ships, as float16 safetensors in the stock folder layout.

Separate because only this layout, not the stages' checkpoints, is a promise to the runtime package.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from pretraining import atomic, clip, diffusion, heads, identity, loop, vocabulary
from pretraining.sizes import Size

VERSION = "toon-1"
LIMIT_BYTES = 64 * 1024 * 1024
CURVE = "curve.jsonl"
"""File of the work folder: one row of text figures per measured edition; it goes on on the next machine."""


@dataclass(frozen=True)
class Made:
    """A packaged folder and how large it is."""

    folder: Path
    size_bytes: int


def half(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Floating tensors as contiguous float16; raises OverflowError where one does not fit."""
    packed = {}
    for name, value in tensors.items():
        small = value.half() if value.is_floating_point() else value
        if value.is_floating_point() and not bool(torch.isfinite(small).all()):
            raise OverflowError(f"{name} does not fit into float16 (largest {float(value.abs().max())})")
        packed[name] = small.contiguous()
    return packed


def save_half(tensors: dict[str, Tensor], path: Path) -> None:
    """Write float16 safetensors atomically."""
    packed = half(tensors)
    atomic.write(path, lambda target: save_file(packed, target, metadata={"format": "pt"}))


def build(size: Size, work: Path, folder: Path, edition: int) -> Made:
    """Package the EMA weights of all stages that have been trained; identity and heads may still be missing."""
    diffusion.pipeline(size, work).save_pretrained(folder / "sd", safe_serialization=True)
    for path in (folder / "sd").rglob("*.safetensors"):  # the configs go on saying float32: what is to be loaded
        save_half(load_file(path), path)
    vocabulary.save_tokenizer(folder / "sd" / "tokenizer")
    _save_clip(size, work, folder / "clip")
    if (work / "identity" / "checkpoint.pt").exists():
        save_half(identity.load(size, work).state_dict(), folder / "identity.safetensors")
    if (work / "heads" / "checkpoint.pt").exists():
        save_half(heads.load(size, work).state_dict(), folder / "heads.safetensors")
    facts = {"format": 1, "version": VERSION, "edition": edition, "size": size.name, "picture": size.picture,
             "pictures_seen": _pictures_seen(work), "gates": {}}  # fmt: skip
    atomic.write_text(folder / "version.json", json.dumps(facts, indent=1) + "\n")
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if total > LIMIT_BYTES:
        raise ValueError(f"the package is {total / 2**20:.1f} MiB; the limit is {LIMIT_BYTES / 2**20:.0f} MiB")
    return Made(folder, total)


def _save_clip(size: Size, work: Path, folder: Path) -> None:
    """Vision tower and projections; the text tower is in ``sd/text_encoder`` and not stored twice."""
    model = clip.load(size, work)
    tensors = {name: value for name, value in model.state_dict().items() if not name.startswith("text_model.")}
    save_half(tensors, folder / "model.safetensors")
    model.config.architectures = ["CLIPModel"]
    model.config.dtype = torch.float32
    model.config.save_pretrained(folder)
    preprocessing = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": size.picture},
                     "crop_size": {"height": size.picture, "width": size.picture}, "do_resize": True,
                     "do_center_crop": True, "do_rescale": True, "do_normalize": True, "do_convert_rgb": True,
                     "resample": 3, "image_mean": list(clip.MEAN), "image_std": list(clip.STD)}  # fmt: skip
    atomic.write_text(folder / "preprocessor_config.json", json.dumps(preprocessing, indent=1) + "\n")


def _pictures_seen(work: Path) -> dict[str, int]:
    """Stage -> pictures that its steps have seen, earlier editions included."""
    seen = {}
    for stage in ("autoencoder", "clip", "diffusion"):
        saved = loop.read(work / stage / "checkpoint.pt")
        seen[stage] = int(saved["step"]) * int(saved["batch"])
    return seen


def pictures_seen(folder: Path, stage: str) -> int:
    """What a packaged folder says about a stage."""
    return int(json.loads((folder / "version.json").read_text("utf-8"))["pictures_seen"][stage])


def note_gates(work: Path, folder: Path) -> None:
    """Put the figures of ``gates.json`` and the curve over the editions into the packaged ``version.json``."""
    facts = json.loads((folder / "version.json").read_text("utf-8"))
    facts["gates"] = json.loads((work / "gates.json").read_text("utf-8"))
    if (work / CURVE).exists():
        facts["curve"] = [json.loads(line) for line in (work / CURVE).read_text("utf-8").splitlines()]
    atomic.write_text(folder / "version.json", json.dumps(facts, indent=1) + "\n")


def adopt(size: Size, folder: Path, work: Path) -> None:
    """Make packaged weights the stages' checkpoints, so that a new machine goes on where an edition ended.

    Optimizer states do not ship: each stage restarts with its warm-up. Finished stages stay finished. Stages
    that have a checkpoint already are left alone.
    """
    facts = json.loads((folder / "version.json").read_text("utf-8"))
    if facts["size"] != size.name:
        raise ValueError(f"{folder} is of size {facts['size']!r}, not {size.name!r}")
    seen = facts["pictures_seen"]
    vae = load_file(folder / "sd" / "vae" / "diffusion_pytorch_model.safetensors")
    unet = load_file(folder / "sd" / "unet" / "diffusion_pytorch_model.safetensors")
    text = load_file(folder / "sd" / "text_encoder" / "model.safetensors")
    whole = load_file(folder / "clip" / "model.safetensors")
    whole |= {f"text_model.{name.removeprefix('text_model.')}": value for name, value in text.items()}
    _adopt_stage(work / "autoencoder", "vae", vae, seen["autoencoder"], size.ae_batch)
    _adopt_stage(work / "clip", "clip", whole, seen["clip"], size.clip_batch)
    _adopt_stage(work / "diffusion", "unet", unet, seen["diffusion"], size.unet_batch)
    small = (("identity", size.identity_steps, identity.BATCH), ("heads", size.heads_steps, heads.BATCH))
    for stage, steps, batch in small:
        if (folder / f"{stage}.safetensors").exists():
            tensors = load_file(folder / f"{stage}.safetensors")
            _adopt_stage(work / stage, stage, tensors, steps * batch, batch)
    factor = json.loads((folder / "sd" / "vae" / "config.json").read_text("utf-8"))["scaling_factor"]
    if not (work / "latents" / "scaling.txt").exists():
        atomic.write_text(work / "latents" / "scaling.txt", f"{factor:.6f}\n")
    if facts.get("curve") and not (work / CURVE).exists():
        atomic.write_text(work / CURVE, "".join(json.dumps(row) + "\n" for row in facts["curve"]))


def _adopt_stage(folder: Path, module: str, tensors: dict[str, Tensor], pictures: int, batch: int) -> None:
    if (folder / "checkpoint.pt").exists():
        return
    weights = {f"{module}/{name}": value.float() if value.is_floating_point() else value
               for name, value in tensors.items()}  # fmt: skip
    step = pictures // batch
    state = {"weights": weights, "optimizer": None, "ema": dict(weights), "step": step, "batch": batch,
             "warm_from": step}  # fmt: skip
    atomic.write(folder / "checkpoint.pt", lambda target: torch.save(state, target))


def sheet_jpeg(source: Path, path: Path) -> None:
    """The sample sheet as a JPEG of quality 85 for the card."""
    with Image.open(source) as picture:
        shown = picture.convert("RGB")
    atomic.write(path, lambda target: shown.save(target, "JPEG", quality=85))
