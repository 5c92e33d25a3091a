"""Optimizers over named parameter groups with windows; their state by name, for checkpoints that can be checked."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from boothlab.errors import NotFinite, RunDamaged
from boothlab.strategies.attached import ParamGroup
from boothlab.training.config import Optimizer as Settings
from boothlab.training.libraries import missing_library

MOST_SKIPPED = 20
"""fp16 may overflow now and then while the loss scale is found; so many steps in a row is a failed training."""

_FIXED = frozenset({"params", "lr", "betas", "eps", "weight_decay"})
"""Entries of an optimizer's group that come from the plan, not from the training."""


_LIBRARIES: dict[str, tuple[str, str, dict[str, bool]]] = {
    "adamw8bit": ("bitsandbytes.optim", "AdamW8bit", {}),
    "prodigy": ("prodigyopt", "Prodigy", {"safeguard_warmup": True, "use_bias_correction": True}),
}
"""Kind → module, class, options that its authors recommend for diffusion models."""


def make_torch_optimizer(groups: Sequence[ParamGroup], settings: Settings) -> torch.optim.Optimizer:
    """The library's optimizer for ``settings.kind``. Raises PlanError with the install line where it is missing."""
    params: Any = [{"params": list(group.parameters.values()), "lr": group.lr} for group in groups]
    common: Any = {"betas": (settings.beta1, settings.beta2), "weight_decay": settings.weight_decay}
    if settings.kind == "adamw":
        return torch.optim.AdamW(params, eps=settings.epsilon, fused=True, **common)
    module, name, options = _LIBRARIES[settings.kind]
    try:
        library = importlib.import_module(module)
    except ImportError as error:
        raise missing_library(settings.kind) from error
    return cast(torch.optim.Optimizer, getattr(library, name)(params, eps=settings.epsilon, **options, **common))


class Optimizer:
    """Steps the open groups. A closed group's gradients are withheld, so neither rate nor decay can move it."""

    def __init__(self, groups: Sequence[ParamGroup], settings: Settings, fp16: bool = False) -> None:
        self._groups = tuple(groups)
        self._settings = settings
        self._inner = make_torch_optimizer(groups, settings)
        self._by_name = {name: p for group in groups for name, p in group.parameters.items()}
        self._names = {parameter: name for name, parameter in self._by_name.items()}
        device = next(iter(self._names)).device.type
        self._scaler = torch.amp.GradScaler(device, enabled=fp16)
        self._skipped = 0

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of ``loss``, scaled where fp16 would lose small ones."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def withhold_closed(self, step: int) -> None:
        """Drop the gradients of groups that do not move in this step, and see to those that always do.

        Call it before :meth:`clip`.
        """
        for group in self._groups:
            for parameter in group.parameters.values():
                if not group.is_open(step):
                    parameter.grad = None
                elif group.always and parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)

    def clip(self, step: int) -> float | None:
        """Scale the gradients to the largest allowed total norm; returns the norm before. Raises NotFinite.

        None says that fp16 overflowed: the step will be left out and the loss scale lowered.
        """
        self._scaler.unscale_(self._inner)
        parameters = self._by_name.values()
        limit = self._settings.max_grad_norm or math.inf
        total = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        norm = float(total)
        if norm + 1e-6 > limit:  # below it torch would multiply every gradient by 1
            torch.nn.utils.clip_grads_with_norm_(parameters, limit, total)
        if math.isfinite(norm):
            self._skipped = 0
            return norm
        if self._scaler.is_enabled() and self._skipped < MOST_SKIPPED:
            self._skipped += 1
            return None
        raise NotFinite(
            f"The gradient norm at step {step} is {norm}.",
            "Lower the learning rate, or compute in bf16 or fp32; checkpoints before this step are intact.",
        )

    def step(self, factor: float) -> float:
        """Take one step at ``factor`` times each group's rate; returns the first group's rate."""
        for group, inner in zip(self._groups, self._inner.param_groups, strict=True):
            inner["lr"] = group.lr * factor
        self._scaler.step(self._inner)
        self._scaler.update()
        self._inner.zero_grad(set_to_none=True)
        return self._groups[0].lr * factor

    def state(self) -> dict[str, Tensor]:
        """``NAME/exp_avg`` … for every parameter that has moved, and what the groups and the fp16 scale hold.

        Plain numbers become float64 tensors under a name that ends in ``!int`` or ``!float``.
        """
        flat: dict[str, Any] = {}
        for parameter, values in self._inner.state.items():
            if isinstance(parameter, nn.Parameter):
                flat |= {f"{self._names[parameter]}/{key}": value for key, value in values.items()}
        for index, group in enumerate(self._inner.param_groups):
            flat |= {f"group {index}/{key}": value for key, value in group.items() if key not in _FIXED}
        flat |= {f"scaler/{key}": value for key, value in self._scaler.state_dict().items()}
        return dict(pair for name, value in flat.items() for pair in _packed(name, value))

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`state` gave. Raises RunDamaged for names and shapes that do not fit."""
        scaler: dict[str, Any] = {}
        for packed, stored in state.items():
            full_name, value = _unpacked(packed, stored)
            name, _, key = full_name.rpartition("/")
            if name == "scaler":
                scaler[key] = value
            elif name.startswith("group "):
                self._inner.param_groups[int(name.removeprefix("group "))][key] = value
            else:
                self._restore_parameter(name, key, value)
        if scaler:
            self._scaler.load_state_dict(scaler)

    def _restore_parameter(self, name: str, key: str, value: Any) -> None:
        parameter = self._by_name.get(name)
        moments = ("exp_avg", "exp_avg_sq")
        if parameter is None or (key in moments and value.shape != parameter.shape):
            raise RunDamaged(f"The checkpoint's optimizer state {name}/{key} fits no parameter of this run.")
        if isinstance(value, Tensor):
            # All of it lies with the weights, AdamW's step counter too: its fused kernel reads that where they are.
            value = value.to(parameter.device) if value.ndim else value.to(parameter.device, copy=True)
        self._inner.state[parameter][key] = value


def _packed(name: str, value: Any) -> list[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        return [(name, value)]
    if isinstance(value, bool) or value is None or not isinstance(value, int | float):
        return []  # flags and names come from the plan
    return [(f"{name}!{type(value).__name__}", torch.tensor(value, dtype=torch.float64))]


def _unpacked(name: str, value: Tensor) -> tuple[str, Any]:
    if name.endswith("!int"):
        return name.removesuffix("!int"), int(value)
    if name.endswith("!float"):
        return name.removesuffix("!float"), float(value)
    return name, value
