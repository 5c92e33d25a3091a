"""Whole modules to and from safetensors, in the layout that stock diffusers and transformers read."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from boothlab.errors import RunDamaged, disk_errors
from boothlab.files import read_json, write_json

Precision = Literal["fp32", "fp16"]

_DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16}

_KINDS = {
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""What safetensors calls the number formats, in the order in which it lays tensors into a file."""

TEXT_MODEL = "text_model."

_FOLDERS = {"backbone": "unet", "autoencoder": "vae"}
"""Role → folder name in the diffusers layout; other roles keep their name."""


def folder_of(role: str) -> str:
    """The folder of a role in the diffusers layout."""
    return _FOLDERS.get(role, role)


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """One safetensors file. Raises NoSpace, NoAccess."""
    with disk_errors(path, f"write {path.name}"):
        write_tensors(path, _of_their_own(tensors), {"format": "pt"})


@contextmanager
def system_errors() -> Iterator[None]:
    """Raise as OSError, which :func:`boothlab.errors.disk_errors` knows, what safetensors' writer, in Rust, wraps in
    text: "(os error 28)"."""
    try:
        yield
    except SafetensorError as error:
        number = str(error).rpartition("os error ")[2].partition(")")[0]
        if not number.isdigit():
            raise
        raise OSError(int(number), str(error)) from error


def write_tensors(path: Path, tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
    """safetensors' own writer, whose files are for their owner alone, with the rights of all other new files.

    Of tensors that lie on a GPU it copies all into main memory before it writes the first, which of the state of a
    whole UNet is ten gigabytes; these are written here, one after the other, to the same bytes.
    """
    path.touch()
    mode = stat.S_IMODE(path.stat().st_mode)
    if any(tensor.device.type != "cpu" for tensor in tensors.values()):
        _write_in_turn(path, tensors, notes)
    else:
        with system_errors():
            save_file(tensors, path, notes)
    path.chmod(mode)


def _write_in_turn(path: Path, tensors: Mapping[str, Tensor], notes: Mapping[str, str]) -> None:
    """The format of https://github.com/huggingface/safetensors: length of the header, header, numbers."""
    order = list(_KINDS)
    names = sorted(tensors, key=lambda name: (order.index(tensors[name].dtype), name))
    header: dict[str, Any] = {"__metadata__": dict(notes)}
    end = 0
    for name in names:
        start, end = end, end + tensors[name].numel() * tensors[name].element_size()
        described = {"dtype": _KINDS[tensors[name].dtype], "shape": list(tensors[name].shape)}
        header[name] = {**described, "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            file.write(tensors[name].cpu().reshape(-1).view(torch.uint8).numpy().data)


def sort_notes(path: Path) -> None:
    """Put the notes in a safetensors file's header in order of name, so that equal contents are equal bytes.

    The library writes them in the order of a hash table that is seeded anew each time. A file that is not there yet
    in full must be written elsewhere and renamed; this changes it in place.
    """
    with path.open("rb+") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode().ljust(length)
        if len(text) == length:
            file.seek(8)
            file.write(text)


def _of_their_own(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors that share no memory, as the format wants them (8-bit optimizers share their code book)."""
    seen: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().contiguous()
        separate[name] = plain.clone() if plain.data_ptr() in seen else plain
        seen.add(plain.data_ptr())
    return separate


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a safetensors file. Raises RunDamaged when it is missing or broken."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunDamaged(f"Cannot read the weights {path}: {error}.") from error


def standard_prefix(module: nn.Module) -> str:
    """What every name in the weights of CLIP's text encoder begins with in files, and in memory only in older
    transformers: a program with another transformers than ours would take names without it for none of its own, and
    draw with random weights."""
    flat = type(module).__name__ == "CLIPTextModel" and not hasattr(module, "text_model")
    return TEXT_MODEL if flat else ""


def save_module(module: nn.Module, folder: Path, role: str, precision: Precision) -> Path:
    """Write ``module`` below ``folder`` so that ``from_pretrained(folder / role folder)`` loads it."""
    target = folder / folder_of(role)
    target.mkdir(parents=True)
    dtype = _DTYPES[precision]
    prefix = standard_prefix(module)
    state = {
        prefix + name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in module.state_dict().items()
    }
    described = cast(Any, module)
    if hasattr(described, "save_config"):  # diffusers
        described.save_config(target)
        save_tensors(target / "diffusion_pytorch_model.safetensors", state)
    else:  # transformers
        described.config.save_pretrained(target)
        save_tensors(target / "model.safetensors", state)
    _forget_place(target / "config.json")
    return target


def _forget_place(config: Path) -> None:
    """Both libraries note the folder that the weights came from, which is nobody's business who gets the copy."""
    tree = read_json(config)
    if tree.pop("_name_or_path", None):
        write_json(config, tree)


def load_module(module: nn.Module, folder: Path, role: str) -> None:
    """Read into ``module`` what :func:`save_module` wrote, with the prefix of its names or, as in the past, without;
    every tensor must be there and fit."""
    file = _file_of(folder, role)
    try:
        prefix = standard_prefix(module)
        state = {name.removeprefix(prefix): tensor for name, tensor in load_tensors(file).items()}
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise RunDamaged(f"{file} does not fit the base model: {error}") from error


def _file_of(folder: Path, role: str) -> Path:
    target = folder / folder_of(role)
    files = sorted(target.glob("*.safetensors"))
    if len(files) != 1:
        raise RunDamaged(f"{target} should hold one .safetensors file; it holds {len(files)}.")
    return files[0]


@contextmanager
def stored_tensors(module: nn.Module, folder: Path, role: str) -> Iterator[Callable[[str], Tensor]]:
    """What :func:`save_module` wrote, to be read tensor by tensor under the names that they have in ``module``; every
    tensor of it must be there and fit."""
    file, prefix = _file_of(folder, role), standard_prefix(module)
    shapes = {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
    try:
        with safe_open(file, framework="pt") as stored:
            names = {name.removeprefix(prefix): name for name in stored.keys()}  # noqa: SIM118 - it is no mapping
            found = {own: stored.get_slice(name).get_shape() for own, name in names.items()}
            if found != shapes:
                wrong = next(name for name in [*shapes, *found] if found.get(name) != shapes.get(name))
                raise RunDamaged(f"{file} does not fit the base model: {wrong} is not the same there.")
            yield lambda name: stored.get_tensor(names[name])
    except (OSError, SafetensorError) as error:
        raise RunDamaged(f"Cannot read the weights {file}: {error}.") from error


def state_bytes(module: nn.Module, precision: Precision) -> int:
    """Bytes that :func:`save_module` will write for the weights."""
    width = 2 if precision == "fp16" else 4
    return sum(
        tensor.numel() * (width if tensor.is_floating_point() else tensor.element_size())
        for tensor in module.state_dict().values()
    )
