"""Record diffusers' own, unmodified DreamBooth script at work on a tiny model, for tests/parity.

    python scripts/record_reference.py PATH/TO/train_dreambooth.py tests/parity/reference

The script is imported as a module and run with its own command line, once per case of tests/reference_made.py.
What it draws and what comes of it is listened to from outside: its name ``torch`` is bound to a stand-in that passes
everything on and notes the random tensors; the autoencoder, the accelerator and the optimizer are wrapped. Nothing
of the script is kept but numbers. The recordings hold, per micro-step, the pictures of the batch, posterior noise,
noise, offset noise, timesteps and loss; per optimizer step the gradient norm and the learning rate; and at the end
the weights. They go into a folder named after the instruction set, because each rounds sums in its own way. A
processor with AVX-512 can record what one with AVX2 would:

    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 python scripts/record_reference.py …
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / folder) for folder in ("tests", "src")]
os.environ |= {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}

import accelerate  # noqa: E402
import diffusers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.optim.optimizer import register_optimizer_step_pre_hook  # noqa: E402

from reference_made import (  # noqa: E402
    CASES,
    CLASS_NUMBERS,
    CLASS_PROMPT,
    INSTANCE_PROMPT,
    LEARNING_RATE,
    SIZE,
    STEPS,
    TOKEN_TABLE,
    Case,
    build_reference_model,
    class_paths,
    made_picture,
    model_digest,
    photo_paths,
    recorded_rows,
    rounding_here,
    weights_of,
)


@dataclass(slots=True)
class Notes:
    """What was heard, in order. One entry per micro-step, or per optimizer step."""

    posterior: list[Tensor] = field(default_factory=list)
    noise: list[Tensor] = field(default_factory=list)
    offset: list[Tensor] = field(default_factory=list)
    timestep: list[Tensor] = field(default_factory=list)
    picture: list[Tensor] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    norm: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    window: list[int] = field(default_factory=list)
    """Micro-steps since the start at the end of each optimizer step."""

    def tensors(self) -> dict[str, Tensor]:
        """All notes; the batches of all micro-steps one after the other, their sizes in ``batch``."""
        found = {
            "batch": torch.tensor([len(t) for t in self.timestep]),
            "window": torch.tensor(self.window),
            "loss": torch.tensor(self.loss, dtype=torch.float64),
            "norm": torch.tensor(self.norm, dtype=torch.float64),
            "lr": torch.tensor(self.lr, dtype=torch.float64),
            "offset": torch.cat(self.offset) if self.offset else torch.zeros(0),
        }
        rows = {"posterior": self.posterior, "noise": self.noise, "timestep": self.timestep, "picture": self.picture}
        found |= {name: torch.cat(values) for name, values in rows.items()}
        return {name: tensor.contiguous() for name, tensor in found.items()}


class Torch:
    """``torch`` as the script sees it: everything passes through, the random tensors of a step are noted."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def randn_like(self, *args: Any, **options: Any) -> Tensor:
        self._notes.noise.append(torch.randn_like(*args, **options))
        return self._notes.noise[-1].clone()

    def randn(self, *args: Any, **options: Any) -> Tensor:
        self._notes.offset.append(torch.randn(*args, **options))
        return self._notes.offset[-1].clone()

    def randint(self, *args: Any, **options: Any) -> Tensor:
        self._notes.timestep.append(torch.randint(*args, **options))
        return self._notes.timestep[-1].clone()


def known_pictures(case: Case) -> dict[bytes, int]:
    """Pixels of every picture as bytes → its number."""
    numbers = [*range(case.photos), *range(CLASS_NUMBERS, CLASS_NUMBERS + case.class_images)]
    return {made_picture(number).tobytes(): number for number in numbers}


