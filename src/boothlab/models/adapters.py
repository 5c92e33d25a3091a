"""LoRA and DoRA by peft: put in, read out, write in the naming that diffusers loads. The only user of peft."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from torch import Tensor, nn

from boothlab.errors import PlanError, RunDamaged, TrainingError, disk_errors
from boothlab.models.costs import no_layer
from boothlab.models.weights import (
    TEXT_MODEL,
    load_tensors,
    sort_notes,
    standard_prefix,
    system_errors,
    write_tensors,
)

FILE_ROLES = {"backbone": "unet", "text_encoder": "text_encoder"}
"""Role → what the names of its tensors begin with in a file of adapters."""

ADAPTER_NOTES = "lora_adapter_metadata"
"""The entry of such a file's header where diffusers keeps rank and alpha."""

KNOWN_TO_ALL = ("alpha_pattern", "lora_alpha", "r", "rank_pattern", "target_modules", "use_dora")
"""What every peft since DoRA knows of adapters; an older one refuses a file with a setting that it never heard of."""

FILE = "pytorch_lora_weights.safetensors"
"""The name that diffusers' ``load_lora_weights`` looks for."""

MAGNITUDE = ".lora_magnitude_vector"
"""What the name of DoRA's lengths ends in. transformers, which reads the text encoder's part of a file for diffusers,
knows them as ``.weight`` of it, and fills what it does not find under that name with numbers of its own."""


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """Rank, alpha and targets of one module's adapters. The update is scaled by alpha / rank."""

    rank: int
    alpha: float
    targets: tuple[str, ...]
    dora: bool = False

    def described(self) -> dict[str, Any]:
        """What a file of adapters says of itself: :data:`KNOWN_TO_ALL`."""
        facts = self.to_peft().to_dict()
        return {name: facts[name] for name in KNOWN_TO_ALL} | {"target_modules": sorted(self.targets)}

    def to_peft(self) -> Any:
        """peft's own description; B starts at zero, so that the tuned model starts as the base model."""
        return LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            target_modules=list(self.targets),
            use_dora=self.dora,
            init_lora_weights="gaussian" if not self.dora else True,
        )


