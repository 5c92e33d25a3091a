"""AdamW over named parameter groups with windows; its state by name, for checkpoints that can be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from boothlab.errors import NotFinite, RunDamaged
from boothlab.strategies.attached import ParamGroup
from boothlab.training.config import Optimizer as Settings


class Optimizer:
    """Steps the open groups. A closed group's gradients are withheld, so neither rate nor decay can move it."""

    def __init__(self, groups: Sequence[ParamGroup], settings: Settings) -> None:
        self._groups = tuple(groups)
        self._settings = settings
        self._adam = torch.optim.AdamW(
            [{"params": list(group.parameters.values()), "lr": group.lr} for group in groups],
            betas=(settings.beta1, settings.beta2),
            weight_decay=settings.weight_decay,
            eps=settings.epsilon,
            fused=True,
        )
        self._names = {p: name for group in groups for name, p in group.parameters.items()}

    def withhold_closed(self, step: int) -> None:
        """Drop the gradients of groups that do not move in this step; call it before :meth:`clip`."""
        for group in self._groups:
            if not group.is_open(step):
                for parameter in group.parameters.values():
                    parameter.grad = None

    def clip(self, step: int) -> float:
        """Scale the gradients to the largest allowed norm; returns the norm before. Raises NotFinite."""
        parameters = [p for p in self._names if p.grad is not None]
        limit = self._settings.max_grad_norm
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, limit if limit is not None else torch.inf))
        if not torch.isfinite(torch.tensor(norm)):
            raise NotFinite(
                f"The gradient norm at step {step} is {norm}.",
                "Lower the learning rate; checkpoints before this step are intact.",
            )
        return norm

    def step(self, factor: float) -> float:
        """Take one step at ``factor`` times each group's rate; returns the first group's rate."""
        for group, adam_group in zip(self._groups, self._adam.param_groups, strict=True):
            adam_group["lr"] = group.lr * factor
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        return self._groups[0].lr * factor

    def state(self) -> dict[str, Tensor]:
        """``NAME/exp_avg`` … for every parameter that has moved."""
        return {
            f"{self._names[parameter]}/{key}": value
            for parameter, values in self._adam.state.items()
            if isinstance(parameter, torch.nn.Parameter)
            for key, value in values.items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`state` gave. Raises RunDamaged for names and shapes that do not fit."""
        by_name = {name: parameter for parameter, name in self._names.items()}
        for full_name, value in state.items():
            name, _, key = full_name.rpartition("/")
            parameter = by_name.get(name)
            if parameter is None or (key != "step" and value.shape != parameter.shape):
                raise RunDamaged(f"The checkpoint's optimizer state {full_name} fits no parameter of this run.")
            place = parameter.device if key != "step" else value.device
            self._adam.state[parameter][key] = value.to(place)
