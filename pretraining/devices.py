"""Where a stage computes and what is fast there: a CPU by default, one CUDA card on request.

Separate because it is about the machine, not about what is learned: weights, optimizer state, loss and EMA stay
float32 everywhere; bfloat16 products are used where the hardware has them (1.6 times as many pictures a second on
a CPU with AVX-512-BF16).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor

CPU = torch.device("cpu")


def chosen(name: str) -> torch.device:
    """The device called ``cpu`` or ``cuda``. Raises: ValueError where there is no such card."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: this machine has no CUDA card that torch can use; leave --device out")
    return torch.device(name)


def has_bfloat16(device: torch.device = CPU) -> bool:
    """Does ``device`` multiply bfloat16 in hardware? Without it bf16 is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported())


def moved(array: np.ndarray, device: torch.device) -> Tensor:
    """The array on ``device``. The copy to a card waits in line with the card's other work, the caller does not."""
    tensor = torch.from_numpy(array)
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


class PlainAttention:
    """Scaled dot-product attention as two matrix products.

    torch's fused kernel takes three times as long in bf16 on a CPU (its backward pass alone a third of a step), and
    at 256 positions the matrix it avoids is small.
    """

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """(B, N, C) attends to itself or to (B, L, D); no masks, as in SD v1."""
        seen = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            part.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for part in (attn.to_q(hidden_states), attn.to_k(seen), attn.to_v(seen))
        )
        weights = ((query * attn.scale) @ key.transpose(-1, -2)).softmax(-1)
        mixed: Tensor = attn.to_out[0]((weights @ value).transpose(1, 2).flatten(2))
        return mixed


def forward_of(unet: UNet2DConditionModel, device: torch.device = CPU) -> Callable[..., tuple[Tensor, ...]]:
    """How ``unet`` is called in training; its weights and names stay.

    On a card its kernels are fused by torch.compile (on a CPU that brought nothing); on a CPU with bfloat16 it gets
    the attention that is fast there.
    """
    if device.type == "cuda":
        return torch.compile(unet)  # type: ignore[return-value]
    if has_bfloat16(device):
        unet.set_attn_processor(PlainAttention())
    return unet  # type: ignore[return-value]


def autocast(device: torch.device = CPU) -> AbstractContextManager[object]:
    """bf16 inside, where the hardware has it."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if has_bfloat16(device) else nullcontext()