def make_portable(path: Path) -> None:
    """Change a file of adapters so that programs which read less of it draw the same.

    Who knows no alpha takes the update's scale for 1: the second factor is multiplied by alpha / rank, and alpha said
    to be the rank. What only one version of peft knows is left out, and layers of the text encoder get the names that
    they have in files of whole models, and DoRA's lengths of theirs those that transformers looks for, also where an
    older boothlab wrote the file.
    """
    with safe_open(path, framework="pt") as file:
        notes = dict(file.metadata() or {})
        tensors = {_named_as_in_files(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    facts = {
        name: value
        for name, value in json.loads(notes.get(ADAPTER_NOTES, "{}")).items()
        if name.partition(".")[2] in KNOWN_TO_ALL
    }
    for prefix in FILE_ROLES.values():
        rank, alpha = facts.get(f"{prefix}.r"), facts.get(f"{prefix}.lora_alpha")
        if rank and alpha and alpha != rank:
            facts[f"{prefix}.lora_alpha"] = rank
            for name, tensor in tensors.items():
                if name.startswith(f"{prefix}.") and ".lora_B." in name:
                    tensors[name] = tensor * (alpha / rank)
    notes[ADAPTER_NOTES] = json.dumps(facts, indent=2, sort_keys=True)
    with disk_errors(path, f"write {path.name}"):
        write_tensors(path, tensors, notes)
    sort_notes(path)


def _named_as_in_files(name: str) -> str:
    text = f"{FILE_ROLES['text_encoder']}."
    if not name.startswith(text):
        return name
    return f"{text}{TEXT_MODEL}{_with_weight(name.removeprefix(text).removeprefix(TEXT_MODEL))}"


def _with_weight(name: str) -> str:
    return f"{name}.weight" if name.endswith(MAGNITUDE) else name


def _without_weight(name: str) -> str:
    """As peft calls it."""
    return name.removesuffix(".weight") if name.endswith(f"{MAGNITUDE}.weight") else name


def add_adapters(module: nn.Module, shape: AdapterShape, seed: int) -> list[nn.Parameter]:
    """Put adapters into ``module``; their initial weights depend on ``seed`` alone. Returns them in a fixed order."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        names = [name for name, _ in module.named_modules()]
        for target in shape.targets:  # peft complains only where none of them fits
            if not any(name == target or name.endswith(f".{target}") for name in names):
                raise no_layer(type(module).__name__, target)
        try:
            inject_adapter_in_model(shape.to_peft(), module)
        except ValueError as error:  # a layer that cannot have an adapter
            raise PlanError(f"strategy.targets = {list(shape.targets)}: {error}.", "Name linear layers.") from error
    return [parameter for name, parameter in sorted(module.named_parameters()) if "lora_" in name]


def adapter_state(module: nn.Module) -> dict[str, Tensor]:
    """The adapters' tensors in peft's naming."""
    return dict(get_peft_model_state_dict(module))


def save_adapters(folder: Path, modules: dict[str, nn.Module], shapes: dict[str, AdapterShape]) -> Path:
    """Write the adapters of ``backbone`` and ``text_encoder`` to one file that stock diffusers loads.

    Beside the tensors stand those facts alone that every peft knows: an older one refuses a setting that it has never
    heard of. Layers of the text encoder are named as in files of whole models, by which other programs find them, and
    DoRA's lengths there as transformers looks for them.
    """
    from diffusers.loaders import StableDiffusionLoraLoaderMixin

    layers = {
        role: {standard_prefix(m) + k: v.detach().clone() for k, v in adapter_state(m).items()}
        for role, m in modules.items()
    }
    if "text_encoder" in layers:
        layers["text_encoder"] = {_with_weight(name): tensor for name, tensor in layers["text_encoder"].items()}
    metadata = {role: shape.described() for role, shape in shapes.items()}
    with disk_errors(folder, "write the adapters"), system_errors():
        StableDiffusionLoraLoaderMixin.save_lora_weights(
            folder,
            unet_lora_layers=layers.get("backbone"),
            text_encoder_lora_layers=layers.get("text_encoder"),
            unet_lora_adapter_metadata=metadata.get("backbone"),
            text_encoder_lora_adapter_metadata=metadata.get("text_encoder"),
        )
        sort_notes(folder / FILE)
    return folder / FILE


def load_adapters(folder: Path, modules: dict[str, nn.Module]) -> None:
    """Read into modules that have adapters already what :func:`save_adapters` wrote, also an older boothlab's."""
    tensors = load_tensors(folder / FILE)
    for role, module in modules.items():
        prefix = f"{FILE_ROLES[role]}."
        inner = standard_prefix(module)
        state = {
            _without_weight(name.removeprefix(prefix).removeprefix(inner)): t
            for name, t in tensors.items()
            if name.startswith(prefix)
        }
        expected = adapter_state(module).keys()
        if set(state) != set(expected):
            missing = sorted(set(expected) ^ set(state))[:3]
            raise RunDamaged(f"{folder / FILE} does not fit the base model; it differs in {', '.join(missing)} …")
        set_peft_model_state_dict(module, state)


def adapter_bytes(modules: Sequence[nn.Module]) -> int:
    """Bytes of the adapters' tensors."""
    return sum(t.numel() * t.element_size() for module in modules for t in adapter_state(module).values())


def merge_adapters(module: nn.Module) -> None:
    """Add every adapter to the weights beside it and take it out, so that ``module`` is a plain one again.

    Raises TrainingError where the sum is not finite.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in list(module.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            try:
                layer.merge(safe_merge=True)
            except ValueError as error:
                raise TrainingError(f"The adapter of {name} cannot be merged: {error}") from error
            module.set_submodule(name, layer.get_base_layer())