def numbers_of(pixels_B3HW: Tensor, known: dict[bytes, int]) -> Tensor:
    """(B,) numbers of the pictures in a batch of the script. KeyError for one that is not as it was made."""
    as_uint8 = ((pixels_B3HW + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    return torch.tensor([known[picture.numpy().tobytes()] for picture in as_uint8])


@contextmanager
def listening(case: Case, script: ModuleType, notes: Notes) -> Iterator[None]:
    """Wrap what a step passes through, for as long as the block lasts."""
    known = known_pictures(case)
    encode = diffusers.AutoencoderKL.encode
    backward = accelerate.Accelerator.backward
    clip = accelerate.Accelerator.clip_grad_norm_
    vae_module = sys.modules["diffusers.models.autoencoders.vae"]
    randn_tensor = vae_module.randn_tensor

    def noted_encode(self: Any, pixels: Tensor, *args: Any, **options: Any) -> Any:
        notes.picture.append(numbers_of(pixels, known))
        return encode(self, pixels, *args, **options)

    def noted_randn(*args: Any, **options: Any) -> Tensor:
        notes.posterior.append(randn_tensor(*args, **options))
        return notes.posterior[-1].clone()

    def noted_backward(self: Any, loss: Tensor, **options: Any) -> None:
        notes.loss.append(float(loss.detach()))
        backward(self, loss, **options)

    def noted_clip(self: Any, *args: Any, **options: Any) -> Any:
        norm = clip(self, *args, **options)
        notes.norm.append(float(norm))
        return norm

    def before_step(optimizer: torch.optim.Optimizer, args: Any, options: Any) -> None:
        notes.lr.append(float(optimizer.param_groups[0]["lr"]))
        notes.window.append(len(notes.loss))

    with ExitStack() as stack:
        for owner, name, value in (
            (script, "torch", Torch(notes)),
            (diffusers.AutoencoderKL, "encode", noted_encode),
            (vae_module, "randn_tensor", noted_randn),
            (accelerate.Accelerator, "backward", noted_backward),
            (accelerate.Accelerator, "clip_grad_norm_", noted_clip),
        ):
            stack.enter_context(mock.patch.object(owner, name, value))
        handle = register_optimizer_step_pre_hook(before_step)
        stack.callback(handle.remove)
        yield


def command_line(case: Case, model: Path, folder: Path) -> list[str]:
    """The script's own arguments for ``case``; everything else is its default."""
    given: dict[str, Any] = {
        "pretrained_model_name_or_path": model,
        "instance_data_dir": folder / "photos",
        "instance_prompt": INSTANCE_PROMPT,
        "output_dir": folder / "out",
        "resolution": SIZE,
        "train_batch_size": case.batch_size,
        "gradient_accumulation_steps": case.accumulate,
        "learning_rate": LEARNING_RATE,
        "lr_scheduler": case.rate,
        "lr_warmup_steps": case.warmup,
        "max_train_steps": STEPS,
        "seed": 1,
    }
    flags = {
        "with_prior_preservation": case.class_images > 0,
        "train_text_encoder": case.text_encoder,
        "offset_noise": case.offset_noise,
    }
    if case.class_images:
        given |= {
            "class_data_dir": folder / "class",
            "class_prompt": CLASS_PROMPT,
            "num_class_images": case.class_images,
            "prior_loss_weight": case.prior_weight,
        }
    if case.snr_gamma is not None:
        given["snr_gamma"] = case.snr_gamma
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    return words + [f"--{name}" for name, on in flags.items() if on]


def imported(path: Path) -> ModuleType:
    """The script as a module, freshly imported."""
    spec = importlib.util.spec_from_file_location("reference_script", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def final_weights(case: Case, before: Path, after: Path) -> dict[str, Tensor]:
    """What moved, as it is at the end; of the token table the rows of the prompts and a sample of the others."""
    moved = {f"backbone.{name}": tensor for name, tensor in weights_of(after, "unet").items()}
    if case.text_encoder:
        tokenizer = transformers.CLIPTokenizer.from_pretrained(before, subfolder="tokenizer")
        ids = tokenizer([INSTANCE_PROMPT, CLASS_PROMPT], padding="max_length", return_tensors="pt").input_ids
        for name, tensor in weights_of(after, "text_encoder").items():
            if name.endswith(TOKEN_TABLE):
                tensor = tensor[recorded_rows(ids, len(tensor))]
            moved[f"text_encoder.{name}"] = tensor
    return {f"final/{name}": tensor.contiguous() for name, tensor in moved.items()}


def record(case: Case, path: Path, folder: Path) -> tuple[dict[str, Tensor], str]:
    """Run the script on ``case`` below ``folder``; returns the recording and the digest of the model."""
    model = build_reference_model(folder / "model", case.prediction)
    photo_paths(case, folder)
    if case.class_images:
        class_paths(case, folder)
    script, notes = imported(path), Notes()
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    with listening(case, script, notes):
        script.main(script.parse_args(command_line(case, model, folder)))
    if not len(notes.posterior) == len(notes.noise) == len(notes.timestep) == len(notes.loss):
        raise SystemExit(f"{case.name}: the script draws in an order that is not known here")
    return notes.tensors() | final_weights(case, model, folder / "out"), model_digest(model)


def main() -> None:
    """Record every case, or those named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("script", type=Path, help="examples/dreambooth/train_dreambooth.py of diffusers")
    parser.add_argument("out", type=Path, help="folder of the recordings")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    capability = torch.backends.cpu.get_cpu_capability()
    out = wanted.out / capability.lower()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        rounding = rounding_here(Path(folder))
    index: dict[str, Any] = {
        "format": 1,
        "script": {"name": wanted.script.name, "sha256": hashlib.sha256(wanted.script.read_bytes()).hexdigest()},
        "versions": {m.__name__: m.__version__ for m in (diffusers, torch, transformers, accelerate)},
        "cpu": capability,
        "rounding": rounding,
        "cases": {},
    }
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            tensors, digest = record(case, wanted.script.resolve(), Path(folder))
        save_file(tensors, out / f"{case.name}.safetensors")
        index["cases"][case.name] = {"given": asdict(case), "model": digest}
        print(f"{case.name}: {len(tensors['loss'])} micro-steps, {len(tensors['lr'])} steps")
    (out / "index.json").write_text(json.dumps(index, indent=2) + "\n")


if __name__ == "__main__":
    main()
